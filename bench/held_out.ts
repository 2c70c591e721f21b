/** How good placements are on steps that they were not fitted to. */
import { certify, type Placement, solveLoadBalanceLP } from "../src/index.ts";
import { evenQuotas } from "./compared_times.ts";
import { quantiles } from "./timing.ts";

/** Max load / mean load, over all layers and the steps held out. */
export interface HeldOut {
  mean: number;
  p95: number;
}

/** How an expert's tokens are shared by its replicas. */
export type Split = "even" | "lp";

/** @param steps  of each layer, rows of E whole tokens.  @throws {Error} The exact solver's answer is not proven. */
export async function heldOut(
  placements: readonly Placement[],
  steps: readonly number[][][],
  split: Split,
): Promise<HeldOut> {
  const all: number[] = [];
  for (const [layer, placement] of placements.entries()) {
    const expertLoad = steps[layer];
    const quota = split === "lp" ? await optimalQuotas(placement, expertLoad) : evenQuotas(placement, expertLoad);
    all.push(...imbalances(placement, quota));
  }
  return { mean: all.reduce((sum, value) => sum + value) / all.length, p95: quantiles(all)(0.95) };
}

async function optimalQuotas(placement: Placement, expertLoad: number[][]): Promise<ArrayLike<number>> {
  const problem = { placement, expertLoad };
  const solution = await solveLoadBalanceLP(problem, { backend: "cpu" });
  const unproven = certify(problem, solution).findIndex(({ valid }, lp) => !valid || solution.status[lp] !== "optimal");
  if (unproven >= 0) throw new Error(`Step ${unproven} held out is "${solution.status[unproven]}".`);
  return solution.quota;
}

/** [B] of GPUs of equal speed. */
function imbalances({ gpus, physicalExperts: slots, gpuOf }: Placement, quota: ArrayLike<number>): number[] {
  return Array.from({ length: quota.length / slots }, (_, lp) => {
    const load = new Float64Array(gpus);
    for (let p = 0; p < slots; p++) load[gpuOf[p]] += quota[lp * slots + p];
    return (Math.max(...load) * gpus) / load.reduce((a, b) => a + b);
  });
}

/** @throws {Error} The placement is not of this size, an expert has no slot, or one sits twice on a GPU. */
export function requireLegal(placement: Placement, size: { gpus: number; experts: number; redundant: number }): void {
  const { gpus, logicalExperts: experts, physicalExperts, physicalToLogical, replicaCount, gpuOf } = placement;
  const slots = size.experts + size.redundant;
  if (gpus !== size.gpus || experts !== size.experts || physicalExperts !== slots) {
    throw new Error(`${gpus} GPUs, ${experts} experts and ${physicalExperts} slots, of which ${slots} were asked.`);
  }
  const lost = replicaCount.indexOf(0);
  if (lost >= 0) throw new Error(`Expert ${lost} has no slot.`);
  const seen = new Set<string>();
  for (const [p, e] of physicalToLogical.entries()) {
    const here = `expert ${e} on GPU ${gpuOf[p]}`;
    if (e < 0 || seen.has(here)) throw new Error(e < 0 ? `Slot ${p} is empty.` : `Twice ${here}.`);
    seen.add(here);
  }
}
