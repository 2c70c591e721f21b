import { ArgumentError, LoadError, ShapeError } from "../common/errors.ts";
import type { Numbers } from "../common/numbers.ts";
import { type FieldsOf, requireKnown } from "../common/objects.ts";
import { requireCount } from "./placement.ts";

export interface RebalanceOptions {
  /** P, physical slots in all; a multiple of gpus and at least E. */
  replicas: number;
  /** Expert groups of equal size that are best kept within a node; 1 by default. */
  groups?: number;
  /** Nodes of equally many GPUs; 1 by default. */
  nodes?: number;
  /** G. */
  gpus: number;
}

const rebalanceFields = {
  ...{ replicas: true, groups: true, nodes: true, gpus: true },
} satisfies FieldsOf<RebalanceOptions>;

/** Where each expert of each layer goes. GPU g holds the slots g P / G to (g + 1) P / G - 1, as in a Placement. */
export interface ExpertMaps {
  /** L rows [P]: the expert in each slot (EPLB's phy2log). */
  physicalToLogical: Int32Array[];
  /** L rows [E, maxReplicas]: each expert's slots in the order its replicas were made, padded with -1 (log2phy). */
  logicalToPhysical: Int32Array[];
  /** L rows [E]: slots per expert (logcnt). */
  replicaCount: Int32Array[];
  /** The largest replica count of all layers, so that their maps have one shape. */
  maxReplicas: number;
}

/**
 * Chooses which experts to replicate and where to put them, from the load each expert is expected to have.
 *
 * Three greedy steps, for each layer by itself: expert groups go to nodes; within a node the expert with the largest load
 * per replica gets the next free slot; within a node the replicas go to GPUs. Where nodes does not divide groups, all GPUs
 * are taken as one node and all experts as one group. It is a heuristic: the placement need not be optimal, and an expert
 * may come to sit twice on one GPU.
 *
 * Everything is computed in float32, as in EPLB, so that near ties fall alike and the maps are the same. Equal loads go in
 * order of their index; EPLB leaves them to an unstable sort, so its map may have other experts of the same load there.
 * Group totals are added in order of index too; EPLB's may differ in the last bit once they need more than 24 bits.
 *
 * @param weight  L rows [E], one per layer: the expected load of each expert, finite and >= 0. Read, never written or kept.
 * @returns maps for `Placement.fromPhysicalToLogical(physicalToLogical[layer], { gpus })`.
 * @throws {ArgumentError} A count is not an integer >= 1.
 * @throws {ShapeError} The rows differ in length, or a count does not divide or exceed another as it should.
 * @throws {LoadError} A weight is negative or not finite, or a layer's total overflows float32.
 * @see DeepSeek EPLB (deepseek-ai/EPLB, MIT, 2025).
 */
export function rebalanceExperts(weight: readonly Numbers[], options: RebalanceOptions): ExpertMaps {
  requireKnown("options", options, rebalanceFields);
  const machine = checkCounts(checkWeight(weight), options);
  const layers = weight.map((row) => rebalanceLayer(Float32Array.from(row), machine));
  const maxReplicas = layers.reduce((most, { replicaCount }) => replicaCount.reduce((a, b) => Math.max(a, b), most), 0);
  return {
    physicalToLogical: layers.map((layer) => layer.physicalToLogical),
    logicalToPhysical: layers.map((layer) => logicalToPhysical(layer, maxReplicas)),
    replicaCount: layers.map((layer) => layer.replicaCount),
    maxReplicas,
  };
}

interface Layer {
  /** [P] */
  physicalToLogical: Int32Array;
  /** [P] which replica of its expert a slot holds, from 0 in the order they were made. */
  replicaRank: Int32Array;
  /** [E] */
  replicaCount: Int32Array;
}

function rebalanceLayer(weight: Float32Array, { replicas, groups, nodes, gpus }: Required<RebalanceOptions>): Layer {
  const experts = weight.length;
  const physicalToLogical = new Int32Array(replicas);
  const replicaRank = new Int32Array(replicas);
  const replicaCount = new Int32Array(experts);

  const groupSize = experts / groups;
  const groupWeight = new Float32Array(groups);
  for (let e = 0; e < experts; e++) groupWeight[Math.floor(e / groupSize)] += weight[e];

  let slot = 0;
  for (const nodeGroups of packBalanced(groupWeight, nodes)) {
    const nodeExperts = nodeGroups.flatMap((group) =>
      Array.from({ length: groupSize }, (_, i) => group * groupSize + i),
    );
    const nodeWeight = Float32Array.from(nodeExperts, (e) => weight[e]);
    const { expert, rank, count, share } = replicate(nodeWeight, replicas / nodes);
    nodeExperts.forEach((e, i) => {
      replicaCount[e] = count[i];
    });

    const replicaWeight = Float32Array.from(expert, (i) => share[i]);
    for (const gpuReplicas of packBalanced(replicaWeight, gpus / nodes)) {
      for (const replica of gpuReplicas) {
        physicalToLogical[slot] = nodeExperts[expert[replica]];
        replicaRank[slot] = rank[replica];
        slot++;
      }
    }
  }
  return { physicalToLogical, replicaRank, replicaCount };
}

