import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import {
  type Balancer,
  type BalancerMetrics,
  createBalancer,
  type Histogram,
  Placement,
  registerPrometheusMetrics,
} from "../../src/index.ts";

interface Family {
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

/** Prometheus' text format, by its grammar: a line that does not fit throws. */
function parse(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let family: Family | undefined;
  for (const line of text.trimEnd().split("\n")) {
    const help = /^# HELP ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|histogram)$/.exec(line);
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.+)\})? (\d+(?:\.\d+)?(?:e[+-]\d+)?)$/.exec(line);
    if (help) {
      expect(families.has(help[1]), help[1]).toBe(false);
      family = { type: "", help: help[2], samples: [] };
      families.set(help[1], family);
    } else if (type) {
      families.get(type[1])!.type = type[2];
    } else if (sample) {
      const labels: Record<string, string> = {};
      const rest = (sample[2] ?? "").replaceAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/g, (_, label, value) => {
        labels[label] = value;
        return "";
      });
      expect(rest, line).toBe("");
      family!.samples.push({ name: sample[1], labels, value: Number(sample[3]) });
    } else if (line !== "" && line !== "# EOF") {
      throw new Error(`not Prometheus' text format: ${line}`);
    }
  }
  return families;
}

const scrape = async (registry: Pick<Registry, "metrics">) => parse(await registry.metrics());

/** name and value of each sample of the counters. */
function counters(families: Map<string, Family>): Record<string, number> {
  const found = [...families.values()].filter(({ type }) => type === "counter").flatMap(({ samples }) => samples);
  return Object.fromEntries(found.map(({ name, labels, value }) => [name + (labels.stage ?? ""), value]));
}

const expectedCounters = (metrics: BalancerMetrics) => ({
  evenkeel_batches_total: metrics.batches,
  evenkeel_solves_total: metrics.solves,
  evenkeel_skipped_total: metrics.skipped,
  evenkeel_late_total: metrics.late,
  evenkeel_finished_on_cpu_total: metrics.finishedOnCpu,
  evenkeel_out_of_range_total: metrics.outOfRange,
  evenkeel_unserved_total: metrics.unserved,
  evenkeel_recoveries_total: metrics.recoveries,
  ...Object.fromEntries(
    Object.entries(metrics.stageUs ?? {}).map(([stage, us]) => [`evenkeel_stage_microseconds_total${stage}`, us]),
  ),
});

const placement = Placement.fromPhysicalToLogical([0, 1, 2, 0, 3, 4, 0, 1, 5], { gpus: 3 });

const layers = 4;

/** [layers, 100 tokens, 2], one of them out of range in each layer. */
function ids(seed: number): Int32Array {
  const random = seeded(seed);
  return Int32Array.from({ length: layers * 100 * 2 }, (_, i) =>
    i % 200 === 7 ? 6 : random.below(1 + random.below(6)),
  );
}

async function balanced(options: Partial<Parameters<typeof createBalancer>[0]>, batches = 5): Promise<Balancer> {
  const balancer = await createBalancer({ placement, layers, topK: 2, maxTokens: 100, ...options });
  for (let seed = 0; seed < batches; seed++) await balancer.balance(ids(seed));
  return balancer;
}

test("every counter shows its own field", async () => {
  const metrics: BalancerMetrics = {
    ...(await balanced({ backend: "cpu" }, 0)).metrics(),
    batches: 1,
    solves: 2,
    skipped: 3,
    late: 4,
    finishedOnCpu: 5,
    outOfRange: 6,
    unserved: 8,
    recoveries: 7,
    stageUs: { count: 8.5, solve: 9 },
  };
  const registry = new Registry();
  registerPrometheusMetrics({ metrics: () => metrics }, registry);
  expect(counters(await scrape(registry))).toEqual(expectedCounters(metrics));
});

test.each([
  { backend: "cpu", skipBelow: 1.2 },
  { backend: "cpu", late: true },
  { backend: "webgpu", timestamps: true },
] as const)("the scraped text says what the metrics say, %j", async (options) => {
  const balancer = await balanced(options);
  const registry = new Registry();
  registerPrometheusMetrics(balancer, registry);
  for (const batches of [5, 6]) {
    const metrics = balancer.metrics();
    expect(metrics).toMatchObject({ batches, outOfRange: layers * batches });
    expect(metrics.solves + metrics.skipped).toBe(layers * batches);
    if ("skipBelow" in options) expect(Math.min(metrics.solves, metrics.skipped)).toBeGreaterThan(0);
    if ("late" in options) expect(metrics.late).toBe(layers * batches);
    if ("timestamps" in options)
      expect(Object.keys(metrics.stageUs!)).toEqual(["count", "imbalance", "solve", "remap"]);
    const families = await scrape(registry);
    expect(counters(families)).toEqual(expectedCounters(metrics));
    expectHistogram(families, "evenkeel_imbalance_before", metrics.imbalanceBefore, layers * batches);
    expectHistogram(families, "evenkeel_imbalance_after", metrics.imbalanceAfter, layers * batches);
    await balancer.balance(ids(batches)); // the next scrape counts on
  }
});

/** Buckets are cumulative and end with +Inf, which holds everything. */
function expectHistogram(families: Map<string, Family>, name: string, expected: Histogram, observations: number): void {
  const { type, samples } = families.get(name)!;
  const buckets = samples.slice(0, -2);
  expect(type).toBe("histogram");
  expect(buckets.map(({ labels }) => labels)).toEqual([...expected.bounds, "+Inf"].map((le) => ({ le: `${le}` })));
  expect(buckets.map(({ value }) => value)).toEqual([...expected.counts, observations]);
  for (const [i, { value }] of buckets.entries()) expect(value).toBeGreaterThanOrEqual(buckets[i - 1]?.value ?? 0);
  expect(new Set(buckets.map((bucket) => bucket.name))).toEqual(new Set([`${name}_bucket`]));
  expect(samples.slice(-2)).toEqual([
    { name: `${name}_sum`, labels: {}, value: expected.sum },
    { name: `${name}_count`, labels: {}, value: observations },
  ]);
}

