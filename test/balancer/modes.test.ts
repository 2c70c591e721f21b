/** Skipped layers, late solutions, shares, metrics and timestamps. */
import { describe, expect, test } from "vitest";
import { type Balanced, certify, createBalancer, requestDevice } from "../../src/index.ts";
import { rowOf } from "../helpers/arrays.ts";
import { evenSplit } from "../helpers/balanced.ts";
import { shared, sharedFaults, sharedIds } from "../helpers/batches.ts";

const { device } = await requestDevice();
const [L, E, P] = [3, 32, shared.placement[0].physicalExperts];

describe.each(["webgpu", "cpu"] as const)("on %s", (backend) => {
  const options = { ...shared, backend, device };

  test("layers below skipBelow keep the even split, the others are solved", async () => {
    const plain = await createBalancer(options);
    const ids = sharedIds(141);
    const width = ids.length / L;
    // Layer 1: every expert with several slots has as many tokens as slots and no other has any, which is even.
    const { replicaCount } = shared.placement[1];
    const evenly = Array.from(replicaCount).flatMap((slots, e) => new Array<number>(slots > 1 ? slots : 0).fill(e));
    rowOf(ids, 1, width).fill(-1).set(evenly);
    const { before } = await plain.balance(ids);
    plain.destroy();
    const [least, middle] = [...before.imbalance].sort((a, b) => a - b);
    const skipBelow = (least + middle) / 2;

    const balancer = await createBalancer({ ...options, skipBelow });
    const balanced = await balancer.balance(ids);
    const expected = Array.from(before.imbalance, (ratio) => (ratio < skipBelow ? "skipped" : "optimal"));
    expect(balanced.status).toEqual(expected);
    expect(expected.filter((status) => status === "skipped").length).toBe(1);
    expect(sharedFaults(ids, balanced)).toEqual([]);
    expect(balancer.metrics()).toMatchObject({ batches: 1, skipped: 1, solves: 2 });
    for (let l = 0; l < L; l++) {
      const { problem, solution } = balanced.proof(l);
      expect(certify(problem, solution)[0].valid, `layer ${l}`).toBe(true);
    }
    const none = await balancer.balance(sharedIds(142, 20, 1));
    expect(none.status).toEqual(["skipped", "skipped", "skipped"]); // no tokens: imbalance 1
    balancer.destroy();
  });

  describe("late", () => {
    const batches = [151, 152, 153].map((seed) => sharedIds(seed));
    const total = (quota: Int32Array) => quota.reduce((a, b) => a + b);

    test("the first batch is split evenly, each later one in the proportions of the batch before", async () => {
      const now = await createBalancer(options);
      const late = await createBalancer({ ...options, late: true });
      const first = await late.balance(batches[0]);
      for (const [l, placement] of shared.placement.entries()) {
        const even = evenSplit(placement, rowOf(first.counts, l, E));
        expect([...rowOf(first.quota, l, P)]).toEqual(even);
      }
      expect(first.after).toEqual(first.before);

      for (let i = 1; i < batches.length; i++) {
        const balanced = await late.balance(batches[i]);
        expect(balanced.status).toEqual(["late", "late", "late"]);
        expect(sharedFaults(batches[i], balanced)).toEqual([]);
        const solved = await now.balance(batches[i - 1]);
        expect(worstExcess(balanced, solved), `batch ${i}`).toBeLessThan(1);
      }
      expect(late.metrics()).toMatchObject({ batches: 3, late: 9, solves: 9, skipped: 0 });
      for (const balancer of [now, late]) balancer.destroy();
    });

    test("a batch repeated is optimal from the second time on, and certify agrees", async () => {
      const now = await createBalancer(options);
      const late = await createBalancer({ ...options, late: true });
      const solved = await now.balance(batches[0]);
      await late.balance(batches[1]);
      await late.balance(batches[0]);
      for (let i = 0; i < 2; i++) {
        const { quota, physicalIds, after, status } = await late.balance(batches[0]);
        expect(status).toEqual(["late", "late", "late"]);
        expect(quota).toEqual(solved.quota);
        expect(physicalIds).toEqual(solved.physicalIds);
        expect(after).toEqual(solved.after);
      }
      for (const balancer of [now, late]) balancer.destroy();
    });

    test("quotas add up after an empty batch, and when T changes", async () => {
      const late = await createBalancer({ ...options, late: true });
      for (const tokens of [300, 0, 5, 300, 1]) {
        const ids = sharedIds(154, tokens);
        const balanced = await late.balance(ids);
        expect(sharedFaults(ids, balanced), `${tokens} tokens`).toEqual([]);
        expect(total(balanced.quota)).toBe(total(balanced.counts));
        for (let l = 0; l < L; l++) {
          const { problem, solution } = balanced.proof(l);
          expect(certify(problem, solution)[0].valid, `layer ${l}`).toBe(true);
        }
      }
      late.destroy();
    });
  });

  test("shares: rows add up to 1, are quota / count, even where an expert has no tokens, 0 where it has no slot", async () => {
    const balancer = await createBalancer(options);
    const { shares, counts, quota } = await balancer.balance(sharedIds(161, 40));
    balancer.destroy();
    const width = Math.max(...shared.placement.map(({ maxReplicas }) => maxReplicas));
    const found = shares();
    expect(found.length).toBe(L * E * width);
    expect(counts.includes(0)).toBe(true);
    for (const [l, { replicaCount, logicalToPhysical, maxReplicas }] of shared.placement.entries()) {
      for (let e = 0; e < E; e++) {
        const expected = Array.from({ length: width }, (_, i) => {
          if (i >= replicaCount[e]) return 0;
          const tokens = quota[l * P + logicalToPhysical[e * maxReplicas + i]];
          return Math.fround(counts[l * E + e] === 0 ? 1 / replicaCount[e] : tokens / counts[l * E + e]);
        });
        const row = found.subarray((l * E + e) * width, (l * E + e + 1) * width);
        expect([...row], `layer ${l}, expert ${e}`).toEqual(expected);
      }
    }
  });

  test("metrics add up, are a copy, and put every layer into one more bucket of each histogram", async () => {
    const balancer = await createBalancer(options);
    const answers: Balanced[] = [];
    for (const seed of [171, 172, 173]) answers.push(await balancer.balance(sharedIds(seed)));
    const metrics = balancer.metrics();
    const counted = { batches: 3, solves: 9, skipped: 0, late: 0, finishedOnCpu: 0, recoveries: 0 };
    expect(metrics).toMatchObject(counted);
    expect(metrics.outOfRange).toBe(answers.flatMap(({ outOfRange }) => [...outOfRange]).reduce((a, b) => a + b));
    for (const [field, side] of [["imbalanceBefore", "before"] as const, ["imbalanceAfter", "after"] as const]) {
      const { bounds, counts, sum, count } = metrics[field];
      const values = answers.flatMap((balanced) => [...balanced[side].imbalance]);
      expect(count).toBe(9);
      expect(sum).toBeCloseTo(values.reduce((a, b) => a + b));
      expect(counts).toEqual(bounds.map((bound) => values.filter((value) => value <= bound).length));
    }
    metrics.imbalanceAfter.counts.fill(-1);
    metrics.batches = 99;
    expect(balancer.metrics()).toMatchObject(counted);
    expect(balancer.metrics().imbalanceAfter.counts).not.toContain(-1);
    await expect(balancer.balance(new Int32Array(5))).rejects.toThrow();
    expect(balancer.metrics()).toMatchObject(counted); // what is refused is not counted
    balancer.destroy();
  });
});

