import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import {
  ArgumentError,
  createBalancer,
  type ImbalanceInput,
  type ImbalanceOptions,
  LoadError,
  measureImbalance,
  Placement,
  ShapeError,
} from "../../src/index.ts";
import { layerPlacements, oddIds, randomIds, unevenPlacements } from "../helpers/batches.ts";
import { plainDevice } from "../helpers/devices.ts";
import { expectReport, recomputed } from "../helpers/imbalance.ts";

const rowsOf = (values: readonly number[], width: number) =>
  Array.from({ length: values.length / width }, (_, l) => values.slice(l * width, (l + 1) * width));

describe.each(["webgpu", "cpu"] as const)("on %s", (backend) => {
  test.each([
    [1, 1],
    [8, 32],
    [3, 10],
    [64, 257],
  ])("%i GPUs, %i experts: counts of layers with different placements", async (gpus, experts) => {
    const random = seeded(11);
    const placement = layerPlacements(random, 5, experts, gpus);
    const counts = Array.from({ length: 5 * experts }, () => (random.next() < 0.3 ? 0 : random.below(5000)));
    counts.fill(0, experts, 2 * experts); // layer 1 has no tokens
    const found = await measureImbalance({ placement, counts }, { backend });
    expectReport(found, recomputed(placement, rowsOf(counts, experts)));
    expect([found.imbalance[1], found.idleTokens[1], found.variation[1]]).toEqual([1, 0, 0]);
    expect([...found.outOfRange]).toEqual([0, 0, 0, 0, 0]);
  });

  test("top-k ids, i32 and u32, with padding and ids out of range", async () => {
    const random = seeded(12);
    const experts = 32;
    const placement = layerPlacements(random, 3, experts, 8);
    const ids = randomIds(random, 3, 4 * 700, experts, 0.2);
    const odd = oddIds(experts);
    const rows = rowsOf([...ids], 4 * 700);
    const counts = rows.map((row) => Array.from({ length: experts }, (_, e) => row.filter((id) => id === e).length));
    for (const topkIds of [ids, new Uint32Array(ids.buffer)]) {
      const found = await measureImbalance({ placement, topkIds, topK: 4 }, { backend });
      expectReport(found, recomputed(placement, counts));
      expect([...found.outOfRange]).toEqual(rows.map((row) => row.filter((id) => odd.includes(id)).length));
    }
    const none = await measureImbalance({ placement, topkIds: new Int32Array(0), topK: 4 }, { backend });
    expect([...none.imbalance, ...none.max]).toEqual([1, 1, 1, 0, 0, 0]);
  });

  test("quotas, for counts and for ids; one placement for several layers", async () => {
    const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2, 0, 2], { gpus: 3 });
    const quota = [5, 0, 4, 1, 0, 2, 0, 0, 1, 0, 0, 0];
    const counts = [5, 4, 3, 0, 1, 0];
    const topkIds = Int32Array.of(0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 1, -1, -1, -1, -1, -1, -1, -1, 9, -1, -1, -1);
    const expected = recomputed([placement], rowsOf(counts, 3), rowsOf(quota, 6));
    expectReport(await measureImbalance({ placement, counts, quota }, { backend }), expected);
    const found = await measureImbalance({ placement, topkIds, topK: 2, layers: 2, quota }, { backend });
    expectReport(found, expected);
    expect([...found.outOfRange]).toEqual([0, 1]);
    expect(found.hottestGpu[0]).toBe(0); // as loaded as GPU 1
    expect([...found.gpuLoad]).toEqual([5, 5, 2, 0, 1, 0]);
    expect([...found.activeExperts]).toEqual([1, 2, 1, 0, 1, 0]);
  });

  test.each([65, 144, 320])("%i GPUs, more than a kernel that solves takes: counts, ids and quotas", async (gpus) => {
    const random = seeded(13);
    const experts = 256;
    const even = layerPlacements(random, 2, experts, gpus);
    const slots = even[0].physicalExperts;
    const placement = [...even, ...unevenPlacements(random, 2, experts, gpus, slots)];
    const topkIds = randomIds(random, 4, 8 * 300, experts, 0);
    const counts = rowsOf([...topkIds], 8 * 300).map((ids) => {
      const row = new Array<number>(experts).fill(0);
      for (const id of ids) row[id]++;
      return row;
    });
    const quota = placement.flatMap(({ logicalToPhysical, maxReplicas }, layer) => {
      const row = new Array<number>(slots).fill(0);
      for (const [e, tokens] of counts[layer].entries()) row[logicalToPhysical[e * maxReplicas]] = tokens; // all to the first
      return [row];
    });
    const expected = recomputed(placement, counts);
    expectReport(await measureImbalance({ placement, counts: counts.flat() }, { backend }), expected);
    expectReport(await measureImbalance({ placement, topkIds, topK: 8 }, { backend }), expected);
    const split = await measureImbalance({ placement, topkIds, topK: 8, quota: quota.flat() }, { backend });
    expectReport(split, recomputed(placement, counts, quota));
  });

  test("planted: 2^31 - 1 tokens in one of 64 GPUs leave more than 2^32 idle", async () => {
    const placement = Placement.fromPhysicalToLogical([...new Array(64).keys()], { gpus: 64 });
    const most = 2 ** 31 - 1;
    const counts = Array.from({ length: 64 }, (_, e) => (e === 40 ? most : 0));
    const { idleTokens, imbalance, hottestGpu } = await measureImbalance({ placement, counts }, { backend });
    expect([idleTokens[0], imbalance[0], hottestGpu[0]]).toEqual([63 * most, 64, 40]);
  });
});

