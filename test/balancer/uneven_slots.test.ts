/** GPUs that hold different numbers of slots, in every layer others: figures against a few lines over `gpuOf`, which know no slots per GPU. */
import { describe, expect, test } from "vitest";
import { decodeImbalance } from "../../src/balancer/kernels/imbalance.ts";
import { createStages } from "../../src/balancer/stages.ts";
import { seeded } from "../../src/common/random.ts";
import { certify, createBalancer, measureImbalance, Placement, requestDevice } from "../../src/index.ts";
import { toTopology } from "../../src/lp/forms.ts";
import { rowOf } from "../helpers/arrays.ts";
import { evenSplit, faults } from "../helpers/balanced.ts";
import { randomIds, unevenPlacements } from "../helpers/batches.ts";
import { expectReport, recomputed } from "../helpers/imbalance.ts";
import { randomSpeeds } from "../helpers/instances.ts";

const { device } = await requestDevice();
const [L, T, K] = [4, 60, 4];

/** Rows of a [L, width] array. */
const rows = (values: Int32Array, width: number) =>
  Array.from({ length: values.length / width }, (_, l) => [...rowOf(values, l, width)]);

/** G divides P in the last alone. They share their pipelines. */
const shapes = [
  { gpus: 3, experts: 24, slots: 29 },
  { gpus: 7, experts: 24, slots: 33 },
  { gpus: 8, experts: 24, slots: 40 },
];

describe.each(["webgpu", "cpu"] as const)("on %s", (backend) => {
  // GPU 0 is twice as fast and holds 5 slots, the others 3: 360 tokens take 90 each per speed, if expert 5's 60 stay on GPUs 1 and 2.
  const placement = Placement.fromPhysicalToLogical([0, 1, 2, 3, 4, 0, 1, 5, 2, 3, 5], {
    gpus: 3,
    slotsPerGpu: [5, 3, 3],
  });
  const counts = [100, 20, 100, 30, 50, 60];
  const ids = Int32Array.from(counts.flatMap((tokens, e) => new Array<number>(tokens).fill(e)));

  test("planted: 5, 3 and 3 slots, speeds 2, 1 and 1, 360 tokens: loads of 180, 90 and 90", async () => {
    const balancer = await createBalancer({ placement, speed: [2, 1, 1], topK: 1, maxTokens: 360, backend });
    const { after, before, status, quota, proof } = await balancer.balance(ids);
    balancer.destroy();
    expect([...after.gpuLoad]).toEqual([180, 90, 90]);
    expect([...before.gpuLoad]).toEqual([50 + 50 + 10 + 50 + 15, 50 + 10 + 30, 50 + 15 + 30]);
    expect(status).toEqual(["optimal"]);
    expect([...proof(0).solution.gpuLoad]).toEqual([180, 90, 90]);
    const measured = await measureImbalance({ placement, counts, quota }, { backend });
    expect([...measured.gpuLoad]).toEqual([180, 90, 90]);
    expect([measured.max[0], measured.mean[0], measured.idleTokens[0], measured.hottestGpu[0]]).toEqual([
      180, 120, 180, 0,
    ]);
  });

  test("balance, random placements, speeds and ids: every figure, and what was skipped", async () => {
    const random = seeded(301);
    const seen = { optimal: 0, skipped: 0 };
    for (let i = 0; i < 12; i++) {
      const { gpus, experts, slots } = shapes[i % 3];
      const placements = unevenPlacements(random, L, experts, gpus, slots);
      const speed = i % 3 === 0 ? randomSpeeds(random, gpus) : undefined;
      const skipBelow = i % 2 === 0 ? 2.5 : 0;
      const options = { placement: placements, speed, skipBelow, topK: K, maxTokens: T, backend };
      const balancer = await createBalancer(options);
      const topkIds = randomIds(random, L, K * T, experts);
      const balanced = await balancer.balance(topkIds);
      balancer.destroy();
      expect(faults({ placements, layers: L, ids: topkIds }, balanced), `case ${i}`).toEqual([]);
      const even = recomputed(placements, rows(balanced.counts, experts));
      expectReport(balanced.before, even);
      expectReport(balanced.after, recomputed(placements, rows(balanced.counts, experts), rows(balanced.quota, slots)));
      const expected = even.map(({ imbalance }) => (imbalance < skipBelow ? "skipped" : "optimal"));
      expect(balanced.status).toEqual(expected);
      for (const status of expected) seen[status as keyof typeof seen]++;
    }
    expect(Math.min(seen.optimal, seen.skipped)).toBeGreaterThan(3);
  });

  test("late: the next batch is remapped by the solution of the last", async () => {
    const random = seeded(302);
    const placements = unevenPlacements(random, L, 24, 7, 33);
    const balancer = await createBalancer({ placement: placements, late: true, topK: K, maxTokens: T, backend });
    const topkIds = randomIds(random, L, K * T, 24);
    await balancer.balance(topkIds);
    const balanced = await balancer.balance(topkIds);
    balancer.destroy();
    expect(faults({ placements, layers: L, ids: topkIds }, balanced)).toEqual([]);
    expectReport(balanced.after, recomputed(placements, rows(balanced.counts, 24), rows(balanced.quota, 33)));
    for (let layer = 0; layer < L; layer++) {
      const { problem, solution } = balanced.proof(layer); // the same batch again: its own optimum
      expect(solution.maxLoad[0]).toBe(balanced.after.max[layer]);
      expect(certify(problem, solution)[0].valid).toBe(true);
    }
  });

  test("measureImbalance: counts, ids, quotas and shares", async () => {
    const random = seeded(303);
    for (let i = 0; i < 12; i++) {
      const { gpus, experts, slots } = shapes[i % 3];
      const placements = unevenPlacements(random, L, experts, gpus, slots);
      const topkIds = randomIds(random, L, K * T, experts, 0);
      const balancer = await createBalancer({ placement: placements, topK: K, maxTokens: T, backend: "cpu" });
      const { counts, quota, shares } = await balancer.balance(topkIds);
      const even = recomputed(placements, rows(counts, experts));
      const split = recomputed(placements, rows(counts, experts), rows(quota, slots));
      const measured = (more: object) => measureImbalance({ placement: placements, ...more }, { backend });
      expectReport(await measured({ counts }), even);
      expectReport(await measured({ topkIds, topK: K }), even);
      expectReport(await measured({ counts, quota }), split);
      expectReport(await measured({ topkIds, topK: K, quota }), split);
      expectReport(await measured({ counts, shares: shares() }), split);
    }
  });
});

