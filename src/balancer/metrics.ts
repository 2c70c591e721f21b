import type { ImbalanceReport } from "./kernels/imbalance.ts";
import type { TrafficTotals } from "./traffic_report.ts";
import type { Balanced } from "./types.ts";

/** Cumulative, as Prometheus counts: `counts[i]` observations were <= `bounds[i]`. */
export interface Histogram {
  bounds: readonly number[];
  counts: number[];
  sum: number;
  count: number;
}

/** What a balancer has done since it was made. */
export interface BalancerMetrics {
  /** Calls of `balance`. */
  batches: number;
  /** Layers solved, one LP each. */
  solves: number;
  /** Layers that kept their even split. */
  skipped: number;
  /** Layers remapped by the previous batch's solution. */
  late: number;
  /** Layers that the kernel left with a gap. */
  finishedOnCpu: number;
  /** Ids that were neither an expert nor -1. */
  outOfRange: number;
  /** Ids of experts that had no slot on a living GPU. */
  unserved: number;
  /** Times that a lost device was replaced. */
  recoveries: number;
  /** Imbalance per layer with load under the even split, and as balanced. Of tokens, with a cost, too. */
  imbalanceBefore: Histogram;
  imbalanceAfter: Histogram;
  /**
   * Where assignments went from their sources, added up over layers and batches: as they would have by position under the even split, and as balanced.
   * Of this rank's own tokens; undefined without distances.
   */
  trafficBefore: TrafficTotals | undefined;
  trafficAfter: TrafficTotals | undefined;
  /** GPU microseconds per stage, added up over the calls that were timed; undefined without timestamps. */
  stageUs: Record<string, number> | undefined;
  /** Calls in `stageUs`. */
  timed: number;
}

/** From balanced to twice the mean and beyond, finest where the decisions are made. */
const BOUNDS = [1.001, 1.003, 1.01, 1.03, 1.1, 1.2, 1.3, 1.5, 2, 3];

const emptyHistogram = (): Histogram => ({ bounds: BOUNDS, counts: BOUNDS.map(() => 0), sum: 0, count: 0 });

/** Layers without load are left out: their 1 would flatter the others. */
function observe(histogram: Histogram, { imbalance: values, max }: ImbalanceReport): void {
  for (let i = 0; i < values.length; i++) {
    if (max[i] === 0) continue;
    histogram.sum += values[i];
    histogram.count++;
    for (const [k, bound] of BOUNDS.entries()) if (values[i] <= bound) histogram.counts[k]++;
  }
}

/** The totals with those of a batch, where it has any. */
function added(totals: TrafficTotals | undefined, { traffic }: ImbalanceReport): TrafficTotals | undefined {
  if (!traffic) return totals;
  const sums = (Object.entries(traffic) as [string, Int32Array][]).map(([name, perLayer]) => {
    const known = totals?.[name as keyof TrafficTotals] ?? 0;
    return [name, perLayer.reduce((a, b) => a + b, known)];
  });
  return Object.fromEntries(sums) as TrafficTotals;
}

export function createMetrics() {
  const metrics: BalancerMetrics = {
    batches: 0,
    solves: 0,
    skipped: 0,
    late: 0,
    finishedOnCpu: 0,
    outOfRange: 0,
    unserved: 0,
    recoveries: 0,
    imbalanceBefore: emptyHistogram(),
    imbalanceAfter: emptyHistogram(),
    trafficBefore: undefined,
    trafficAfter: undefined,
    stageUs: undefined,
    timed: 0,
  };
  return {
    record(
      { status, before, after, outOfRange, unserved }: Balanced,
      finishedOnCpu: number,
      stageUs?: Record<string, number>,
    ): void {
      metrics.batches++;
      for (const one of status) {
        if (one === "skipped") metrics.skipped++;
        else metrics.solves++; // a late layer's own LP is solved, too: for the next batch
        if (one === "late") metrics.late++;
      }
      metrics.finishedOnCpu += finishedOnCpu;
      metrics.outOfRange += outOfRange.reduce((a, b) => a + b, 0);
      metrics.unserved += unserved.reduce((a, b) => a + b, 0);
      observe(metrics.imbalanceBefore, before);
      observe(metrics.imbalanceAfter, after);
      metrics.trafficBefore = added(metrics.trafficBefore, before);
      metrics.trafficAfter = added(metrics.trafficAfter, after);
      if (!stageUs) return;
      metrics.timed++;
      metrics.stageUs ??= {};
      for (const [stage, us] of Object.entries(stageUs)) metrics.stageUs[stage] = (metrics.stageUs[stage] ?? 0) + us;
    },
    recovered(): void {
      metrics.recoveries++;
    },
    /** A copy, the caller's to keep. */
    snapshot: (): BalancerMetrics => structuredClone(metrics),
  };
}