describe("beyond a device", () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });

  test("65,536 layers, one more than its grid: the CPU, or an error, but not zeros", async () => {
    const counts = new Int32Array(65_536 * 3).fill(5);
    const { imbalance, max } = await measureImbalance({ placement, counts });
    expect([imbalance[65_535], max[65_535]]).toEqual([16 / 15, 8]);
    await expect(measureImbalance({ placement, counts }, { backend: "webgpu" })).rejects.toThrow(
      `layers: expected at most 65535 on this device, got 65536. Use backend "cpu".`,
    );
  });

  test("more ids than its bindings hold", async () => {
    const device = await plainDevice();
    const topkIds = new Int32Array(2 ** 25 + 1).fill(1);
    const { max } = await measureImbalance({ placement, topkIds, topK: 1 }, { device });
    expect(max[0]).toBe(2 ** 24 + 1);
    const webgpu = measureImbalance({ placement, topkIds, topK: 1 }, { device, backend: "webgpu" });
    await expect(webgpu).rejects.toThrow(`topkIds: expected at most ${2 ** 25} on this device, got ${2 ** 25 + 1}.`);
    device.destroy();
  });

  test("1,025 experts with ids", async () => {
    const wide = Placement.fromPhysicalToLogical([...new Array(1025).keys()], { gpus: 1 });
    const topkIds = Int32Array.of(1024, 1024, 3);
    expect((await measureImbalance({ placement: wide, topkIds, topK: 1 })).maxActiveExperts[0]).toBe(2);
    await expect(measureImbalance({ placement: wide, topkIds, topK: 1 }, { backend: "webgpu" })).rejects.toThrow(
      "placement.logicalExperts: expected at most 1024 with topkIds, got 1025.",
    );
  });

  test("placements whose tables of slots are larger than its bindings", async () => {
    const device = await plainDevice();
    const map = [...new Array(1024).keys(), ...new Array(1999).fill(0)]; // 1,024 experts, the first in 2,000 slots
    const copied = Placement.fromPhysicalToLogical(map, { gpus: 1 });
    const layers = 17;
    const placement = new Array<Placement>(layers).fill(copied);
    const counts = new Array(layers * 1024).fill(1);
    expect((await measureImbalance({ placement, counts }, { device })).max[16]).toBe(1024);
    const message = `placement: expected tables of at most ${2 ** 27} bytes on this device, got ${4 * layers * (1024 * 2001 + 3)}.`;
    await expect(measureImbalance({ placement, counts }, { device, backend: "webgpu" })).rejects.toThrow(message);
    await expect(createBalancer({ placement, topK: 1, maxTokens: 1, device })).rejects.toThrow(message);
    device.destroy();
  });

  test.each([
    ["quotas than its bindings hold", Placement.fromPhysicalToLogical(new Array(1024).fill(0), { gpus: 1 }), 2 ** 15],
    [
      "loads than are read back in one buffer",
      Placement.fromPhysicalToLogical([0], { gpus: 600, slotsPerGpu: [1, ...new Array(599).fill(0)] }),
      Math.floor(2 ** 28 / (4 * (2 * 600 + 10))),
    ],
  ])("layers of more %s", async (_, placement, most) => {
    const device = await plainDevice();
    const counts = new Int32Array(most + 1).fill(3);
    const measured = measureImbalance({ placement, counts }, { device, backend: "webgpu" });
    await expect(measured).rejects.toThrow(`layers: expected at most ${most} on this device, got ${most + 1}.`);
    device.destroy();
  });
});