describe("encode", () => {
  test("the quotas, and the metrics that skipping goes by, as balance has them", async () => {
    const random = seeded(304);
    const [experts, gpus, slots] = [24, 7, 33];
    const placements = unevenPlacements(random, L, experts, gpus, slots);
    const ids = randomIds(random, L, K * T, experts, 0);
    const counts = rows(ids, K * T).map((row) =>
      new Array(experts).fill(0).map((_, e) => row.filter((id) => id === e).length),
    );
    const even = recomputed(placements, counts);
    const [, below, above] = even.map(({ imbalance }) => imbalance).sort((a, b) => a - b);
    const skipBelow = (below + above) / 2; // two layers are below
    const topologies = placements.map((placement) => toTopology(placement, undefined));
    const sizes = { layers: L, maxAssignments: K * T, topK: K, skipBelow, late: false };
    const stages = await createStages(device, { placements, topologies, ...sizes });
    const own = stages.job.buffers;
    device.queue.writeBuffer(own.ids, 0, ids as Int32Array<ArrayBuffer>);
    const encoder = device.createCommandEncoder();
    stages.encode(encoder, { ids: { buffer: own.ids }, physical: { buffer: own.physical } }, K * T, false);
    device.queue.submit([encoder.finish()]);
    const words = async (name: keyof typeof own) => {
      const { size } = own[name];
      const readback = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
      const copy = device.createCommandEncoder();
      copy.copyBufferToBuffer(own[name], 0, readback, 0, size);
      device.queue.submit([copy.finish()]);
      await readback.mapAsync(GPUMapMode.READ);
      return new Uint32Array(readback.getMappedRange().slice());
    };
    const quota = Int32Array.from((await words("quota")).subarray(0, L * slots));
    const report = async (side: "Before" | "After") =>
      decodeImbalance(await words(`gpuLoad${side}`), await words(`busy${side}`), await words(`metrics${side}`));
    expectReport(await report("Before"), even);
    expectReport(await report("After"), recomputed(placements, counts, rows(quota, slots)));
    const skipped = even.map(({ imbalance }) => imbalance < skipBelow);
    expect([...(await words("skip")).subarray(0, L)]).toEqual(skipped.map(Number));
    for (const [layer, placement] of placements.entries()) {
      if (skipped[layer]) expect([...rowOf(quota, layer, slots)]).toEqual(evenSplit(placement, counts[layer]));
    }
    stages.destroy();
  });
});
