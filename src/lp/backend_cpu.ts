import type { Pauses } from "../common/pauses.ts";
import { exactSolver } from "./exact.ts";
import type { Loads } from "./problem.ts";
import { type RawSolution, writeQuotas } from "./solution.ts";
import { TimeSolver } from "./time/time_solver.ts";
import type { Topology } from "./topology.ts";

export interface CpuBackend {
  /**
   * Solves LPs first, first + 1, ... of a batch into `raw` and returns how many: all of them, unless `enough`, asked after each pause with the
   * number so far, says to stop.
   */
  solve(
    loads: Loads,
    raw: RawSolution,
    pauses: Pauses,
    enough?: (solved: number) => Promise<boolean>,
    first?: number,
  ): Promise<number>;
  /** Solves one LP again and writes it into `raw`. */
  solveOne(loads: Loads, lp: number, raw: RawSolution): void;
}

/** The exact solver, LP by LP; or, where there is a cost, the one of time. */
export function cpuBackend(topology: Topology): CpuBackend {
  const { gpus, slots, experts, replicaGpu, cost } = topology;
  const timely = cost && new TimeSolver(topology, cost);
  const exact = cost ? undefined : exactSolver(topology);
  const x = new Float64Array(replicaGpu.length);

  function solveTimely(solver: TimeSolver, { expertLoad, baseLoad }: Loads, lp: number, raw: RawSolution): void {
    const load = expertLoad.subarray(lp * experts, (lp + 1) * experts);
    const base = baseLoad?.subarray(lp * gpus, (lp + 1) * gpus);
    const { paths, steps } = solver.solve(load, base, x, raw.member.subarray(lp * gpus, (lp + 1) * gpus));
    raw.moves[lp] = paths;
    raw.iterations[lp] = steps;
  }

  function solveOne(loads: Loads, lp: number, raw: RawSolution): void {
    if (timely) solveTimely(timely, loads, lp, raw);
    else raw.moves[lp] = exact!.solve(loads, lp, x, raw.member.subarray(lp * gpus, (lp + 1) * gpus));
    writeQuotas(topology, loads.tokens, x, raw.quota.subarray(lp * slots, (lp + 1) * slots));
  }

  async function solve(
    loads: Loads,
    raw: RawSolution,
    pauses: Pauses,
    enough?: (solved: number) => Promise<boolean>,
    first = 0,
  ): Promise<number> {
    for (let lp = first; lp < loads.batch; lp++) {
      solveOne(loads, lp, raw);
      if (!pauses.due) continue;
      await pauses.take();
      if (await enough?.(lp + 1 - first)) return lp + 1 - first;
    }
    return loads.batch - first;
  }
  return { solve, solveOne };
}
