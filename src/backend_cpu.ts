import type { Loads } from "./problem.ts";
import { exactSolver } from "./reference/exact.ts";
import { emptyRaw, type RawSolution, writeQuotas } from "./solution.ts";
import type { Topology } from "./topology.ts";

/** Long batches hand the event loop back this often, so that timers, progress and Ctrl-C get through. */
const YIELD_EVERY_MS = 50;

export interface CpuBackend {
  solve(loads: Loads, signal?: AbortSignal): Promise<RawSolution>;
  /** Solves one LP again and writes it into `raw`. */
  solveOne(loads: Loads, lp: number, raw: RawSolution): void;
}

/** The exact solver, LP by LP. */
export function cpuBackend(topology: Topology): CpuBackend {
  const { gpus, slots, replicaGpu } = topology;
  const exact = exactSolver(topology);
  const x = new Float64Array(replicaGpu.length);

  function solveOne(loads: Loads, lp: number, raw: RawSolution): void {
    raw.moves[lp] = exact.solve(loads, lp, x, raw.member.subarray(lp * gpus, (lp + 1) * gpus));
    writeQuotas(topology, loads.tokens, x, raw.quota.subarray(lp * slots, (lp + 1) * slots));
  }

  async function solve(loads: Loads, signal?: AbortSignal): Promise<RawSolution> {
    const raw = emptyRaw(topology, loads);
    let resumed = performance.now();
    for (let lp = 0; lp < loads.batch; lp++) {
      solveOne(loads, lp, raw);
      if (performance.now() - resumed < YIELD_EVERY_MS) continue;
      await new Promise((resume) => setTimeout(resume));
      signal?.throwIfAborted();
      resumed = performance.now();
    }
    return raw;
  }
  return { solve, solveOne };
}
