/** The oracle of the balancer's tests: recomputes an answer from ids and placements alone, one expert and token at a time. */
import { type Balanced, certify, type Numbers, type Placement, type RankCounts } from "../../src/index.ts";
import { difference, rowOf } from "./arrays.ts";

/** What was asked of `balance`. */
export interface Asked {
  /** One, or one per layer. */
  placements: readonly Placement[];
  layers: number;
  /** [L, T, k] */
  ids: Int32Array | Uint32Array;
  rank?: RankCounts;
}

/** What is wrong with an answer; nothing if it is right. */
export function faults({ placements, layers, ids, rank }: Asked, balanced: Balanced): string[] {
  const { gpus, logicalExperts: E, physicalExperts: P } = placements[0];
  const assignments = ids.length / layers;
  const found: string[] = [];
  for (let l = 0; l < layers; l++) {
    const placement = placements[l % placements.length];
    const expect = (what: string, actual: ArrayLike<number>, expected: ArrayLike<number>) => {
      const wrong = difference(actual, expected);
      if (wrong) found.push(`layer ${l}: ${what}${wrong}`);
    };
    const quota = rowOf(balanced.quota, l, P);
    const counts = rowOf(balanced.counts, l, E);
    const before = Array.from(counts, (_, e) => (rank ? (rank.before as Numbers)[l * E + e] : 0));
    const row = [rowOf(ids, l, assignments), rowOf(balanced.physicalIds, l, assignments)] as const;
    const own = remapped(placement, ...row, quota, before);
    found.push(...own.faults.map((fault) => `layer ${l}: ${fault}`));
    expect("outOfRange", [balanced.outOfRange[l]], [own.outOfRange]);
    expect("counts", counts, rank ? Array.from(counts, (_, e) => (rank.counts as Numbers)[l * E + e]) : own.counts);
    if (!rank) expect("tokens per slot", own.received, quota);

    const served = new Array<number>(E).fill(0);
    quota.forEach((tokens, slot) => {
      served[placement.physicalToLogical[slot]] += tokens;
    });
    expect("quotas of expert ", served, counts);
    const even = loads(placement, evenSplit(placement, counts));
    expect("load before of GPU ", rowOf(balanced.before.gpuLoad, l, gpus), even);
    expect("load after of GPU ", rowOf(balanced.after.gpuLoad, l, gpus), loads(placement, quota));
    expect("max before", [balanced.before.max[l]], [Math.max(...even)]);
    expect("max after", [balanced.after.max[l]], [Math.max(...loads(placement, quota))]);

    const status = balanced.status[l];
    if (status === "skipped") expect("quotas of a skipped layer", quota, evenSplit(placement, counts));
    if (status === "skipped" || status === "late") continue;
    const { problem, solution } = balanced.proof(l);
    expect("counts in the proof", problem.expertLoad, counts);
    expect("quotas in the proof", solution.quota, quota);
    if (problem.placement !== placement) found.push(`layer ${l}: another placement in the proof`);
    const { verdict } = certify(problem, solution)[0];
    if (verdict !== "optimal" || status !== "optimal") found.push(`layer ${l}: ${verdict}, said to be ${status}`);
  }
  return found;
}

/** Follows a layer's ids to their slots: the tokens of an expert fill its slots one after the other, those of earlier ranks first. */
function remapped(
  { logicalExperts, physicalExperts, physicalToLogical }: Placement,
  ids: ArrayLike<number>,
  physicalIds: ArrayLike<number>,
  quota: ArrayLike<number>,
  before: readonly number[],
) {
  const counts = new Array<number>(logicalExperts).fill(0);
  const received = new Array<number>(physicalExperts).fill(0);
  const slots: number[][] = Array.from(counts, () => []);
  physicalToLogical.forEach((e, slot) => {
    slots[e].push(slot);
  });
  const found: string[] = [];
  let outOfRange = 0;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] >= 2 ** 31 ? ids[i] - 2 ** 32 : ids[i];
    let expected = -1;
    if (id >= 0 && id < logicalExperts) expected = slotOf(slots[id], quota, before[id] + counts[id]++);
    else if (id !== -1) outOfRange++;
    if (physicalIds[i] !== expected) found.push(`expert ${id} at ${i} goes to slot ${physicalIds[i]}, not ${expected}`);
    else if (expected >= 0) received[expected]++;
  }
  return { counts, received, outOfRange, faults: found.slice(0, 5) };
}

/** The slot that token `ordinal` of an expert fills; -2 if the quotas of its slots are used up. */
function slotOf(slots: readonly number[], quota: ArrayLike<number>, ordinal: number): number {
  let left = ordinal;
  for (const slot of slots) {
    if (left < quota[slot]) return slot;
    left -= quota[slot];
  }
  return -2;
}

/** Each expert's tokens over its slots, whole, in the order of the slots. */
export function evenSplit(placement: Placement, counts: ArrayLike<number>): number[] {
  const { replicaCount, physicalToLogical } = placement;
  const passed = new Array<number>(placement.logicalExperts).fill(0);
  return Array.from(physicalToLogical, (e) => {
    const i = passed[e]++;
    return Math.floor((counts[e] * (i + 1)) / replicaCount[e]) - Math.floor((counts[e] * i) / replicaCount[e]);
  });
}

/** Tokens per GPU. */
export function loads({ gpus, gpuOf }: Placement, quota: ArrayLike<number>): number[] {
  const load = new Array<number>(gpus).fill(0);
  gpuOf.forEach((g, slot) => {
    load[g] += quota[slot];
  });
  return load;
}
