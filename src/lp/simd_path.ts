import { ASKED_FOR_CPU } from "./device_choice.ts";
import type { KernelPlan } from "./kernels/choices.ts";
import type { Compiled, SimdSolver } from "./simd/simd_solver.ts";
import type { Topology } from "./topology.ts";

/**
 * Making a program takes 5 to 50 ms at up to 32 GPUs, during which nothing else runs, and grows with its steps. As with skis, one rents until
 * the rent would have bought them: it is made after this much time in the exact solver.
 */
const RENT_MS = 50;

/** Whether whole-token LPs of a topology are answered by a WebAssembly program, and why. */
export class SimdPath {
  solver: SimdSolver | undefined;
  plan: KernelPlan = { kernel: "cpu", reason: ASKED_FOR_CPU };
  isPreparing = false;
  private preparing: Promise<void> | undefined;
  /** Of the program that was followed. */
  private made: SimdSolver | undefined;
  private spentMs = 0;

  constructor(private readonly topology: Topology) {
    if (!topology.cost) return;
    this.plan = { kernel: "cpu", reason: "There is a cost." };
    this.preparing = Promise.resolve();
  }

  /** Counts time of the exact solver. */
  spent(ms: number): void {
    this.spentMs += ms;
    if (this.spentMs > RENT_MS) this.ready();
  }

  /** Resolves once there is a program, or it is known why there will be none. Never rejects. */
  ready(): Promise<void> {
    this.preparing ??= this.prepare();
    return this.preparing;
  }

  /** Answers by another thread's program, or by none. */
  async follow(program: Compiled | undefined): Promise<void> {
    if (program && !this.made) {
      const { solverOf } = await import("./simd/simd_solver.ts");
      this.made = await solverOf(program);
    }
    this.solver = program && this.made;
  }

  private async prepare(): Promise<void> {
    this.isPreparing = true;
    try {
      const { simdSolver } = await import("./simd/simd_solver.ts");
      const made = await simdSolver(this.topology);
      if ("reason" in made) {
        this.plan = { kernel: "cpu", reason: `No SIMD program: ${made.reason}` };
        return;
      }
      this.solver = made;
      this.plan = { kernel: "simd", reason: `Compiled for this topology: ${made.compiled.steps} steps for four LPs.` };
    } catch (error) {
      this.plan = { kernel: "cpu", reason: `The SIMD program failed: ${(error as Error).message}` };
    } finally {
      this.isPreparing = false;
    }
  }
}
