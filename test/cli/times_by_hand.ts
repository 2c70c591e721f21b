import { expect } from "vitest";
import type { TimeReport, TimeSummary, Timing } from "../../src/cli/reports/split_times.ts";
import { certify, type ExpertCost, Placement, solveLoadBalanceLP } from "../../src/index.ts";

/** A cost, and c(x) by its definition. */
export interface Known {
  cost: ExpertCost;
  c: (x: number) => number;
}

export const roofline: Known = {
  cost: { model: "roofline", perExpert: 16, perToken: 0.5 },
  c: (x) => (x > 0 ? Math.max(16, 0.5 * x) : 0),
};

/** What `--cost` shows of one batch. */
export type TimesOfBatch = Record<Timing, number>;

/**
 * When the last GPU is done, from a batch, the placement and the cost: slot by slot. Quotas are the library's, certified; evenly, token m of w, counted
 * from 1, goes to slot ceil(m n / w) of the n living slots of its expert.
 */
export async function timesByHand(
  load: readonly number[],
  map: readonly number[],
  gpus: number,
  { cost, c }: Known,
  dead: readonly number[] = [],
): Promise<TimesOfBatch> {
  const perGpu = map.length / gpus;
  const gpuOf = (slot: number) => Math.floor(slot / perGpu);
  const living = Array.from({ length: gpus }, (_, g) => g).filter((g) => !dead.includes(g));
  const slotsOf = load.map((_, e) => [...map.keys()].filter((p) => map[p] === e && living.includes(gpuOf(p))));
  const served = load.map((tokens, e) => (slotsOf[e].length > 0 ? tokens : 0));
  const last = (quota: ArrayLike<number>) => {
    const time = new Array<number>(gpus).fill(0);
    for (let p = 0; p < map.length; p++) time[gpuOf(p)] += c(quota[p]);
    return Math.max(...time);
  };
  const inOrder = new Array<number>(living.length).fill(0);
  const even = new Array<number>(map.length).fill(0);
  for (const [e, tokens] of served.entries()) {
    inOrder[Math.floor((e * living.length) / load.length)] += c(tokens);
    const slots = slotsOf[e];
    for (let m = 1; m <= tokens; m++) even[slots[Math.ceil((m * slots.length) / tokens) - 1]]++;
  }
  const problem = {
    placement: Placement.fromPhysicalToLogical([...map], { gpus }),
    expertLoad: [...load],
    active: Array.from({ length: gpus }, (_, g) => !dead.includes(g)),
  };
  const byTokens = await solveLoadBalanceLP(problem, { backend: "cpu" });
  const byTime = await solveLoadBalanceLP({ ...problem, cost }, { backend: "cpu" });
  expect(certify({ ...problem, cost }, byTime)[0].valid).toBe(true);
  return {
    ...{ originals: Math.max(...inOrder), even: last(even), tokens: last(byTokens.quota), time: last(byTime.quota) },
    bound: byTime.timeBound[0],
  };
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** A summary is what the batches say. Returns how many of them are not proven optimal. */
export function expectSummary(found: TimeSummary, batches: readonly TimesOfBatch[], where = ""): number {
  const gaps = batches.map(({ time, bound }) => (time - bound) / time);
  const open = gaps.filter((gap) => gap > 1e-9).length;
  expect({ batches: found.batches, optimal: found.optimal }, where).toEqual({
    batches: batches.length,
    optimal: batches.length - open,
  });
  expect(found.gap, where).toBeCloseTo(mean(gaps), 9);
  for (const name of ["originals", "even", "tokens", "time", "bound"] as const) {
    const values = batches.map((batch) => batch[name]).sort((a, b) => a - b);
    expect(found[name].mean, `${where} ${name}`).toBeCloseTo(mean(values), 9);
    expect(found[name].p95, `${where} ${name}`).toBeCloseTo(values[Math.ceil(0.95 * values.length) - 1], 9);
  }
  return open;
}

/** The regime's figures, from its definition. */
export function expectRegime(
  regime: TimeReport["regime"],
  loads: readonly number[],
  c: Known["c"],
  pace: number,
): void {
  const some = loads.filter((load) => load > 0);
  const sum = (of: (load: number) => number) => some.reduce((total, load) => total + of(load), 0);
  const turn = c(1) / pace;
  expect(regime.tokensPerExpert).toBeCloseTo(sum((load) => load) / some.length, 9);
  expect(regime.turn).toBeCloseTo(turn, 9);
  expect(regime.below).toBeCloseTo(some.filter((load) => load < turn).length / some.length, 12);
  expect(regime.weights).toBeCloseTo((some.length * c(1)) / sum(c), 9);
  expect(regime.arithmetic).toBeCloseTo((pace * sum((load) => load)) / sum(c), 9);
  const { weights, arithmetic } = regime;
  const kinds = { "memory-bound": weights >= 0.8, "compute-bound": weights < 0.8 && arithmetic >= 0.8, between: true };
  expect(regime.kind).toBe(Object.entries(kinds).find(([, is]) => is)![0]);
}
