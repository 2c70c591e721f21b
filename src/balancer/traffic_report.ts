import { type Distance, OTHER_NODE } from "../placement/distance.ts";
import type { Slots } from "../placement/living_slots.ts";
import { ofLayer } from "../placement/per_layer.ts";

/** Where the assignments of a batch went from their sources. All [L]. */
export interface TrafficReport {
  /** Assignments that stayed on their token's own GPU, */
  ownGpu: Int32Array;
  /** went to another of its node, */
  ownNode: Int32Array;
  /** or to another node. */
  otherNodes: Int32Array;
  /** Different (token, node) pairs: what is sent where a token goes to each node once, however many of its experts are there (DeepEP). */
  tokenNodePairs: Int32Array;
  /** Of these, the pairs with a node to which the token has an assignment that leaves its own. */
  otherNodePairs: Int32Array;
}

export type TrafficTotals = Record<keyof TrafficReport, number>;

/**
 * Counts where physical ids [L, T, k] went; those that are -1 went nowhere.
 *
 * @param sourceOf  of token t.
 */
export function trafficOf(
  { gpus, place, nodeOf }: Distance,
  slots: readonly Slots[],
  layers: number,
  topK: number,
  physicalIds: Int32Array,
  sourceOf: (t: number) => number,
): TrafficReport {
  const report = {
    ...{ ownGpu: new Int32Array(layers), ownNode: new Int32Array(layers), otherNodes: new Int32Array(layers) },
    ...{ tokenNodePairs: new Int32Array(layers), otherNodePairs: new Int32Array(layers) },
  };
  const tokens = physicalIds.length / (layers * topK);
  const nodes = nodeOf.reduce((most, node) => Math.max(most, node + 1), 1);
  const [seen, far] = [new Int32Array(nodes).fill(-1), new Int32Array(nodes).fill(-1)]; // the last token there, and of afar
  const went = [0, 0, 0];
  for (let l = 0, i = 0; l < layers; l++) {
    const { gpuOf } = ofLayer(slots, l);
    went.fill(0);
    let [pairs, farPairs] = [0, 0];
    for (let t = 0; t < tokens; t++) {
      const row = sourceOf(t) * gpus;
      const token = l * tokens + t;
      for (const end = i + topK; i < end; i++) {
        const slot = physicalIds[i];
        if (slot < 0) continue;
        const g = gpuOf[slot];
        const node = nodeOf[g];
        const where = place[row + g];
        went[where]++;
        if (seen[node] !== token) pairs++;
        seen[node] = token;
        if (where !== OTHER_NODE) continue;
        if (far[node] !== token) farPairs++;
        far[node] = token;
      }
    }
    [report.ownGpu[l], report.ownNode[l], report.otherNodes[l]] = went;
    report.tokenNodePairs[l] = pairs;
    report.otherNodePairs[l] = farPairs;
  }
  return report;
}
