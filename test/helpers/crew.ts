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
}

/** What is wrong with an answer to one rank's ids, late ones included. */
export async function livingFaults(asked: AskedOfSome, balanced: Balanced): Promise<string[]> {
  const { placements, layers, ids, active, speed } = asked;
  const { gpus, logicalExperts: E, physicalExperts: P } = placements[0];
  const assignments = ids.length / layers;
  const alive = [...Array(gpus).keys()].filter((g) => active[g]);
  const found: string[] = [];
  for (let l = 0; l < layers; l++) {
    const expect = (what: string, actual: unknown, expected: unknown) => {
      if (String(actual) !== String(expected)) found.push(`layer ${l}: ${what} ${actual}, not ${expected}`);
    };
    const placement = placements[l % placements.length];
    const { physicalToLogical, gpuOf } = placement;
    const lives = (slot: number) => physicalToLogical[slot] >= 0 && active[gpuOf[slot]];
    const lost = [...Array(E).keys()].filter((e) => !physicalToLogical.some((held, slot) => held === e && lives(slot)));
    const [row, slots] = [rowOf(ids, l, assignments), rowOf(balanced.physicalIds, l, assignments)];
    const received = new Array<number>(P).fill(0);
    const counts = new Array<number>(E).fill(0);
    let [unserved, outOfRange] = [0, 0];
    for (let i = 0; i < assignments; i++) {
      const id = row[i] | 0;
      const expert = id >= 0 && id < E;
      if (expert) counts[id]++;
      if (!expert && id !== -1) outOfRange++;
      if (lost.includes(id)) unserved++;
      const served = expert && !lost.includes(id);
      const right = served ? physicalToLogical[slots[i]] === id && lives(slots[i]) : slots[i] === -1;
      if (!right) found.push(`layer ${l}: id ${id} at ${i} goes to slot ${slots[i]}`);
      else if (served) received[slots[i]]++;
    }
    const quota = rowOf(balanced.quota, l, P);
    expect("quotas", [...quota], received);
    expect("counts", [...rowOf(balanced.counts, l, E)], counts);
    expect("lost", balanced.lost[l], lost);
    expect("unserved", balanced.unserved[l], unserved);
    expect("outOfRange", balanced.outOfRange[l], outOfRange);
    const load = alive.map((g) => received.reduce((sum, tokens, slot) => sum + (gpuOf[slot] === g ? tokens : 0), 0));
    const [max, mean] = [Math.max(...load), load.reduce((a, b) => a + b) / alive.length];
    const all = new Array<number>(gpus).fill(0);
    for (const [i, g] of alive.entries()) all[g] = load[i];
    const { after, before } = balanced;
    expect("loads", [...rowOf(after.gpuLoad, l, gpus)], all);
    expect(
      "max, mean, hottest",
      [after.max[l], after.mean[l], after.hottestGpu[l]],
      [max, mean, alive[load.indexOf(max)]],
    );
    expect(
      "idle tokens",
      after.idleTokens[l],
      load.reduce((sum, tokens) => sum + max - tokens, 0),
    );
    if (mean > 0 && Math.abs((after.imbalance[l] * mean) / max - 1) > 1e-6) found.push(`layer ${l}: imbalance`);
    for (const [g, tokens] of rowOf(before.gpuLoad, l, gpus).entries()) if (!active[g]) expect("before", tokens, 0);
    expect(
      "tokens before",
      rowOf(before.gpuLoad, l, gpus).reduce((a, b) => a + b),
      load.reduce((a, b) => a + b),
    );
    expect("shares", shareFaults(placement, lost, counts, quota, rowsOfShares(balanced, l, placements)), "");

    const { problem, solution } = balanced.proof(l);
    const { verdict, valid } = certify(problem, solution)[0];
    if (!valid) found.push(`layer ${l}: not certified`);
    if (balanced.status[l] === "late" || balanced.status[l] === "skipped") continue;
    const whole = { placement, active, expertLoad: counts, ...(speed && { speed }) };
    const [optimum] = await optimaOf(survivorsOf(whole), whole);
    expect("verdict and max load", [verdict, solution.maxLoad[0]], ["optimal", optimum]);
  }
  return found;
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
