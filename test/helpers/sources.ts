/** Batches whose tokens have sources, and what is wrong with how they were balanced. */
import { type Balanced, certify, type Placement } from "../../src/index.ts";

/** What a balancer with distances was asked. */
export interface Sourced {
  placements: readonly Placement[];
  topK: number;
  /** [L, T, k] */
  ids: Int32Array;
  /** [S][G] */
  distance: number[][];
  /** Of token t. */
  sourceOf: (t: number) => number;
  /** Whether all of the tokens are here: else they are one rank's. */
  whole: boolean;
}

/** Token by token and slot by slot, of all layers: empty if all is as it should be. */
export function sourceFaults(
  { placements, topK, ids, distance, sourceOf, whole }: Sourced,
  balanced: Balanced,
): string[] {
  const faults: string[] = [];
  const { physicalIds, quota, sourceQuota, traffic, trafficBound, status, after } = balanced;
  const layers = status.length;
  const tokens = ids.length / (layers * topK);
  const slots = quota.length / layers;
  const sources = distance.length;
  for (let l = 0; l < layers; l++) {
    const { gpuOf, physicalToLogical } = placements[l % placements.length];
    const filled = Array.from({ length: sources }, () => new Int32Array(slots));
    const went = [0, 0, 0];
    const nodes = new Set<string>();
    for (let i = 0; i < tokens * topK; i++) {
      const at = l * tokens * topK + i;
      if (physicalIds[at] < 0) continue;
      const [s, g] = [sourceOf(Math.floor(i / topK)), gpuOf[physicalIds[at]]];
      if (physicalToLogical[physicalIds[at]] !== ids[at])
        faults.push(`layer ${l}: assignment ${i} went to another expert`);
      filled[s][physicalIds[at]]++;
      went[distance[s][g] === 0 ? 0 : distance[s][g] <= 1 ? 1 : 2]++;
      nodes.add(`${Math.floor(i / topK)} ${nearOf(distance, g)}`);
    }
    let paid = 0;
    for (let p = 0; p < slots; p++) {
      let sum = 0;
      for (let s = 0; s < sources; s++) {
        const due = sourceQuota![(l * sources + s) * slots + p];
        sum += due;
        paid += due * distance[s][gpuOf[p]];
        const here = whole || filled[s].some((x) => x > 0);
        if (here && filled[s][p] !== due)
          faults.push(`layer ${l}: slot ${p} has ${filled[s][p]} tokens of source ${s}, not ${due}`);
      }
      if (sum !== quota[l * slots + p]) faults.push(`layer ${l}: the sources' quotas of slot ${p} add up to ${sum}`);
    }
    if (Math.abs(paid - traffic![l]) > 1e-9 * paid) faults.push(`layer ${l}: traffic is ${paid}, not ${traffic![l]}`);
    if (trafficBound![l] > traffic![l]) faults.push(`layer ${l}: traffic is below its bound`);
    const told = [after.traffic!.ownGpu[l], after.traffic!.ownNode[l], after.traffic!.otherNodes[l]];
    if (String(told) !== String(went)) faults.push(`layer ${l}: ${went} assignments went near and far, not ${told}`);
    if (after.traffic!.tokenNodePairs[l] !== nodes.size) faults.push(`layer ${l}: ${nodes.size} pairs`);
    const { problem, solution } = balanced.proof(l);
    const { valid, verdict } = certify(problem, solution)[0];
    if (!valid || (status[l] === "optimal" && verdict !== "optimal")) faults.push(`layer ${l}: ${verdict}`);
  }
  return faults;
}

/** A name for the node of GPU g: all GPUs that can be reached by steps of at most 1. */
function nearOf(distance: number[][], g: number): string {
  const near = new Set([g]);
  for (let size = 0; size < near.size; ) {
    size = near.size;
    for (const row of distance) {
      const own = row.flatMap((far, h) => (far <= 1 ? [h] : []));
      if (own.some((h) => near.has(h))) for (const h of own) near.add(h);
    }
  }
  return [...near].sort((a, b) => a - b).join(",");
}

/** [S][G] of equal nodes: 0 to oneself, 1 within a node, 9 beyond. */
export function distancesOf(gpus: number, nodes: number): number[][] {
  const node = (g: number) => Math.floor((g * nodes) / gpus);
  return Array.from({ length: gpus }, (_, s) =>
    Array.from({ length: gpus }, (__, g) => (s === g ? 0 : node(s) === node(g) ? 1 : 9)),
  );
}
