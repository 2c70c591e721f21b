/** The oracle of balanced batches while some GPUs are dead: what the caller may rely on, recomputed id by id and slot by slot. */
import { type Balanced, certify, type Placement } from "../../src/index.ts";
import { rowOf } from "./arrays.ts";
import { optimaOf, survivorsOf } from "./survivors.ts";

export interface AskedOfSome {
  placements: readonly Placement[];
  layers: number;
  ids: Int32Array | Uint32Array;
  active: readonly boolean[];
  speed?: readonly number[];
  /** [L][G], of dead GPUs whatever it is. */
  baseLoad?: readonly (readonly number[])[];
}

/** What is wrong with an answer to one rank's ids, late ones included. */
export async function livingFaults(asked: AskedOfSome, balanced: Balanced): Promise<string[]> {
  const { placements, layers, active, speed, baseLoad } = asked;
  const { logicalExperts: E, physicalExperts: P } = placements[0];
  const found: string[] = [];
  for (let l = 0; l < layers; l++) {
    const expect: Expect = (what, actual, expected) => {
      if (String(actual) !== String(expected)) found.push(`layer ${l}: ${what} ${actual}, not ${expected}`);
    };
    const placement = placements[l % placements.length];
    const { received, counts, lost, unserved, outOfRange, astray } = followed(asked, balanced, l);
    found.push(...astray.map((id) => `layer ${l}: ${id}`));
    const quota = rowOf(balanced.quota, l, P);
    expect("quotas", [...quota], received);
    expect("counts", [...rowOf(balanced.counts, l, E)], counts);
    expect("lost", balanced.lost[l], lost);
    expect("unserved", balanced.unserved[l], unserved);
    expect("outOfRange", balanced.outOfRange[l], outOfRange);
    expectImbalance(expect, asked, balanced, l, received);
    expect("shares", shareFaults(placement, lost, counts, quota, rowsOfShares(balanced, l, placements)), "");

    const { problem, solution } = balanced.proof(l);
    const { verdict, valid } = certify(problem, solution)[0];
    if (!valid) found.push(`layer ${l}: not certified`);
    if (balanced.status[l] === "late" || balanced.status[l] === "skipped") continue;
    const whole = {
      ...{ placement, active, expertLoad: counts, ...(speed && { speed }) },
      ...(baseLoad && { baseLoad: baseLoad[l] }),
    };
    const [optimum] = await optimaOf(survivorsOf(whole), whole);
    expect("verdict and max load", [verdict, solution.maxLoad[0]], ["optimal", optimum]);
  }
  return found;
}

type Expect = (what: string, actual: unknown, expected: unknown) => void;

/**
 * The ids of layer `l`, followed to their slots.
 *
 * @returns received  [P] tokens that came to each slot.
 * @returns astray  in words, the ids that went where they should not.
 */
function followed({ placements, layers, ids, active }: AskedOfSome, balanced: Balanced, l: number) {
  const { logicalExperts: E, physicalExperts: P } = placements[0];
  const { physicalToLogical, gpuOf } = placements[l % placements.length];
  const assignments = ids.length / layers;
  const lives = (slot: number) => physicalToLogical[slot] >= 0 && active[gpuOf[slot]];
  const lost = [...Array(E).keys()].filter((e) => !physicalToLogical.some((held, slot) => held === e && lives(slot)));
  const [row, slots] = [rowOf(ids, l, assignments), rowOf(balanced.physicalIds, l, assignments)];
  const received = new Array<number>(P).fill(0);
  const counts = new Array<number>(E).fill(0);
  const astray: string[] = [];
  let [unserved, outOfRange] = [0, 0];
  for (let i = 0; i < assignments; i++) {
    const id = row[i] | 0;
    const expert = id >= 0 && id < E;
    if (expert) counts[id]++;
    if (!expert && id !== -1) outOfRange++;
    if (lost.includes(id)) unserved++;
    const served = expert && !lost.includes(id);
    const right = served ? physicalToLogical[slots[i]] === id && lives(slots[i]) : slots[i] === -1;
    if (!right) astray.push(`id ${id} at ${i} goes to slot ${slots[i]}`);
    else if (served) received[slots[i]]++;
  }
  return { received, counts, lost, unserved, outOfRange, astray };
}

/** Reports of the loads that the slots received, and of the even split before, of which less can be told. */
function expectImbalance(
  expect: Expect,
  { placements, active, baseLoad }: AskedOfSome,
  { before, after }: Balanced,
  l: number,
  received: readonly number[],
): void {
  const { gpus, gpuOf } = placements[l % placements.length];
  const alive = [...Array(gpus).keys()].filter((g) => active[g]);
  const load = alive.map((g) =>
    received.reduce((sum, tokens, slot) => sum + (gpuOf[slot] === g ? tokens : 0), baseLoad?.[l][g] ?? 0),
  );
  const total = load.reduce((a, b) => a + b);
  const [max, mean] = [Math.max(...load), total / alive.length];
  const all = new Array<number>(gpus).fill(0);
  for (const [i, g] of alive.entries()) all[g] = load[i];
  expect("loads", [...rowOf(after.gpuLoad, l, gpus)], all);
  const hottest = alive[load.indexOf(max)];
  expect("max, mean, hottest", [after.max[l], after.mean[l], after.hottestGpu[l]], [max, mean, hottest]);
  const idle = load.reduce((sum, tokens) => sum + max - tokens, 0);
  expect("idle tokens", after.idleTokens[l], idle);
  if (mean > 0) expect("imbalance is right", Math.abs((after.imbalance[l] * mean) / max - 1) <= 1e-6, true);
  const evenly = rowOf(before.gpuLoad, l, gpus);
  for (const [g, tokens] of evenly.entries()) if (!active[g]) expect("before", tokens, 0);
  const served = evenly.reduce((a, b) => a + b);
  expect("tokens before", served, total);
}

function rowsOfShares(balanced: Balanced, layer: number, placements: readonly Placement[]): number[][] {
  const width = Math.max(...placements.map(({ maxReplicas }) => maxReplicas));
  const { logicalExperts } = placements[0];
  const all = balanced.shares();
  return Array.from({ length: logicalExperts }, (_, e) => [
    ...all.subarray((layer * logicalExperts + e) * width, (layer * logicalExperts + e + 1) * width),
  ]);
}

/** Shares are quotas over tokens, column by column of the caller's own map from experts to slots; nothing for the lost. */
function shareFaults(
  { logicalToPhysical, maxReplicas }: Placement,
  lost: readonly number[],
  counts: readonly number[],
  quota: Int32Array,
  shares: readonly number[][],
): string {
  return shares
    .flatMap((row, e) =>
      row.map((share, i) => {
        const slot = i < maxReplicas ? logicalToPhysical[e * maxReplicas + i] : -1;
        if (slot < 0 || lost.includes(e)) return share === 0 ? "" : `expert ${e}, column ${i}: ${share}`;
        if (counts[e] === 0) return "";
        return Math.abs(share - quota[slot] / counts[e]) < 1e-6 ? "" : `expert ${e}, slot ${slot}: ${share}`;
      }),
    )
    .join("");
}
