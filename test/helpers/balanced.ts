/** The oracle of the balancer's tests: recomputes an answer from ids and placements alone, one expert and token at a time. */
import { type Balanced, certify, type Placement, type RankCounts } from "../../src/index.ts";
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
    const own = remapped(placement, rowOf(ids, l, assignments), rowOf(balanced.physicalIds, l, assignments));
    found.push(...own.faults.map((fault) => `layer ${l}: ${fault}`));
    expect("outOfRange", [balanced.outOfRange[l]], [own.outOfRange]);
    expect("counts", counts, rank ? Array.from(counts, (_, e) => rank.counts[l * E + e]) : own.counts);
    if (!rank) expect("tokens per slot", own.received, quota);

    const served = new Array<number>(E).fill(0);
    quota.forEach((tokens, slot) => {
      served[placement.physicalToLogical[slot]] += tokens;
    });
    expect("quotas of expert ", served, counts);
    const before = loads(placement, evenSplit(placement, counts));
    expect("load before of GPU ", rowOf(balanced.before.gpuLoad, l, gpus), before);
    expect("load after of GPU ", rowOf(balanced.after.gpuLoad, l, gpus), loads(placement, quota));
    expect("max before", [balanced.before.max[l]], [Math.max(...before)]);
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

/** Follows a layer's ids to their slots. */
function remapped(
  { logicalExperts, physicalExperts, physicalToLogical }: Placement,
  ids: ArrayLike<number>,
  physicalIds: ArrayLike<number>,
) {
  const counts = new Array<number>(logicalExperts).fill(0);
  const received = new Array<number>(physicalExperts).fill(0);
  const latest = new Array<number>(logicalExperts).fill(-1); // the slot of the expert's token before
  const found: string[] = [];
  let outOfRange = 0;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] >= 2 ** 31 ? ids[i] - 2 ** 32 : ids[i];
    const slot = physicalIds[i];
    if (id < 0 || id >= logicalExperts) {
      if (id !== -1) outOfRange++;
      if (slot !== -1) found.push(`id ${id} at ${i} goes to slot ${slot}`);
      continue;
    }
    counts[id]++;
    if (physicalToLogical[slot] !== id) found.push(`expert ${id} at ${i} goes to slot ${slot}`);
    else received[slot]++;
    if (slot < latest[id]) found.push(`expert ${id} at ${i} goes to slot ${slot} after slot ${latest[id]}`);
    latest[id] = slot;
  }
  return { counts, received, outOfRange, faults: found.slice(0, 5) };
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
