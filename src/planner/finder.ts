import { whyNotWebgpu } from "../common/errors.ts";
import { acquireDevice } from "../lp/device_choice.ts";
import type { BackendName } from "../lp/solution.ts";
import type { SolverOptions } from "../lp/solver_options.ts";
import { type FindOptima, optimaOnCpu, optimaOnGpu } from "./optima.ts";
import type { Pacer } from "./pacer.ts";

/** Who solves a search's LPs. */
export type Finder = (pacer: Pacer) => FindOptima;

/** As the solver's `backend` says: the CPU where a GPU was not asked for and fails. @internal */
export async function openFinder(options: Pick<SolverOptions, "backend" | "device" | "adapter">) {
  const { backend = "auto" } = options;
  let { acquired, reason } = await acquireDevice(backend, options);
  const finder: Finder = (pacer) => {
    const onCpu = optimaOnCpu(pacer);
    return async (machine, placements, shares) => {
      if (!acquired) return onCpu(machine, placements, shares);
      try {
        return await optimaOnGpu(acquired.device, pacer)(machine, placements, shares);
      } catch (error) {
        const why = whyNotWebgpu(error);
        if (backend === "webgpu" || why === undefined) throw error;
        acquired = undefined;
        reason = why;
        return onCpu(machine, placements, shares);
      }
    };
  };
  const report = () => {
    const name: BackendName = acquired ? "webgpu" : "cpu";
    return { backend: name, adapter: acquired?.adapter, reason };
  };
  return { finder, report };
}
