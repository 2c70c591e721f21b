import { describe, expect, test } from "vitest";
import { balanceParams, placementTable } from "../../../src/balancer/kernels/balance_params.ts";
import {
  compileImbalance,
  decodeImbalance,
  imbalanceKernel,
  METRICS_WORDS,
} from "../../../src/balancer/kernels/imbalance.ts";
import * as reference from "../../../src/balancer/twins/imbalance.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import { type CompiledKernel, compile } from "../../../src/gpu/pipeline.ts";
import { Placement, requestDevice } from "../../../src/index.ts";
import { difference } from "../../helpers/arrays.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";

const { device } = await requestDevice();
const most = 2 ** 31 - 1;

const exact = ["gpuLoad", "max", "hottestGpu", "idleTokens", "activeExperts", "maxActiveExperts", "mean"] as const;
const ratios = ["imbalance", "balancedness", "variation"] as const;
/** What f32 leaves of sums of up to 200 squares and a square root. */
const RELATIVE = 1e-6;

/** Of so many slots in all on so many GPUs: equally many each, or as `slotsPerGpu` says. Which experts they hold is not asked here. */
const slotsOn = (gpus: number, slots: number, slotsPerGpu?: number[]) =>
  Placement.fromPhysicalToLogical([...new Array(slots).keys()], { gpus, slotsPerGpu });

/** The kernel's own words. */
async function run(
  placements: Placement[],
  layers: number,
  quota: Uint32Array,
  skipBelow = 0,
  kernel: Promise<CompiledKernel> = compileImbalance(device),
  { base, active }: { base?: Uint32Array; active?: Uint8Array } = {},
) {
  const table = placementTable(placements, active);
  const { gpus } = table;
  const arrays = {
    placement: table.data,
    quota,
    base: base ?? new Uint32Array(layers * gpus),
    gpuLoad: unwritten(layers * gpus),
    busy: unwritten(layers * gpus),
    metrics: unwritten(layers * METRICS_WORDS),
    skip: unwritten(layers),
    params: balanceParams(table, layers, 0, skipBelow),
  };
  return runKernel(device, await kernel, arrays, [layers, 1]);
}

async function imbalance(placements: Placement[], layers: number, quota: Uint32Array, skipBelow = 0) {
  const { gpuLoad, busy, metrics, skip } = await run(placements, layers, quota, skipBelow);
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
    await compare([slotsOn(gpus, gpus * perGpu)], Object.keys(families), quota);
  });

  test("with different numbers of slots, none included, in every layer others: the same", async () => {
    const random = seeded(62);
    const slots = 3 * gpus + 1;
    const quota = Object.values(families).flatMap((family) => family(random, slots, 1));
    const placements = Object.keys(families).map(() => {
      const held = new Array<number>(gpus).fill(0);
      for (let slot = 0; slot < slots; slot++) held[Math.floor(gpus * random.next() ** 2)]++;
      return slotsOn(gpus, slots, held);
    });
    await compare(placements, Object.keys(families), quota);
  });
});

/**
 * Holds the kernel against its twin, and its loads against the sums of each GPU's quotas, and base loads.
 *
 * @param base  [L, G], of dead GPUs anything.  @param active  [G]; the dead have no quotas.
 */
async function compare(placements: Placement[], names: string[], quota: number[], base?: number[], active?: number[]) {
  const layers = names.length;
  const { gpus, physicalExperts: slots } = placements[0];
  const alive = Uint8Array.from({ length: gpus }, (_, g) => active?.[g] ?? 1);
  const raw = await run(placements, layers, Uint32Array.from(quota), 0, compileImbalance(device), {
    base: base && Uint32Array.from(base),
    active: alive,
  });
  const report = decodeImbalance(
    raw.gpuLoad,
    raw.busy,
    raw.metrics,
    alive.reduce((a, b) => a + b),
  );
  const twin = reference.imbalance(placements, layers, quota, alive, base);
  const load = Array.from({ length: layers * gpus }, (_, i) => (base && alive[i % gpus] ? base[i] : 0));
  for (const [i, tokens] of quota.entries()) {
    const layer = Math.floor(i / slots);
    load[layer * gpus + placements[layer % placements.length].gpuOf[i % slots]] += tokens;
  }
  expect(difference(report.gpuLoad, load)).toBeUndefined();
  for (const field of exact) expect(report[field], field).toEqual(twin[field]);
  for (const field of ratios) {
    for (const [layer, name] of names.entries()) {
      const off = Math.abs(report[field][layer] - twin[field][layer]);
      expect(off, `${field}, ${name}`).toBeLessThanOrEqual(RELATIVE * twin[field][layer]);
    }
  }
}

