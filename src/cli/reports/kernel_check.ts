import { certify } from "../../lp/certify.ts";
import { type KernelPlan, kernelChoices } from "../../lp/kernels/choices.ts";
import { createSolver } from "../../lp/solver.ts";
import type { ExpertCost } from "../../lp/time/expert_cost.ts";
import { Placement } from "../../placement/placement.ts";

export interface KernelCheck {
  kernel: Exclude<KernelPlan["kernel"], "cpu">;
  ok: boolean;
  /** Why not, in one line; undefined where it works. */
  reason?: string;
}

/** Three GPUs, two experts with a choice; few tokens, none at all, and so many that f32 is off and the exact finish has to move some. */
const placement = Placement.fromPhysicalToLogical([0, 1, 0, 2, 1, 3], { gpus: 3 });
const expertLoad = [
  [60, 200, 20, 10],
  [0, 0, 0, 0],
  [500_000_001, 300_000_007, 7, 11],
  [12_345_677, 22_345_679, 5_000_001, 123],
].flat();

/** Comes in units, so that what balances time must be optimal, too. */
const cost: ExpertCost = { model: "affine", perExpert: 0, perToken: 1, tile: 64 };

/** Solves a few small LPs with each kernel and certifies them: a kernel works if its own answers are optimal. */
export async function checkKernels(device: GPUDevice): Promise<KernelCheck[]> {
  const checks: KernelCheck[] = [];
  for (const kernel of [...kernelChoices, "time"] as const) {
    if (kernel === "auto" || kernel === "simd") continue; // of the CPU
    const fault = await faultOf(kernel, device).catch((error: Error) => error.message);
    checks.push({ kernel, ok: fault === undefined, reason: fault?.replaceAll(/\s+/g, " ").trim() });
  }
  return checks;
}

async function faultOf(kernel: KernelCheck["kernel"], device: GPUDevice): Promise<string | undefined> {
  const timed = kernel === "time" ? { cost } : undefined;
  const solver = await createSolver(placement, {
    backend: "webgpu",
    device,
    ...(kernel === "time" ? { cost } : { kernel }),
  });
  try {
    await solver.ready;
    if (solver.plan.kernel !== kernel) return solver.plan.reason;
    const solution = await solver.solve({ expertLoad });
    const certified = certify({ placement, expertLoad, ...timed }, solution).filter(
      ({ verdict }) => verdict === "optimal",
    ).length;
    // What the CPU had to finish is certified as well, but not the kernel's.
    const optimal = certified - solution.finishedOnCpu;
    return optimal === solution.batch ? undefined : `of ${solution.batch} LPs it solved ${optimal} to the optimum`;
  } finally {
    solver.destroy();
  }
}
