/** Every policy in many small simulations: the simulator checks the rules. */
import { expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import type { SchedulingPolicy } from "../../../src/serving/policy.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import { scheduling } from "../../../src/serving/scheduling/scheduling.ts";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { inRounds, withoutSteps } from "./hand.ts";

const policies: [string, () => SchedulingPolicy][] = [
  ["fcfs", () => scheduling.fcfs()],
  ["fcfs, future", () => scheduling.fcfs({ admission: "future" })],
  ["sjf", () => scheduling.sjf()],
  ["sjf, future", () => scheduling.sjf({ admission: "future" })],
  ["priority", () => scheduling.priority()],
  ["priority, future", () => scheduling.priority({ admission: "future" })],
  ["mcsf", () => scheduling.mcsf()],
  ["mcsf with a reserve", () => scheduling.mcsf({ reserve: 0.2 })],
  ["svf", () => scheduling.svf()],
  ["sortedF", () => scheduling.sortedF()],
  ["aMax", () => scheduling.aMax()],
  ["aMin", () => scheduling.aMin()],
  ["prices", () => scheduling.prices({ prices: { kv: Float64Array.from({ length: 150 }, (_, t) => (t % 7) / 50) } })],
  ["trail", () => scheduling.trail()],
  ["trail, c = 0", () => scheduling.trail({ c: 0 })],
  ["trail, c = 2", () => scheduling.trail({ c: 2 })],
];

function randomTrace(random: Random): Trace {
  const n = 1 + random.below(50);
  const span = random.pick([1, 30, 200]);
  return {
    requests: n,
    arrival: Float64Array.from({ length: n }, () => span * random.next()).sort(),
    input: Int32Array.from({ length: n }, () => 1 + random.below(40)),
    output: Int32Array.from({ length: n }, () => 1 + random.below(30)),
    class: Int32Array.from({ length: n }, () => random.below(3)),
  };
}

function randomOptions(random: Random, seed: number): Omit<SimulateOptions, "scheduling"> {
  const stepTime = {
    ...{ base: 0.01 + random.next(), perSequence: random.next() / 10, perKvToken: random.next() / 1000 },
    ...{ perPrefillToken: random.next() / 100, perContext: random.next() / 1000 },
  };
  const workers = Array.from({ length: 1 + random.below(2) }, () => ({
    slots: 1 + random.below(12),
    kvTokens: 70 + random.below(random.pick([10, 150])), // the largest request holds 70
    stepTime,
  }));
  return {
    workers,
    clock: random.pick(["rounds", "seconds"]),
    routing: routing.leastRequests(),
    barrier: random.next() < 0.2,
    prefill: random.pick(["whole", "whole", { chunk: 16 }, { chunk: 3 }, { pool: workers, bandwidth: 20 }]),
    eviction: random.pick(["restart", "recompute"]),
    prediction: random.pick(["exact", { factor: 3 }, { bins: 8 }, { interval: [1, 12] }, { interval: [20, 90] }]),
    seed,
  };
}

test.each(policies)(
  "%s: 60 random simulations, all served, alike with and without the worker's steps",
  async (name, make) => {
    let evictions = 0;
    for (let seed = 0; seed < 60; seed++) {
      const random = seeded(seed);
      const trace = randomTrace(random);
      const options = randomOptions(random, seed);
      const simulated = await simulate(trace, { ...options, scheduling: make() });
      expect(simulated.summary.completed, `seed ${seed}`).toBe(trace.requests);
      evictions += simulated.summary.evictions;
      const other = await simulate(trace, { ...options, scheduling: withoutSteps(make()) });
      expect([...other.start], `seed ${seed}`).toEqual([...simulated.start]);
      expect([...other.finish], `seed ${seed}`).toEqual([...simulated.finish]);
    }
    expect(evictions, name).toBeGreaterThan(name === "mcsf with a reserve" ? 5 : 20);
  },
);

test("with exact intervals A_min and A_max are MC-SF, start for start", async () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = seeded(seed);
    const trace = randomTrace(random);
    const [mcsf, ...others] = await Promise.all(
      [scheduling.mcsf(), scheduling.aMin(), scheduling.aMax()].map((policy) => inRounds(trace, 100, policy)),
    );
    const [bins] = await Promise.all([inRounds(trace, 100, scheduling.aMin(), { prediction: { bins: 1 } })]);
    for (const { start } of [...others, bins]) expect([...start], `seed ${seed}`).toEqual([...mcsf.start]);
    expect(mcsf.summary.evictions).toBe(0);
  }
});