describe.each([2, 65])("base loads on %i GPUs", (gpus) => {
  const all = [...new Array(gpus).keys()];
  const random = seeded(63);
  /** Quotas [G] and base loads [G] of a layer; together none adds up to 2^31. */
  const layers: Record<string, [quota: number[], base: number[]]> = {
    none: [all.map(() => random.below(1000)), all.map(() => 0)],
    "of some": [all.map(() => random.below(1000)), all.map((g) => (g % 2) * random.below(1000))],
    "and nothing else": [all.map(() => 0), all.map(() => 1 + random.below(1000))],
    "that make it even": [all.map((g) => g), all.map((g) => gpus - g)],
    "near 2^31": [all.map((g) => (g === 0 ? 1000 : 0)), all.map((g) => (g === gpus - 1 ? most - 1000 : 0))],
  };
  const placements = [slotsOn(gpus, gpus)];
  const [quotas, bases] = [0, 1].map((i) => Object.values(layers).map((layer) => layer[i]));

  test("count as load, and activate nothing", async () => {
    await compare(placements, Object.keys(layers), quotas.flat(), bases.flat());
    const raw = await run(placements, 5, Uint32Array.from(quotas.flat()), 0, compileImbalance(device), {
      base: Uint32Array.from(bases.flat()),
    });
    expect([...raw.busy]).toEqual(quotas.flat().map((tokens) => (tokens > 0 ? 1 : 0)));
    expect([0, 1, 2, 3, 4].map((l) => raw.metrics[l * METRICS_WORDS])).toEqual(
      quotas.map((row, l) => Math.max(...row.map((tokens, g) => tokens + bases[l][g]))),
    );
  });

  test("of dead ones, whatever they are, are not counted", async () => {
    const active = all.map((g) => (g % 3 === 1 ? 0 : 1));
    const living = (rows: number[][], dead: number) => rows.flatMap((row) => row.map((x, g) => (active[g] ? x : dead)));
    await compare(placements, Object.keys(layers), living(quotas, 0), living(bases, 2 ** 32 - 1), active);
  });
});

test("planted: 63 GPUs idle while one serves 2^31 - 1 tokens", async () => {
  const quota = new Uint32Array(2 * 64);
  quota[63] = most;
  quota.fill(7, 64);
  const { report } = await imbalance([slotsOn(64, 64)], 2, quota);
  expect([...report.idleTokens]).toEqual([63 * most, 0]);
  expect([...report.hottestGpu]).toEqual([63, 0]); // the first of equals
  expect([...report.imbalance]).toEqual([64, 1]);
  expect([...report.balancedness]).toEqual([1 / 64, 1]);
  expect([...report.mean]).toEqual([most / 64, 7]);
  expect(report.variation[0]).toBeCloseTo(Math.sqrt(63), 5);
});

test("skip marks the layers below skipBelow, empty ones included, and not those at it", async () => {
  const pair = [slotsOn(2, 2)];
  const quota = Uint32Array.of(0, 0, 10, 10, 11, 10, 12, 10, 15, 5, 20, 0);
  expect((await imbalance(pair, 6, quota, 1.05)).skip).toEqual([1, 1, 1, 0, 0, 0]);
  expect((await imbalance(pair, 6, quota, 1.5)).skip).toEqual([1, 1, 1, 1, 0, 0]);
  expect((await imbalance(pair, 6, quota, 1)).skip).toEqual([0, 0, 0, 0, 0, 0]);
  expect((await imbalance(pair, 6, quota, 0)).skip).toEqual([0, 0, 0, 0, 0, 0]);
});