describe("bad input names itself", () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });
  const other = Placement.fromPhysicalToLogical([0, 1], { gpus: 2 });
  const counts = [1, 2, 3];
  const ids = Int32Array.of(0, 1, 2, -1);
  const most = 2 ** 31 - 1;

  test.each<[string, typeof ArgumentError, Partial<Record<keyof ImbalanceInput, unknown>>]>([
    ["placement: expected a Placement, or one per layer, got undefined.", ArgumentError, { counts }],
    ["placement: expected a Placement, or one per layer", ArgumentError, { counts, placement: [] }],
    ["placement: expected a Placement, or one per layer", ArgumentError, { counts, placement: [0, 1] }],
    ["placement[1]: expected 2 GPUs, 3 experts and 4 slots", ShapeError, { counts, placement: [placement, other] }],
    ['counts: expected either counts or topkIds, got "neither".', ArgumentError, { placement }],
    ["counts: expected either counts or topkIds", ArgumentError, { placement, counts, topkIds: ids, topK: 1 }],
    ["counts: expected L * 3 values, got 2.", ShapeError, { placement, counts: [1, 2] }],
    ["counts: expected L * 3 values, got 0.", ShapeError, { placement, counts: [] }],
    ["counts: expected L * 3 = 6 values, got 3.", ShapeError, { placement: [placement, placement], counts }],
    ["counts[1]: expected an integer >= 0, got -2.", LoadError, { placement, counts: [1, -2, 3] }],
    ["counts[2]: expected an integer >= 0, got 0.5.", LoadError, { placement, counts: [1, 2, 0.5] }],
    ["counts[2]: expected an integer >= 0, got NaN.", LoadError, { placement, counts: [1, 2, Number.NaN] }],
    [`counts: expected a total of at most ${most} in layer 1`, LoadError, { placement, counts: [0, 0, 1, most, 1, 0] }],
    ["topkIds: expected ids [L, T, k] in one Array or", ArgumentError, { placement, topkIds: new Set([0]), topK: 1 }],
    ["topkIds[1]: expected an expert id, an integer", LoadError, { placement, topkIds: [0, 0.5], topK: 1 }],
    ["counts[1]: expected E = 3 values, got 2.", ShapeError, { placement, counts: [counts, [1, 2]] }],
    ["counts[1][2]: expected an integer >= 0, got -1.", LoadError, { placement, counts: [counts, [1, 2, -1]] }],
    ["quota[0]: expected P = 4 values, got 3.", ShapeError, { placement, counts, quota: [[1, 1, 1]] }],
    [
      "shares[0]: expected E * X = 3 * 2 = 6 values, got 4.",
      ShapeError,
      {
        placement,
        counts,
        shares: [
          [
            [1, 0],
            [1, 1],
          ],
        ],
      },
    ],
    ["shares[0][1]: expected X = 2 values, got 1.", ShapeError, { placement, counts, shares: [[[1, 0], [1], [1, 0]]] }],
    [
      "shares[0][1][1]: expected a finite number >= 0, got -1.",
      LoadError,
      {
        placement,
        counts,
        shares: [
          [
            [1, 0],
            [1, -1],
            [1, 0],
          ],
        ],
      },
    ],
    ["topK: expected an integer >= 1, got undefined.", ArgumentError, { placement, topkIds: ids }],
    ["topK: expected an integer >= 1, got 0.", ArgumentError, { placement, topkIds: ids, topK: 0 }],
    ["topkIds: expected a multiple of L * k = 1 * 3 ids, got 4.", ShapeError, { placement, topkIds: ids, topK: 3 }],
    ["layers: expected an integer >= 1", ArgumentError, { placement, topkIds: ids, topK: 1, layers: 0 }],
    ["layers: expected", ArgumentError, { placement: [placement, placement], topkIds: ids, topK: 1, layers: 4 }],
    ["quota: expected L * 4 values, got 3.", ShapeError, { placement, counts, quota: [1, 1, 1] }],
    [
      "quota: expected L * P = 1 * 4 values, got 8.",
      ShapeError,
      { placement, counts, quota: [1, 1, 1, 3, 0, 0, 0, 0] },
    ],
    ["quota: expected 2 tokens for expert 1 in layer 0, got 1.", LoadError, { placement, counts, quota: [1, 0, 1, 3] }],
    ["quota[2]: expected an integer >= 0, got -1.", LoadError, { placement, counts, quota: [1, 3, -1, 3] }],
  ])("%s", async (message, kind, input) => {
    const measured = measureImbalance(input as unknown as ImbalanceInput, { backend: "cpu" });
    await expect(measured).rejects.toThrow(kind);
    await expect(measured).rejects.toThrow(message);
  });

  test.each<[string, unknown, unknown]>([
    ['backend: expected "auto", "webgpu" or "cpu", got "gpu".', { placement, counts }, { backend: "gpu" }],
    ["device: expected a GPUDevice, got 5.", { placement, counts }, { device: 5, backend: "cpu" }],
    [
      'adapter: expected one of auto, hardware, software, got "x".',
      { placement, counts },
      { adapter: "x", backend: "cpu" },
    ],
    ["options: expected an object, got null.", { placement, counts }, null],
    ["input: expected an object, got undefined.", undefined, {}],
    ["layers: expected 1 as in counts, got 2.", { placement, counts, layers: 2 }, {}],
    ["layers: expected an integer >= 1", { placement, topkIds: ids, topK: 1, layers: null }, {}],
  ])("%s", async (message, input, options) => {
    const measured = measureImbalance(input as ImbalanceInput, options as ImbalanceOptions);
    await expect(measured).rejects.toThrow(ArgumentError);
    await expect(measured).rejects.toThrow(message);
  });
});

