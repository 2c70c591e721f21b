/** What makes a backend's answers a solution's: they are levelled if asked, judged, and finished by the exact solver where a gap is left. */
import type { Pauses } from "../common/pauses.ts";
import type { CpuBackend } from "./backend_cpu.ts";
import type { Leveller } from "./level.ts";
import type { Loads } from "./problem.ts";
import { type BackendName, type Judge, type JudgedRows, judge, type RawSolution } from "./solution.ts";
import type { Topology } from "./topology.ts";

/** A batch, and what has become of it. */
export class Settlement<J extends JudgedRows = JudgedRows> {
  finishedOnCpu = 0;
  /** LPs first to end - 1 are still to be settled. */
  first = 0;
  end: number;
  private readonly judge: Judge;

  /** @param leveller  if LPs are to be levelled.  @param judged  what is written. */
  constructor(
    private readonly topology: Topology,
    private readonly cpu: CpuBackend,
    readonly loads: Loads,
    readonly raw: RawSolution,
    readonly judged: J,
    readonly leveller: Leveller | undefined,
  ) {
    this.end = loads.batch;
    this.judge = judge(topology, loads, raw, judged);
  }

  /** Settles LPs first to end - 1, which `backend` answered. */
  settle(first: number, end: number, backend: BackendName): void {
    const { loads, raw, cpu } = this;
    const { isOpen } = this.judge;
    // What simd has left; an answer of the exact solver is never open in whole tokens.
    const exact = backend === "cpu" && (loads.tokens === "fractional" || this.topology.cost !== undefined);
    for (let lp = first; lp < end; lp++) {
      this.settleOne(lp);
      if (exact || !isOpen(lp)) continue;
      cpu.solveOne(loads, lp, raw);
      this.settleOne(lp);
      this.finishedOnCpu++;
    }
  }

  private settleOne(lp: number): void {
    this.leveller?.level(this.loads, lp, this.raw);
    this.judge.judgeOne(lp);
  }

  /** Settles what is left. */
  settleRest(backend: BackendName, pauses: Pauses): Promise<void> | undefined {
    const { first } = this;
    const { slots, gpus } = this.topology;
    return pauses.inPieces(this.end - first, slots + gpus, (from, to) => {
      this.settle(first + from, first + to, backend);
      this.first = first + to;
    });
  }
}
