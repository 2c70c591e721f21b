/** Several ranks, each with its own balancer and its own tokens, that exchange nothing but counts. */
import { describe, expect, test } from "vitest";
import { type Balanced, type Balancer, createBalancer, requestDevice } from "../../src/index.ts";
import { difference, rowOf } from "../helpers/arrays.ts";
import { shared, sharedFaults, sharedIds } from "../helpers/batches.ts";

const RANKS = 8;
const [L, E, P] = [3, 32, shared.placement[0].physicalExperts];
const { device } = await requestDevice();

/** What a rank learns from an exchange of counts: the sum over all ranks, and over the ranks before it. */
function exchange(all: readonly Int32Array[]) {
  const counts = new Int32Array(L * E);
  const before = all.map((own) => {
    const sum = counts.slice();
    own.forEach((tokens, i) => {
      counts[i] += tokens;
    });
    return sum;
  });
  return before.map((sum) => ({ counts, before: sum }));
}

/** Tokens that each slot of a layer received from all ranks. */
function received(answers: readonly Balanced[], layer: number): number[] {
  const tokens = new Array<number>(P).fill(0);
  for (const { physicalIds } of answers) {
    for (const slot of rowOf(physicalIds, layer, physicalIds.length / L)) if (slot >= 0) tokens[slot]++;
  }
  return tokens;
}

describe.each(["webgpu", "cpu"] as const)("8 ranks on %s", (backend) => {
  test.each([
    ["", {}],
    [", skipping", { skipBelow: 1.2 }],
    [", late", { late: true }],
  ])("meet the same quotas together, in order of rank and position%s", async (_, mode) => {
    const balancers: Balancer[] = [];
    for (let r = 0; r < RANKS; r++) {
      balancers.push(await createBalancer({ ...shared, ...mode, backend, device }));
    }
    for (const seed of [211, 221, 231]) {
      const ids = Array.from({ length: RANKS }, (_, r) => sharedIds(seed + r, [300, 0, 17, 150, 1, 299, 64, 8][r]));
      const ranks = exchange(balancers.map((balancer, r) => balancer.count(ids[r])));
      const answers: Balanced[] = [];
      for (const [r, balancer] of balancers.entries()) answers.push(await balancer.balance(ids[r], ranks[r]));
      for (const [r, balanced] of answers.entries()) {
        expect(sharedFaults(ids[r], balanced, ranks[r]), `seed ${seed}, rank ${r}`).toEqual([]);
        expect(difference(balanced.quota, answers[0].quota), `quotas of rank ${r}`).toBeUndefined();
        expect(balanced.status).toEqual(answers[0].status);
      }
      for (let l = 0; l < L; l++) {
        expect(difference(received(answers, l), rowOf(answers[0].quota, l, P)), `layer ${l}`).toBeUndefined();
      }
      // One rank with all the tokens, in order of rank, would send them to the same slots.
      const together = await alone(ids, mode, backend, seed === 211);
      if (together) expect(answers.map(({ physicalIds }) => [...physicalIds])).toEqual(together);
    }
    for (const balancer of balancers) balancer.destroy();
  });
});

/** The ranks' slots if one balancer has all their tokens. Of a late balancer only the first batch is comparable. */
async function alone(ids: Int32Array[], mode: object, backend: "webgpu" | "cpu", first: boolean) {
  if ("late" in mode && !first) return undefined;
  const tokens = ids.reduce((sum, own) => sum + own.length / L, 0) / shared.topK;
  const all = new Int32Array(L * tokens * shared.topK);
  const starts: number[] = [];
  let filled = 0;
  for (const own of ids) {
    starts.push(filled);
    for (let l = 0; l < L; l++) all.set(rowOf(own, l, own.length / L), l * tokens * shared.topK + filled);
    filled += own.length / L;
  }
  const balancer = await createBalancer({ ...shared, ...mode, maxTokens: tokens, backend, device });
  const { physicalIds } = await balancer.balance(all);
  balancer.destroy();
  return ids.map((own, r) =>
    Array.from({ length: L }, (_, l) => {
      const start = l * tokens * shared.topK + starts[r];
      return [...physicalIds.subarray(start, start + own.length / L)];
    }).flat(),
  );
}

test("a rank that is told less than it has itself, or not whole counts, refuses before any work", async () => {
  const balancer = await createBalancer({ ...shared, backend: "cpu" });
  const ids = sharedIds(241);
  const own = balancer.count(ids);
  const none = new Int32Array(L * E);
  const busy = own.indexOf(Math.max(...own));
  const less = own.map((tokens, i) => (i === busy ? tokens - 1 : tokens));
  const one = (value: number) => Array.from(own, (tokens, i) => (i === busy ? value : tokens));
  const most = 2 ** 31 - 1;
  const cases: [counts: ArrayLike<number>, before: ArrayLike<number>, message: string][] = [
    [less, none, `rank.counts[${busy}]: expected at least rank.before + this rank's own = 0 + ${own[busy]}`],
    [own, none.map(() => 1), "rank.counts[0]: expected at least rank.before + this rank's own = 1 + "],
    [one(-1), none, `rank.counts[${busy}]: expected an integer from 0 to ${most}, got -1.`],
    [one(own[busy] + 0.5), none, `rank.counts[${busy}]: expected an integer from 0 to ${most}`],
    [one(Number.NaN), none, `rank.counts[${busy}]: expected an integer from 0 to ${most}, got NaN.`],
    [one(2 ** 31), none, `rank.counts[${busy}]: expected an integer from 0 to ${most}, got ${2 ** 31}.`],
    [one(most), none, `rank.counts: expected a total of at most ${most} in layer ${Math.floor(busy / E)}`],
    [own.subarray(1), none, "rank.counts: expected L * E = 3 * 32 = 96 values, got 95."],
    [own, [], "rank.before: expected L * E = 3 * 32 = 96 values, got 0."],
    [own, undefined as never, "rank.before: expected an array or TypedArray of numbers, got undefined."],
  ];
  for (let layer = 0; layer < L; layer++) {
    for (const i of [layer * E, (layer + 1) * E - 1]) {
      const before = none.with(i, 1);
      const least = `at least rank.before + this rank's own = 1 + ${own[i]}, got ${own[i]}.`;
      cases.push([own, before, `rank.counts[${i}]: expected ${least}`]);
      const total = own.subarray(layer * E, (layer + 1) * E).reduce((a, b) => a + b);
      const full = Array.from(own).with(i, own[i] + most - total); // as many as there may be, and then one more
      await expect(balancer.balance(ids, { counts: full, before: none })).resolves.toBeDefined();
      const over = full.with(i, full[i] + 1);
      cases.push([over, none, `a total of at most ${most} in layer ${layer}, got ${2 ** 31}.`]);
    }
  }
  const { batches } = balancer.metrics();
  for (const [counts, before, message] of cases) {
    await expect(balancer.balance(ids, { counts, before })).rejects.toThrow(message);
  }
  // No rank is undefined, and nothing else: a rank that is taken for alone would not meet the others' quotas.
  for (const nobody of [null, false, 0, ""]) {
    await expect(balancer.balance(ids, nobody as never)).rejects.toThrow(/^rank: expected an object, got /);
  }
  expect(balancer.metrics().batches).toBe(batches);
});
