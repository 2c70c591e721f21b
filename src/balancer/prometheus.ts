import { ArgumentError } from "../common/errors.ts";
import type { Balancer } from "./balancer.ts";
import type { BalancerMetrics, Histogram } from "./metrics.ts";
import type { TrafficTotals } from "./traffic_report.ts";

/** What prom-client's Registry needs of a metric: it asks for the values when it is scraped. */
interface ScrapedMetric {
  name: string;
  help: string;
  type: "counter" | "histogram";
  aggregator: "sum";
  get(): Promise<Omit<ScrapedMetric, "get" | "reset"> & { values: Sample[] }>;
  reset(): void;
}

interface Sample {
  value: number;
  labels: Record<string, string | number>;
  metricName?: string;
}

/** A `Registry` of the npm package prom-client, of which nothing else is used. */
export interface PrometheusRegistry {
  // biome-ignore lint/suspicious/noExplicitAny: prom-client's own metric classes, whose private parts no other type has
  registerMetric(metric: any): void;
}

/**
 * Shows a balancer's metrics in a prom-client registry (15): counters evenkeel_..._total, histograms of imbalance, and GPU time per stage.
 *
 * @param balancer  asked at each scrape; `{ metrics: () => current.metrics() }` where balancers replace each other, as placements do.
 * @param labels  on every sample, to tell several balancers' metrics in different registries apart.
 * @throws {ArgumentError} They are no balancer and no registry.  @throws whatever the registry throws, where it already has such metrics.
 */
export function registerPrometheusMetrics(
  balancer: Pick<Balancer, "metrics">,
  registry: PrometheusRegistry,
  labels: Record<string, string> = {},
): void {
  if (typeof balancer?.metrics !== "function") {
    throw new ArgumentError("balancer", "a balancer, or { metrics }", balancer, "Await createBalancer first.");
  }
  if (typeof registry?.registerMetric !== "function") {
    throw new ArgumentError("registry", "a Registry of prom-client", registry);
  }
  const register = (name: string, help: string, type: ScrapedMetric["type"], values: () => Sample[]) => {
    const aggregator = "sum";
    // metric.name, not name: for OpenMetrics the registry takes the _total off and puts it back on each sample.
    const get = async () => ({ name: metric.name, help, type, aggregator, values: values() }) as const;
    const metric: ScrapedMetric = { name, help, type, aggregator, get, reset() {} };
    registry.registerMetric(metric);
  };
  const counters = {
    batches: "Batches balanced.",
    solves: "Layers solved, one linear program each.",
    skipped: "Layers that kept their even split.",
    late: "Layers remapped by the previous batch's solution.",
    finishedOnCpu: "Layers that the kernel left with a gap and the CPU closed.",
    outOfRange: "Expert ids that were neither an expert nor -1.",
    unserved: "Expert ids of experts that had no slot on a living GPU.",
    recoveries: "Times that a lost device was replaced.",
  } as const;
  for (const [field, help] of Object.entries(counters)) {
    const name = `evenkeel_${field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_total`;
    register(name, help, "counter", () => [{ value: balancer.metrics()[field as keyof typeof counters], labels }]);
  }
  register("evenkeel_stage_microseconds_total", "GPU time per stage, of timed batches.", "counter", () =>
    Object.entries(balancer.metrics().stageUs ?? {}).map(([stage, value]) => ({ value, labels: { ...labels, stage } })),
  );
  const places = { ownGpu: "own_gpu", ownNode: "own_node", otherNodes: "other_nodes" } as const;
  const pairs = { tokenNodePairs: "all", otherNodePairs: "other" } as const;
  register("evenkeel_assignments_total", "Assignments by where they went from their token's source.", "counter", () =>
    sentSamples(balancer.metrics(), places, "place", labels),
  );
  register("evenkeel_token_node_pairs_total", "Pairs of a token and a node that it went to.", "counter", () =>
    sentSamples(balancer.metrics(), pairs, "nodes", labels),
  );
  const histograms = {
    imbalanceBefore: ["evenkeel_imbalance_before", "Largest over mean load per layer, under the even split."],
    imbalanceAfter: ["evenkeel_imbalance_after", "Largest over mean load per layer, as balanced."],
  } as const;
  for (const [field, [name, help]] of Object.entries(histograms)) {
    register(name, help, "histogram", () =>
      histogramSamples(name, balancer.metrics()[field as keyof typeof histograms], labels),
    );
  }
}

/** Under the even split and as balanced; none without distances. */
function sentSamples(
  { trafficBefore, trafficAfter }: BalancerMetrics,
  names: Partial<Record<keyof TrafficTotals, string>>,
  label: string,
  labels: Record<string, string>,
): Sample[] {
  return Object.entries({ even: trafficBefore, balanced: trafficAfter }).flatMap(([split, totals]) =>
    Object.entries(names).flatMap(([field, name]) =>
      totals ? [{ value: totals[field as keyof TrafficTotals], labels: { ...labels, split, [label]: name } }] : [],
    ),
  );
}

function histogramSamples(name: string, histogram: Histogram, labels: Record<string, string>): Sample[] {
  const { bounds, counts, sum, count } = histogram;
  const bucket = (le: number | string, value: number) => ({
    metricName: `${name}_bucket`,
    value,
    labels: { ...labels, le },
  });
  return [
    ...bounds.map((bound, i) => bucket(bound, counts[i])),
    bucket("+Inf", count),
    { metricName: `${name}_sum`, value: sum, labels },
    { metricName: `${name}_count`, value: count, labels },
  ];
}