test("buckets count the layers up to their bound, itself included; what lies beyond the last is in +Inf alone", async () => {
  // Six experts, one a GPU: tokens on k of them alone make an imbalance of 6 / k.
  const alone = Placement.fromPhysicalToLogical([0, 1, 2, 3, 4, 5], { gpus: 6 });
  const onto = [1, 2, 3, 4, 6, 6, 1];
  const balancer = await createBalancer({ placement: alone, topK: 1, maxTokens: 12, backend: "cpu" });
  for (const experts of onto) await balancer.balance(Int32Array.from({ length: 12 }, (_, i) => i % experts));
  const registry = new Registry();
  registerPrometheusMetrics(balancer, registry);
  const { samples } = (await scrape(registry)).get("evenkeel_imbalance_after")!;
  const bucket = (le: string) => samples.find(({ labels }) => labels.le === le)!.value;
  const found = Object.fromEntries(["1.001", "1.3", "1.5", "2", "3", "+Inf"].map((le) => [le, bucket(le)]));
  expect(found).toEqual({ "1.001": 2, "1.3": 2, "1.5": 3, "2": 4, "3": 5, "+Inf": 7 });
  const sum = onto.reduce((total, experts) => total + 6 / experts, 0);
  expect(samples.find(({ name }) => name.endsWith("_sum"))!.value).toBeCloseTo(sum, 12);
});

test("labels are on every sample, escaped, beside the registry's own", async () => {
  const registry = new Registry();
  registry.setDefaultLabels({ host: "a1" });
  registerPrometheusMetrics(await balanced({ backend: "cpu" }), registry, { model: 'the "20b"' });
  const samples = [...(await scrape(registry)).values()].flatMap((family) => family.samples);
  expect(samples).toHaveLength(8 + 2 * 13);
  for (const { labels } of samples) expect(labels).toMatchObject({ host: "a1", model: 'the \\"20b\\"' });
});

test("OpenMetrics has _total once, too", async () => {
  const registry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const balancer = await balanced({ backend: "cpu" });
  registerPrometheusMetrics(balancer, registry);
  const text = await registry.metrics();
  expect(text).toMatch(/\n# EOF\n$/);
  expect(text).toContain("# TYPE evenkeel_batches counter\nevenkeel_batches_total 5\n");
  expect(counters(parse(text))).toEqual(expectedCounters(balancer.metrics()));
});

test("one registry takes one balancer, two registries take two", async () => {
  const [first, second] = [new Registry(), new Registry()];
  const balancer = await balanced({ backend: "cpu" });
  registerPrometheusMetrics(balancer, first);
  expect(() => registerPrometheusMetrics(balancer, first)).toThrow(
    "A metric with the name evenkeel_batches_total has already been registered.",
  );
  registerPrometheusMetrics(await balanced({ backend: "cpu" }, 2), second);
  expect(counters(await scrape(first)).evenkeel_batches_total).toBe(5);
  expect(counters(await scrape(second)).evenkeel_batches_total).toBe(2);
});

test("resetting the registry leaves the balancer's counts alone", async () => {
  const registry = new Registry();
  registerPrometheusMetrics(await balanced({ backend: "cpu" }), registry);
  registry.resetMetrics();
  expect(counters(await scrape(registry)).evenkeel_batches_total).toBe(5);
});

test("a balancer that was not awaited, or no registry, is refused when it is registered, not when it is scraped", async () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });
  const balancer = createBalancer({ placement, topK: 1, maxTokens: 1, backend: "cpu" });
  expect(() => registerPrometheusMetrics(balancer as never, new Registry())).toThrow(
    "balancer: expected a balancer, or { metrics }, got an object of Promise. Await createBalancer first.",
  );
  const awaited = await balancer;
  expect(() => registerPrometheusMetrics(awaited, undefined as never)).toThrow(
    /^registry: expected a Registry of prom-client/,
  );
});

test("with distances: assignments by where they went and pairs of tokens and nodes, evenly split and as balanced", async () => {
  const registry = new Registry();
  const balancer = await balanced({ backend: "cpu", nodes: 3 }, 3);
  registerPrometheusMetrics(balancer, registry);
  const { trafficBefore, trafficAfter } = balancer.metrics();
  const families = await scrape(registry);
  const value = (family: string, labels: Record<string, string>) =>
    families
      .get(family)!
      .samples.find((sample) => Object.entries(labels).every(([name, label]) => sample.labels[name] === label))!.value;
  for (const [split, totals] of Object.entries({ even: trafficBefore!, balanced: trafficAfter! })) {
    const places = { own_gpu: totals.ownGpu, own_node: totals.ownNode, other_nodes: totals.otherNodes };
    for (const [place, count] of Object.entries(places)) {
      expect(value("evenkeel_assignments_total", { split, place })).toBe(count);
    }
    expect(value("evenkeel_token_node_pairs_total", { split, nodes: "all" })).toBe(totals.tokenNodePairs);
    expect(value("evenkeel_token_node_pairs_total", { split, nodes: "other" })).toBe(totals.otherNodePairs);
    expect(totals.ownGpu + totals.ownNode + totals.otherNodes).toBe(3 * layers * 199); // one id in each is out of range
  }
});
