/** Balancers that know where tokens are: balanced as without, at the least traffic. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { createBalancer, requestDevice } from "../../src/index.ts";
import { difference } from "../helpers/arrays.ts";
import { shared, sharedIds } from "../helpers/batches.ts";
import { randomSpeeds } from "../helpers/instances.ts";
import { distancesOf, sourceFaults } from "../helpers/sources.ts";

const { device } = await requestDevice();
const [L, E, G] = [3, 32, 8];
const { placement: placements, topK } = shared;
const random = seeded(2100);
const inNodes = distancesOf(G, 2);
const anyWhole = Array.from({ length: 5 }, () => Array.from({ length: G }, () => random.below(30)));
const dealt = (T: number, S: number) => (t: number) => Math.floor((t * S) / T);
const baseLoad = Array.from({ length: L }, () => Array.from({ length: G }, () => random.below(60)));

describe.each(["webgpu", "cpu"] as const)("on %s", (backend) => {
  const options = { ...shared, backend, device };

  test.each([
    ["of two nodes", { nodes: 2 }, inNodes],
    ["of a matrix with fewer sources", { distance: anyWhole }, anyWhole],
    ["at unequal speeds", { nodes: 2, speed: randomSpeeds(seeded(2101), G) }, inNodes],
    ["with base loads", { nodes: 2, baseLoad }, inNodes],
    ["skipping layers", { nodes: 2, skipBelow: 1.3 }, inNodes],
    ["late", { nodes: 2, late: true }, inNodes],
  ])("as balanced as without distances, nobody further than must be: %s", async (_, extra, distance) => {
    const { nodes, distance: matrix, ...same } = { nodes: undefined, distance: undefined, ...extra };
    const near = await createBalancer({ ...options, ...same, nodes, distance: matrix });
    const blind = await createBalancer({ ...options, ...same });
    let [paid, blindly] = [0, 0];
    for (let seed = 2110; seed < 2116; seed++) {
      const ids = sharedIds(seed);
      const [balanced, other] = [await near.balance(ids), await blind.balance(ids)];
      const sourceOf = dealt(ids.length / (L * topK), distance.length);
      const asked = { placements, topK, ids, distance, sourceOf, whole: true };
      expect(sourceFaults(asked, balanced), `seed ${seed}`).toEqual([]);
      expect(balanced.status).toEqual(other.status);
      expect(balanced.before.imbalance).toEqual(other.before.imbalance);
      if (!("late" in same)) {
        const [proof, plain] = [0, 1, 2].map((l) => [balanced.proof(l), other.proof(l)])[seed % 3];
        expect(proof.solution.maxLoad).toEqual(plain.solution.maxLoad);
      }
      for (let l = 0; l < L; l++) {
        if (balanced.status[l] === "optimal") expect(balanced.traffic![l]).toBe(balanced.trafficBound![l]);
        paid += balanced.traffic![l];
        blindly += away(distance, sourceOf, other.physicalIds, l);
      }
    }
    expect(paid).toBeLessThan(blindly);
    for (const one of [near, blind]) one.destroy();
  });

  /** What a layer's assignments pay. */
  function away(distance: number[][], sourceOf: (t: number) => number, physicalIds: Int32Array, l: number): number {
    const N = physicalIds.length / L;
    let sum = 0;
    for (let i = 0; i < N; i++) {
      const slot = physicalIds[l * N + i];
      if (slot >= 0) sum += distance[sourceOf(Math.floor(i / topK))][placements[l].gpuOf[slot]];
    }
    return sum;
  }

  test("ranks that know the counts of each do as one that has all tokens", async () => {
    const balancer = await createBalancer({ ...options, nodes: 2 });
    const ids = sharedIds(2120);
    const T = ids.length / (L * topK);
    const firsts = Array.from({ length: G + 1 }, (_, s) => Math.ceil((s * T) / G));
    const own = Array.from({ length: G }, (_, s) =>
      Int32Array.from({ length: L * (firsts[s + 1] - firsts[s]) * topK }, (__, i) => {
        const width = (firsts[s + 1] - firsts[s]) * topK;
        return ids[(Math.floor(i / width) * T + firsts[s]) * topK + (i % width)];
      }),
    );
    const bySource = Array.from({ length: L }, (_, l) =>
      own.map((rank) => [...balancer.count(rank).subarray(l * E, (l + 1) * E)]),
    );
    const all = await balancer.balance(ids);
    for (const [rank, mine] of own.entries()) {
      const balanced = await balancer.balance(mine, { rank, bySource });
      for (const part of ["quota", "sourceQuota", "traffic", "trafficBound", "counts"] as const) {
        expect(balanced[part], part).toEqual(all[part]);
      }
      const asked = { placements, topK, ids: mine, distance: inNodes, sourceOf: () => rank, whole: false };
      expect(sourceFaults(asked, balanced), `rank ${rank}`).toEqual([]);
      const N = mine.length / L;
      for (let i = 0; i < mine.length; i++) {
        const there = (Math.floor(i / N) * T + firsts[rank]) * topK + (i % N);
        if (balanced.physicalIds[i] !== all.physicalIds[there]) throw new Error(`rank ${rank}: assignment ${i}`);
      }
    }
    balancer.destroy();
  });

  test.each([
    ["one node", { nodes: 1 }],
    ["equal distances", { distance: [new Array<number>(G).fill(3), new Array<number>(G).fill(7)] }],
  ])("%s: bit for bit as without distances", async (_, extra) => {
    for (const more of [{}, { skipBelow: 1.3 }, { late: true }, { speed: randomSpeeds(seeded(2130), G) }]) {
      const [near, blind] = [
        await createBalancer({ ...options, ...more, ...extra }),
        await createBalancer({ ...options, ...more }),
      ];
      for (let seed = 2131; seed < 2134; seed++) {
        const ids = sharedIds(seed);
        const [a, b] = [await near.balance(ids), await blind.balance(ids)];
        for (const part of ["physicalIds", "quota", "counts", "status", "unserved", "outOfRange"] as const) {
          expect(difference(a[part] as Int32Array, b[part] as Int32Array), part).toBeUndefined();
        }
        expect({ ...a.after, traffic: undefined }).toEqual({ ...b.after, traffic: undefined });
        expect(a.shares()).toEqual(b.shares());
      }
      for (const one of [near, blind]) one.destroy();
    }
  });

  test("GPUs die and come back", async () => {
    const balancer = await createBalancer({ ...options, nodes: 2 });
    const other = await createBalancer({ ...options, nodes: 2 });
    const ids = sharedIds(2140);
    const sourceOf = dealt(ids.length / (L * topK), G);
    const asked = { placements, topK, ids, distance: inNodes, sourceOf, whole: true };
    for (const dead of [[3], [3, 6], []]) {
      await balancer.setActive(Array.from({ length: G }, (_, g) => !dead.includes(g)));
      const balanced = await balancer.balance(ids);
      expect(sourceFaults(asked, balanced)).toEqual([]);
      expect(balanced.traffic).toEqual(balanced.trafficBound);
      for (const slot of balanced.physicalIds) if (slot >= 0) expect(dead).not.toContain(placements[0].gpuOf[slot]);
    }
    expect((await balancer.balance(ids)).physicalIds).toEqual((await other.balance(ids)).physicalIds);
    for (const one of [balancer, other]) one.destroy();
  });

  test("metrics add up where assignments went, before and after", async () => {
    const balancer = await createBalancer({ ...options, nodes: 2 });
    expect(balancer.metrics()).toMatchObject({ trafficBefore: undefined, trafficAfter: undefined });
    const totals = { ownGpu: 0, ownNode: 0, otherNodes: 0, tokenNodePairs: 0, otherNodePairs: 0 };
    const before = { ...totals };
    for (const seed of [2150, 2151]) {
      const balanced = await balancer.balance(sharedIds(seed));
      for (const name of Object.keys(totals) as (keyof typeof totals)[]) {
        for (let l = 0; l < L; l++) {
          totals[name] += balanced.after.traffic![name][l];
          before[name] += balanced.before.traffic![name][l];
        }
      }
    }
    expect(balancer.metrics()).toMatchObject({ trafficBefore: before, trafficAfter: totals });
    expect(totals.ownGpu + totals.ownNode + totals.otherNodes).toBe(before.ownGpu + before.ownNode + before.otherNodes);
    expect(totals.otherNodes).toBeGreaterThan(0);
    balancer.destroy();
  });
});

