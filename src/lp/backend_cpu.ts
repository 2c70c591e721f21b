import type { Pauses } from "../common/pauses.ts";
import { exactSolver } from "./exact.ts";
import type { KernelPlan } from "./kernels/choices.ts";
import type { Loads } from "./problem.ts";
import type { Compiled } from "./simd/simd_solver.ts";
import { SimdPath } from "./simd_path.ts";
import { type RawSolution, writeQuotas } from "./solution.ts";
import { TimeSolver } from "./time/time_solver.ts";
import type { Topology } from "./topology.ts";

export interface CpuBackend {
  /**
   * Solves the LPs of a batch into `raw` and returns how many: all of them, unless `enough`, asked after each pause with the
   * number so far, says to stop. What the *simd* program answers is for the caller to judge.
   */
  solve(loads: Loads, raw: RawSolution, pauses: Pauses, enough?: (solved: number) => Promise<boolean>): Promise<number>;
  /** Solves one LP, exactly, and writes it into `raw`. */
  solveOne(loads: Loads, lp: number, raw: RawSolution): void;
  /** LPs first to end - 1 as `solve` would answer them now, without a pause. Returns the ms of the exact solver in whole tokens. */
  answer(loads: Loads, first: number, end: number, raw: RawSolution): number;
  /** Counts such ms towards a program. */
  spent(ms: number): void;
  /** What answers whole tokens now, if a program does; */
  program(): Compiled | undefined;
  /** and in another thread: what does in the first. */
  follow(program: Compiled | undefined): Promise<void>;
  plan(): KernelPlan;
  /** Whether a program is being made, which takes the event loop. */
  isPreparing(): boolean;
  /** Resolves once no faster program is to come; asking starts its compilation. Never rejects. */
  ready(): Promise<void>;
}

/** LPs of the program between two looks at the clock: a millisecond at most. */
const PIECE = 256;

/** The exact solver, LP by LP; once that has been at it for a while, a program made for the topology. Where there is a cost, the solver of time. */
export function cpuBackend(topology: Topology): CpuBackend {
  const { gpus, slots, experts, replicaGpu, cost } = topology;
  const timely = cost && new TimeSolver(topology, cost);
  const exact = cost ? undefined : exactSolver(topology);
  const x = new Float64Array(replicaGpu.length);
  const simd = new SimdPath(topology);

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

  const isFor = ({ tokens }: Loads) => simd.solver !== undefined && tokens === "integer";

  function answer(loads: Loads, first: number, end: number, raw: RawSolution): number {
    if (isFor(loads)) {
      simd.solver!.solve(loads, first, end, raw);
      return 0;
    }
    const begun = performance.now();
    for (let lp = first; lp < end; lp++) solveOne(loads, lp, raw);
    return loads.tokens === "integer" ? performance.now() - begun : 0;
  }

  async function solve(
    loads: Loads,
    raw: RawSolution,
    pauses: Pauses,
    enough?: (solved: number) => Promise<boolean>,
  ): Promise<number> {
    for (let lp = 0; lp < loads.batch; ) {
      lp = isFor(loads) ? solveBySimd(lp) : solveExactly(lp);
      if (lp === loads.batch || !pauses.due) continue;
      await pauses.take();
      if (await enough?.(lp)) return lp;
    }
    return loads.batch;

    function solveBySimd(lp: number): number {
      const end = Math.min(loads.batch, lp + PIECE);
      answer(loads, lp, end, raw);
      return end;
    }

    /** Until a pause is due. */
    function solveExactly(lp: number): number {
      const begun = performance.now();
      let end = lp;
      do solveOne(loads, end++, raw);
      while (end < loads.batch && !pauses.due);
      if (loads.tokens === "integer") simd.spent(performance.now() - begun);
      return end;
    }
  }
  return {
    ...{ solve, solveOne, answer },
    spent: (ms) => simd.spent(ms),
    program: () => simd.solver?.compiled,
    follow: (program) => simd.follow(program),
    plan: () => simd.plan,
    isPreparing: () => simd.isPreparing,
    ready: () => simd.ready(),
  };
}