describe("shares instead of quotas", () => {
  // Expert 0 on GPUs 0, 1, 2; expert 1 on GPUs 1, 2; expert 2 on GPU 0.
  const placement = Placement.fromPhysicalToLogical([0, 2, 0, 1, 0, 1], { gpus: 3 });

  test.each(["webgpu", "cpu"] as const)("every slot gets its share of the tokens, on %s", async (backend) => {
    const shares = [0.5, 0.3, 0.2, 0.25, 0.75, 0, 1, 0, 0];
    const measured = await measureImbalance({ placement, counts: [1000, 100, 40], shares }, { backend });
    expect([...measured.gpuLoad]).toEqual([540, 325, 275]);
    expect([...measured.activeExperts]).toEqual([2, 2, 2]);
    const none = await measureImbalance({ placement, counts: [3, 0, 0], shares: new Array(9).fill(0) }, { backend });
    expect([...none.gpuLoad], "no shares at all: an even split").toEqual([1, 1, 1]);
  });

  test("of a balanced batch they give its quotas back", async () => {
    const balancer = await createBalancer({ placement, topK: 2, maxTokens: 200, backend: "cpu" });
    const ids = Int32Array.from({ length: 400 }, (_, i) => (i * i) % 3);
    const balanced = await balancer.balance(ids);
    const measured = await measureImbalance(
      { placement, topkIds: ids, topK: 2, shares: balanced.shares() },
      { backend: "cpu" },
    );
    expect(measured.gpuLoad).toEqual(balanced.after.gpuLoad);
  });

  test("bad shares are named", async () => {
    const measure = (shares: unknown, more = {}) =>
      measureImbalance({ placement, counts: [1, 1, 1], shares: shares as number[], ...more }, { backend: "cpu" });
    await expect(measure([1, 1])).rejects.toThrow("shares: expected L * E * X = 1 * 3 * 3 values, got 2.");
    await expect(measure([1, 1, 1, -1, 0, 0, 1, 0, 0])).rejects.toThrow(
      "shares[3]: expected a finite number >= 0, got -1.",
    );
    await expect(measure(new Array(9).fill(1), { quota: [1, 1, 0, 1, 0, 0] })).rejects.toThrow(
      /^shares: expected no quota besides/,
    );
  });
});
