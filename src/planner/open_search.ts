import { whyNotWebgpu } from "../common/errors.ts";
import { acquireDevice } from "../lp/device_choice.ts";
import type { BackendName } from "../lp/solution.ts";
import type { SolverOptions } from "../lp/solver_options.ts";
import type { Machine } from "./arrangement.ts";
import { bottlenecksOnCpu, bottlenecksOnGpu, type FindBottlenecks } from "./bottlenecks.ts";
import type { Objective } from "./objective.ts";
import { Pacer } from "./pacer.ts";
import type { SearchContext } from "./search.ts";

export interface SearchOptions extends Pick<SolverOptions, "backend" | "device" | "adapter"> {
  objective: Objective;
  budgetMs: number;
  seed: number;
  signal?: AbortSignal;
}

/** Annealing runs: after twice as many moves little gets better. */
const RUNS = 4;

/** What a search of all layers needs, and who solved its LPs in the end. The time begins to run. @internal */
export async function openSearch(machine: Machine, options: SearchOptions, movable: number) {
  const { objective, budgetMs, seed, signal } = options;
  const pacer = new Pacer(budgetMs, signal);
  const { find, report } = await solverFor(options, pacer);
  const context: SearchContext = { machine, objective, find, pacer, seed, movable, kind: "any", runs: RUNS };
  return { context, pacer, report };
}

/** Who solves LPs: as the solver's `backend` says, the CPU where a GPU was not asked for and fails. */
async function solverFor(options: SearchOptions, pacer: Pacer) {
  const { backend = "auto" } = options;
  let { acquired, reason } = await acquireDevice(backend, options);
  const onCpu = bottlenecksOnCpu(pacer);
  const onGpu = acquired && bottlenecksOnGpu(acquired.device, pacer);
  const find: FindBottlenecks = async (topologies, rows) => {
    if (!onGpu || !acquired) return onCpu(topologies, rows);
    try {
      return await onGpu(topologies, rows);
    } catch (error) {
      const why = whyNotWebgpu(error);
      if (backend === "webgpu" || why === undefined) throw error;
      acquired = undefined;
      reason = why;
      return onCpu(topologies, rows);
    }
  };
  const report = () => {
    const name: BackendName = acquired ? "webgpu" : "cpu";
    return { backend: name, adapter: acquired?.adapter, reason };
  };
  return { find, report };
}
