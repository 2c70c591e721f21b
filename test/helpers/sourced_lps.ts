/** Random LPs with sources for the kernels of traffic: placements of several layers, hierarchical distances and any others. */
import type { Random } from "../../src/common/random.ts";
import { createSolver, Placement } from "../../src/index.ts";
import { toTopology } from "../../src/lp/forms.ts";
import type { Topology } from "../../src/lp/topology.ts";
import { checkDistance, type Distance } from "../../src/placement/distance.ts";
import { layerPlacements } from "./batches.ts";

export interface SourcedLps {
  /** [B], as many different ones as there are records. */
  placements: Placement[];
  topologies: Topology[];
  distance: Distance;
  /** [B, S, E] */
  sourceLoad: Int32Array;
  /** [B, P] an optimum of the loads, and [B, G] the tokens that it lets each GPU hold. */
  quota: Int32Array;
  cap: Int32Array;
}

/** @param records  Different placements, in turn. */
export async function sourcedLps(
  random: Random,
  batch: number,
  records: number,
  gpus = 2 * (1 + random.below(8)),
): Promise<SourcedLps> {
  const experts = gpus + random.below(3 * gpus);
  const active =
    random.next() < 0.3 ? Array.from({ length: gpus }, (_, g) => g === 0 || random.next() < 0.8) : undefined;
  const different = layerPlacements(random, records, experts, gpus).map((placement) =>
    withEmptySlots(random, placement),
  );
  const matrix = () =>
    Array.from({ length: 1 + random.below(9) }, () => Array.from({ length: gpus }, () => random.below(40)));
  const distance = checkDistance(random.next() < 0.5 ? { nodes: 2 } : { distance: matrix() }, gpus)!;
  const { sources } = distance;
  const sourceLoad = Int32Array.from({ length: batch * sources * experts }, () =>
    random.next() < 0.3 ? 0 : random.below(1 + random.below(60)),
  );
  const placements = Array.from({ length: batch }, (_, lp) => different[lp % records]);
  const [quota, cap]: number[][] = [[], []];
  for (const [lp, placement] of placements.entries()) {
    const own = sourceLoad.subarray(lp * sources * experts, (lp + 1) * sources * experts);
    const expertLoad = Array.from({ length: experts }, (_, e) =>
      own.reduce((sum, x, i) => sum + (i % experts === e ? x : 0), 0),
    );
    const solver = await createSolver(placement, { backend: "cpu", active });
    const solution = await solver.solve({ expertLoad });
    quota.push(...solution.quota);
    cap.push(...Array.from({ length: gpus }, (_, g) => (active?.[g] === false ? 0 : solution.maxLoad[0])));
    solver.destroy();
  }
  const topologies = placements.map((placement) => toTopology(placement, undefined, active));
  return { placements, topologies, distance, sourceLoad, quota: Int32Array.from(quota), cap: Int32Array.from(cap) };
}

/** Some slots of experts that have others are empty. */
function withEmptySlots(
  random: Random,
  { physicalToLogical, gpus, replicaCount, logicalExperts }: Placement,
): Placement {
  const left = replicaCount.slice();
  const held = Array.from(physicalToLogical, (e) => {
    if (left[e] < 2 || random.next() > 0.1) return e;
    left[e]--;
    return -1;
  });
  return Placement.fromPhysicalToLogical(held, { gpus, logicalExperts });
}

/** What sourceQuota [S, P] of a layer pays. */
export function paidBy(
  { values, sources, gpus }: Distance,
  { gpuOf }: Placement,
  sourceQuota: ArrayLike<number>,
): number {
  let sum = 0;
  for (let i = 0; i < sourceQuota.length; i++) {
    const [s, p] = [Math.floor(i / (sourceQuota.length / sources)), i % gpuOf.length];
    sum += sourceQuota[i] * values[s * gpus + gpuOf[p]];
  }
  return sum;
}