describe("what is not as it should be is told before anything is computed", () => {
  const balancerOf = (extra: object) => createBalancer({ ...shared, backend: "cpu", ...extra });
  const row = new Array<number>(G).fill(1);

  test.each([
    ["both", { nodes: 2, distance: [row] }, /^nodes: expected either distance or nodes, got "both"/],
    ["nodes that do not divide", { nodes: 3 }, /^nodes: expected an integer >= 1 that divides gpus = 8, got 3/],
    [
      "a negative distance",
      { distance: [row, [...row.slice(1), -1]] },
      /^distance\[1\]\[7\]: expected a number from 0 to/,
    ],
    ["no number", { distance: [[...row.slice(1), Number.NaN]] }, /^distance\[0\]\[7\]: .* got NaN/],
    ["ragged rows", { distance: [row, row.slice(1)] }, /^distance\[1\]: expected gpus = 8 values, got 7/],
    [
      "no whole rows",
      { distance: row.slice(1) },
      /^distance: expected S \* gpus values with gpus = 8 and S >= 1, got 7/,
    ],
    [
      "a cost",
      { nodes: 2, cost: { model: "affine", perExpert: 1, perToken: 1 } },
      /^cost: expected none with distances/,
    ],
  ])("%s", async (_, extra, message) => {
    await expect(balancerOf(extra)).rejects.toThrow(message);
  });

  test("ranks", async () => {
    const [near, blind] = [await balancerOf({ nodes: 2 }), await balancerOf({})];
    const ids = sharedIds(2160);
    const own = near.count(ids);
    const counts = new Int32Array(L * G * E);
    for (let l = 0; l < L; l++) counts.set(own.subarray(l * E, (l + 1) * E), (l * G + 2) * E);
    const said = (balancer: typeof near, rank: object) => balancer.balance(ids, rank).then(() => "", String);
    expect(await said(near, { counts: own, before: own.map(() => 0) })).toMatch(
      /rank\.rank: expected both rank and bySource/,
    );
    expect(await said(near, { rank: 2 })).toMatch(/rank\.bySource: expected both rank and bySource/);
    expect(await said(near, { rank: 8, bySource: counts })).toMatch(/rank\.rank: .* from 0 to S - 1 = 7, .* got 8/);
    expect(await said(near, { rank: 1, bySource: counts })).toMatch(
      /rank\.bySource\[\d+\]: expected this rank's own count/,
    );
    expect(await said(near, { rank: 2, bySource: counts.slice(1) })).toMatch(
      /L \* S \* E = 3 \* 8 \* 32 = 768 values, got 767/,
    );
    const more = own.map((count) => count + 1);
    expect(await said(near, { rank: 2, bySource: counts, counts: more })).toMatch(
      /rank\.counts\[0\]: expected what bySource adds/,
    );
    expect(await said(near, { rank: 2, bySource: counts, before: more })).toMatch(
      /rank\.before\[0\]: expected what bySource adds/,
    );
    expect(await said(blind, { rank: 2, bySource: counts })).toMatch(/rank\.rank: expected none without distances/);
    expect(await said(near, { rank: 2, bySource: counts, counts: own, before: own.map(() => 0) })).toBe("");
    for (const one of [near, blind]) one.destroy();
  });
});
