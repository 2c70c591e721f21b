import { describe, expect, test } from "vitest";
import { requestDevice } from "../../src/index.ts";
import { balanceParams, type PlacementTable } from "../../src/kernels/balance_params.ts";
import { compileImbalance, decodeImbalance, METRICS_WORDS } from "../../src/kernels/imbalance.ts";
import { type Random, seeded } from "../../src/random.ts";
import * as reference from "../../src/reference/imbalance.ts";
import { runKernel, unwritten } from "../helpers/kernel.ts";

const { device } = await requestDevice();
const most = 2 ** 31 - 1;

const exact = ["gpuLoad", "max", "hottestGpu", "idleTokens", "activeExperts", "maxActiveExperts", "mean"] as const;
const ratios = ["imbalance", "balancedness", "variation"] as const;
/** What f32 leaves of sums of up to 200 squares and a square root. */
const RELATIVE = 1e-6;

async function imbalance(quota: Uint32Array, layers: number, gpus: number, skipBelow = 0) {
  const slots = quota.length / layers;
  const table: PlacementTable = { data: unwritten(1), placements: 1, gpus, experts: slots, slots, replicas: 1 };
  const arrays = {
    quota,
    gpuLoad: unwritten(layers * gpus),
    busy: unwritten(layers * gpus),
    metrics: unwritten(layers * METRICS_WORDS),
    skip: unwritten(layers),
    params: balanceParams(table, layers, 0, skipBelow),
  };
  const { gpuLoad, busy, metrics, skip } = await runKernel(device, await compileImbalance(device), arrays, [layers, 1]);
  return { report: decodeImbalance(gpuLoad, busy, metrics), skip: [...skip] };
}

/** One layer of quotas [G, perGpu]; none adds up to 2^31. */
const families: Record<string, (random: Random, gpus: number, perGpu: number) => number[]> = {
  zero: (_, gpus, perGpu) => new Array(gpus * perGpu).fill(0),
  equal: (_, gpus, perGpu) => new Array(gpus * perGpu).fill(17),
  random: (random, gpus, perGpu) => Array.from({ length: gpus * perGpu }, () => random.below(1000)),
  sparse: (random, gpus, perGpu) =>
    Array.from({ length: gpus * perGpu }, () => (random.next() < 0.9 ? 0 : random.below(9))),
  "a token more on one": (random, gpus, perGpu) => {
    const quota = new Array<number>(gpus * perGpu).fill(1_000_003);
    quota[random.below(quota.length)]++;
    return quota;
  },
  "a token less on one": (random, gpus, perGpu) => {
    const quota = new Array<number>(gpus * perGpu).fill(1_000_003);
    quota[random.below(quota.length)]--;
    return quota;
  },
  "all on one, near 2^31": (random, gpus, perGpu) => {
    const quota = new Array<number>(gpus * perGpu).fill(0);
    quota[random.below(quota.length)] = most;
    return quota;
  },
  "lognormal, near 2^31 in all": (random, gpus, perGpu) => {
    const weights = Array.from({ length: gpus * perGpu }, () => Math.exp(2 * random.normal()));
    const total = weights.reduce((a, b) => a + b);
    return weights.map((weight) => Math.floor((weight / total) * most));
  },
};

describe.each([1, 2, 8, 63, 64, 65, 200])("%i GPUs", (gpus) => {
  test.each([1, 5])("with %i slots each: integers as the twin, ratios within 1e-6", async (perGpu) => {
    const random = seeded(61);
    const quota = Object.values(families).flatMap((family) => family(random, gpus, perGpu));
    const layers = Object.keys(families).length;
    const { report } = await imbalance(Uint32Array.from(quota), layers, gpus);
    const twin = reference.imbalance(quota, layers, gpus);
    for (const field of exact) expect(report[field], field).toEqual(twin[field]);
    for (const field of ratios) {
      for (const [layer, name] of Object.keys(families).entries()) {
        const off = Math.abs(report[field][layer] - twin[field][layer]);
        expect(off, `${field}, ${name}`).toBeLessThanOrEqual(RELATIVE * twin[field][layer]);
      }
    }
  });
});

test("planted: 63 GPUs idle while one serves 2^31 - 1 tokens", async () => {
  const quota = new Uint32Array(2 * 64);
  quota[63] = most;
  quota.fill(7, 64);
  const { report } = await imbalance(quota, 2, 64);
  expect([...report.idleTokens]).toEqual([63 * most, 0]);
  expect([...report.hottestGpu]).toEqual([63, 0]); // the first of equals
  expect([...report.imbalance]).toEqual([64, 1]);
  expect([...report.balancedness]).toEqual([1 / 64, 1]);
  expect([...report.mean]).toEqual([most / 64, 7]);
  expect(report.variation[0]).toBeCloseTo(Math.sqrt(63), 5);
});

test("skip marks the layers below skipBelow, empty ones included, and not those at it", async () => {
  const quota = Uint32Array.of(0, 0, 10, 10, 11, 10, 12, 10, 15, 5, 20, 0);
  expect((await imbalance(quota, 6, 2, 1.05)).skip).toEqual([1, 1, 1, 0, 0, 0]);
  expect((await imbalance(quota, 6, 2, 1.5)).skip).toEqual([1, 1, 1, 1, 0, 0]);
  expect((await imbalance(quota, 6, 2, 1)).skip).toEqual([0, 0, 0, 0, 0, 0]);
  expect((await imbalance(quota, 6, 2, 0)).skip).toEqual([0, 0, 0, 0, 0, 0]);
});
