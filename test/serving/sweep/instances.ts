/** Small traces under pressure, and grids over all policies, drawn by seed. */
import { type Random, seeded } from "../../../src/common/random.ts";
import type { StepTime, SweepGrid, Trace } from "../../../src/serving.ts";

/** A unit of time of which steps are whole multiples, us. */
const UNIT = 128;

/** Every step is a whole number of units, so that nothing is rounded. */
export const wholeStepTime: StepTime = {
  base: 80e-6 * UNIT,
  perSequence: 1e-6 * UNIT,
  perKvToken: 1e-6 * UNIT,
  perPrefillToken: 1e-6 * UNIT,
  perContext: 2e-6 * UNIT,
};
/** None is. */
export const brokenStepTime: StepTime = {
  base: 0.0101234567,
  perSequence: 2.345678e-5,
  perKvToken: 1.23456789e-6,
  perPrefillToken: 3.3333333e-6,
  perContext: 2.7182818e-8,
};

/**
 * Requests at their own parts of a unit: with steps of whole units none comes when a step ends, which floats may order as they like. Some come together.
 *
 * @param ticks  of a unit of time: arrivals are whole multiples of one.
 */
export function drawnTrace(random: Random, ticks: number, rate: number): Trace {
  const n = 5 + random.below(100);
  const length = (most: number) => Int32Array.from({ length: n }, () => 1 + random.below(most));
  const isBurst = random.next() < 0.15;
  let now = 0;
  let group = 0;
  const arrival = Float64Array.from({ length: n }, () => {
    if (!isBurst && random.next() < 0.9) {
      now += -Math.log(1 - random.next()) / rate;
      group++;
    }
    return (Math.floor((now * ticks) / UNIT) * UNIT + group) / ticks;
  });
  return {
    requests: n,
    arrival,
    input: length(60),
    output: length(40),
    class: Int32Array.from(length(3), (c) => c - 1),
  };
}

/** A trace and a grid of all policies for it; memory is short, so that there are evictions. */
export function drawn(seed: number, stepTime: StepTime): { trace: Trace; grid: SweepGrid } {
  const random = seeded(seed);
  const rounds = random.next() < 0.4;
  const trace = drawnTrace(random, rounds ? 2 ** 20 : 1e6, rounds ? 0.05 + 2 * random.next() : 1 + 60 * random.next());
  const slo = { ttft: rounds ? 20 : 0.5, tpot: rounds ? 1.5 : 0.035 };
  const grid: SweepGrid = {
    clock: rounds ? "rounds" : "seconds",
    worker: { slots: 1 + random.below(12), kvTokens: 110 + random.below(300), ...(!rounds && { stepTime }) },
    workers: [1, 2, 3, 5],
    routing: ["roundRobin", "leastKv", "bfio"],
    scheduling: ["fcfs", "sjf", "priority", "svf"],
    prefill: random.next() < 0.5 ? "whole" : { chunk: 1 + random.below(40) },
    eviction: random.next() < 0.5 ? "restart" : "recompute",
    prediction: random.next() < 0.3 ? "exact" : { factor: 1 + random.next() },
    ...(random.next() < 0.7 && { slo }),
  };
  return { trace, grid };
}
