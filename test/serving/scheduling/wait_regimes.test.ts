/** When WAIT pays: against first come first served with eviction, where memory is short and where there is plenty. */
import { describe, expect, test } from "vitest";
import { type FluidOptions, fluidEquilibrium, waitThresholds } from "../../../src/serving/fluid.ts";
import type { SchedulingPolicy } from "../../../src/serving/policy.ts";
import { fcfs } from "../../../src/serving/scheduling/fcfs.ts";
import { wait } from "../../../src/serving/scheduling/wait.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Summary } from "../../../src/serving/simulator/simulated.ts";
import { one, three } from "../fluids.ts";
import { inTurn } from "../simulator/policies.ts";
import { mixedTrace } from "./traces.ts";

/** A request of o + 1 tokens goes through the paper's o + 1 stages: prefill makes its first. */
async function served(policy: SchedulingPolicy, fluid: FluidOptions, kvTokens: number, end: number, seed: number) {
  const { base, perKvToken, classes } = fluid;
  const stepTime = { base, perKvToken, perSequence: 0, perPrefillToken: 0, perContext: 0 };
  const staged = classes.map((one) => ({ ...one, output: one.output + 1 }));
  const { summary, finish } = await simulate(mixedTrace(staged, end, seed), {
    workers: [{ slots: 5000, kvTokens, stepTime }],
    ...{ clock: "seconds", routing: inTurn, scheduling: policy },
  });
  const rate = finish.filter((time) => time <= end).length / end;
  print(`${kvTokens} tokens (M* ${fluidEquilibrium(fluid).kvTokens.toFixed(0)}), ${policy.name}`, rate, summary);
  return { ...summary, rate };
}

function print(name: string, rate: number, { latency, evictions }: Summary): void {
  const figures = `${rate.toFixed(1)} requests/s, latency ${latency.mean.toFixed(2)} s, ${evictions} evictions`;
  console.log(`${name}: ${figures}`);
}

describe("memory little more than M_pi, 14,140", () => {
  test("first come first served falls into evictions by chance, and stays there; WAIT does not", async () => {
    expect(waitThresholds(one, 14_847).thresholds).toEqual([2]);
    // serving.md, by another program: WAIT 60.6/s, 3.41 s, none; first come first served 46.7/s, 23.1 s, 46,643 evictions.
    const waiting = await served(wait(one), one, 14_847, 400, 13);
    const first = await served(fcfs(), one, 14_847, 400, 13);
    expect(waiting.evictions).toBe(0);
    expect(waiting.rate).toBeGreaterThan(59);
    expect(Math.abs(waiting.latency.mean - 3.41)).toBeLessThan(0.05);
    expect(first.rate).toBeLessThan(53);
    expect(first.latency.mean).toBeGreaterThan(3 * waiting.latency.mean);
    expect(first.evictions).toBeGreaterThan(20_000);
  });

  test("at 64 requests/s it falls at once", async () => {
    const busy = { ...one, classes: [{ ...one.classes[0], rate: 64 }] };
    const waiting = await served(wait(busy), busy, 14_847, 100, 1);
    const first = await served(fcfs(), busy, 14_847, 100, 1);
    expect(waiting).toMatchObject({ evictions: 0 });
    expect(waiting.rate).toBeGreaterThan(1.3 * first.rate);
  });

  test("and where chance is kind it is the faster of the two", async () => {
    const waiting = await served(wait(one), one, 14_847, 100, 0);
    const first = await served(fcfs(), one, 14_847, 100, 0);
    expect(first.evictions).toBeLessThan(100);
    expect(first.latency.mean).toBeLessThan(waiting.latency.mean);
  });
});

test("memory of 3.4 M*: both serve all that come, and waiting for company costs three times the latency", async () => {
  expect(waitThresholds(three, 126_651)).toMatchObject({ thresholds: [3, 2, 1], kvTokens: 120_620 });
  // serving.md, by another program: WAIT 16.7 s, first come first served 5.2 s, and no evictions.
  const waiting = await served(wait(three), three, 126_651, 150, 1);
  const first = await served(fcfs(), three, 126_651, 150, 1);
  for (const { evictions } of [waiting, first]) expect(evictions).toBe(0);
  expect(Math.abs(first.latency.mean - 5.2)).toBeLessThan(0.3);
  expect(Math.abs(waiting.latency.mean - 16.7)).toBeLessThan(2);
  expect(waiting.rate / first.rate).toBeGreaterThan(0.9);
});