/** The most tokens by which a slot of `late` differs from its due: its share of its expert's tokens in `solved`. */
function worstExcess(late: Balanced, solved: Balanced): number {
  let worst = 0;
  for (const [l, { physicalToLogical, replicaCount }] of shared.placement.entries()) {
    physicalToLogical.forEach((e, slot) => {
      const before = solved.counts[l * E + e];
      const share = before === 0 ? 1 / replicaCount[e] : solved.quota[l * P + slot] / before;
      worst = Math.max(worst, Math.abs(late.quota[l * P + slot] - share * late.counts[l * E + e]));
    });
  }
  return worst;
}

describe("timestamps", () => {
  test("time each stage of every call where the device has them, and change nothing else", async () => {
    expect(device.features.has("timestamp-query")).toBe(true); // SwiftShader's
    const timed = await createBalancer({ ...shared, device, timestamps: true });
    const untimed = await createBalancer({ ...shared, device });
    const ids = sharedIds(181);
    const balanced = await timed.balance(ids);
    expect(sharedFaults(ids, balanced)).toEqual([]);
    expect(balanced.physicalIds).toEqual((await untimed.balance(ids)).physicalIds);
    await timed.balance(ids);
    const { stageUs, timed: calls } = timed.metrics();
    expect(calls).toBe(2);
    expect(Object.keys(stageUs!)).toEqual(["count", "imbalance", "solve", "remap"]);
    for (const [stage, us] of Object.entries(stageUs!)) expect(us > 0 && us < 60e6, `${stage}: ${us} us`).toBe(true);
    expect(untimed.metrics()).toMatchObject({ stageUs: undefined, timed: 0 });
    for (const balancer of [timed, untimed]) balancer.destroy();
  });
});