/**
 * Deals the items to packs of equally many: the heaviest first, each to the lightest pack that still has room.
 *
 * @returns the items of each pack in the order they came to it.
 */
function packBalanced(weight: Float32Array, packs: number): number[][] {
  const items = [...weight.keys()];
  const perPack = items.length / packs;
  if (perPack === 1) return items.map((item) => [item]); // in order, not by weight: EPLB's convention

  const contents = Array.from({ length: packs }, (): number[] => []);
  const packWeight = new Float32Array(packs);
  items.sort((a, b) => weight[b] - weight[a]); // stable, so equal weights stay in order
  for (const item of items) {
    let lightest = -1;
    for (let pack = 0; pack < packs; pack++) {
      if (contents[pack].length === perPack) continue;
      if (lightest < 0 || packWeight[pack] < packWeight[lightest]) lightest = pack;
    }
    contents[lightest].push(item);
    packWeight[lightest] += weight[item];
  }
  return contents;
}

/**
 * Fills `slots` slots: every expert once, then again and again the expert with the largest load per replica. This makes
 * the largest load per replica as small as it can be.
 *
 * @returns expert, rank [slots]: whose replica it is, and which; count, share [E]: replicas, and load per replica.
 */
function replicate(weight: Float32Array, slots: number) {
  const experts = weight.length;
  const expert = Int32Array.from({ length: slots }, (_, slot) => slot); // the first E stay so
  const rank = new Int32Array(slots);
  const count = new Int32Array(experts).fill(1);
  const share = weight.slice();
  for (let slot = experts; slot < slots; slot++) {
    let busiest = 0;
    for (let e = 1; e < experts; e++) if (share[e] > share[busiest]) busiest = e;
    expert[slot] = busiest;
    rank[slot] = count[busiest]++;
    share[busiest] = weight[busiest] / count[busiest];
  }
  return { expert, rank, count, share };
}

function logicalToPhysical({ physicalToLogical, replicaRank, replicaCount }: Layer, maxReplicas: number): Int32Array {
  const map = new Int32Array(replicaCount.length * maxReplicas).fill(-1);
  physicalToLogical.forEach((expert, slot) => {
    map[expert * maxReplicas + replicaRank[slot]] = slot;
  });
  return map;
}

/** Far enough below the largest float32, 2^128, that no order of rounded additions reaches infinity. */
const MAX_TOTAL = 2 ** 127;

/** Checks every row, and returns E. */
export function checkWeight(weight: readonly Numbers[]): number {
  if (!Array.isArray(weight) || weight.length === 0) {
    throw new ArgumentError("weight", "a non-empty array of rows, one per layer", weight);
  }
  const rows: readonly Numbers[] = weight;
  const experts = rows[0]?.length;
  for (const [layer, row] of rows.entries()) {
    if (!Array.isArray(row) && !ArrayBuffer.isView(row)) {
      throw new ArgumentError(`weight[${layer}]`, "an array or TypedArray, a load per expert", row);
    }
    if (!(row.length > 0)) throw new ShapeError(`weight[${layer}]`, "at least one expert", row.length);
    if (row.length !== experts) {
      throw new ShapeError(`weight[${layer}]`, `E = ${experts} values as in weight[0]`, row.length);
    }
    let total = 0;
    for (let e = 0; e < experts; e++) {
      if (typeof row[e] !== "number" || !(row[e] >= 0 && row[e] < Infinity)) {
        throw new LoadError(`weight[${layer}][${e}]`, "a finite number >= 0", row[e]);
      }
      total += row[e];
    }
    if (!(total <= MAX_TOTAL)) throw new LoadError(`weight[${layer}]`, "a total of at most 2^127", total);
  }
  return experts;
}

/** Checks the counts against each other, and brings EPLB's two modes to one: its global mode is 1 group on 1 node. */
function checkCounts(experts: number, options: RebalanceOptions): Required<RebalanceOptions> {
  if (typeof options !== "object" || options === null) {
    throw new ArgumentError("options", "an object { replicas, groups, nodes, gpus }", options);
  }
  const replicas = requireCount("replicas", options.replicas);
  const groups = requireCount("groups", options.groups ?? 1);
  const nodes = requireCount("nodes", options.nodes ?? 1);
  const gpus = requireCount("gpus", options.gpus);
  if (replicas % gpus !== 0) {
    throw new ShapeError("replicas", `a multiple of gpus = ${gpus}`, replicas, "Every GPU holds equally many slots.");
  }
  if (replicas < experts) throw new ShapeError("replicas", `at least E = ${experts}, a slot per expert`, replicas);
  if (experts % groups !== 0) throw new ShapeError("groups", `a divisor of E = ${experts}`, groups);
  if (gpus % nodes !== 0) throw new ShapeError("gpus", `a multiple of nodes = ${nodes}`, gpus);
  return groups % nodes === 0 ? { replicas, groups, nodes, gpus } : { replicas, groups: 1, nodes: 1, gpus };
}