describe("the header is true", () => {
  const { wgsl } = imbalanceKernel;

  test("of workgroup memory: 7 words per invocation", () => {
    expect(wgsl).toContain("7 words of workgroup memory per invocation.");
    const words: Record<string, number> = { u32: 1, f32: 1, vec2u: 2 };
    const summary = /struct Summary \{([^}]+)\}/.exec(wgsl)![1];
    words.Summary = [...summary.matchAll(/: (\w+),/g)].reduce((sum, [, type]) => sum + words[type], 0);
    const declared = [...wgsl.matchAll(/^var<workgroup> \w+: array<(\w+), WG>;/gm)].map(([, type]) => words[type]);
    expect(declared.reduce((a, b) => a + b)).toBe(7);
    expect(declared.length).toBe(wgsl.match(/var<workgroup>/g)!.length);
  });

  test.each([1, 2, 16, 64])("of barriers: 2 log2(WG) + 4, by counting them, with WG = %i", async (WG) => {
    expect(wgsl).toContain("2 log2(WG) + 4 barriers, the two\n//           inside workgroupUniformLoad included.");
    const counted = wgsl
      .replaceAll("workgroupBarrier()", "count_barrier()")
      .replace("workgroupUniformLoad(&wg_summary[0])", "count_load()")
      .replace("metrics[first] = total.most;", "metrics[first] = barriers;")
      .concat(
        "\nvar<private> barriers: u32;",
        "fn count_barrier() { barriers++; workgroupBarrier(); }",
        "fn count_load() -> Summary { barriers += 2u; return workgroupUniformLoad(&wg_summary[0]); }",
      );
    expect(counted.match(/workgroup(Barrier|UniformLoad)\(/g)!.length).toBe(2); // none uncounted
    const kernel = compile(device, { ...imbalanceKernel, wgsl: counted, variant: "counts barriers" }, {}, { WG });
    const { metrics } = await run([slotsOn(70, 140)], 1, new Uint32Array(140).fill(1), 0, kernel);
    expect(metrics[0]).toBe(2 * Math.log2(WG) + 4);
  });

  // Metrics by word: max, sum, hottest GPU, most active experts, idle.
  test("of sums: below 2^32 integers are exact, and ratios as good as ever", async () => {
    for (const quota of [
      [2 ** 32 - 1, 0],
      [2 ** 32 - 1, 0, 0],
      [2 ** 31 - 1, 2 ** 31 - 1, 0, 1],
      [2 ** 31, 5, 7],
    ]) {
      const { metrics } = await run([slotsOn(quota.length, quota.length)], 1, Uint32Array.from(quota));
      const [max, sum] = [Math.max(...quota), quota.reduce((a, b) => a + b)];
      expect([metrics[0], metrics[1], metrics[2]]).toEqual([max, sum, quota.indexOf(max)]);
      expect(metrics[4] + 2 ** 32 * metrics[5]).toBe(quota.length * max - sum);
      const [ratio] = new Float32Array(metrics.buffer, 24);
      expect(Math.abs(ratio - (max * quota.length) / sum)).toBeLessThanOrEqual(RELATIVE * ratio);
    }
  });

  test("of variation: right with loads up to 2^31 from the mean, and beyond not", async () => {
    const variation = async (...quota: number[]) => {
      const { metrics } = await run([slotsOn(quota.length, quota.length)], 1, Uint32Array.from(quota));
      return new Float32Array(metrics.buffer)[8];
    };
    const near = RELATIVE * Math.sqrt(2);
    expect(Math.abs((await variation(2 ** 31 - 1, 0, 0)) - Math.sqrt(2))).toBeLessThanOrEqual(near);
    expect(Math.abs((await variation(3 * 2 ** 30 - 3, 0, 0)) - Math.sqrt(2))).toBeLessThanOrEqual(near); // 2^31 - 2 above the mean
    expect(Math.abs((await variation(2 ** 32 - 1, 0, 0)) - Math.sqrt(2))).toBeGreaterThan(near);
  });
});
