import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import { waitingTime } from "../../../src/serving/capacity/waiting_time.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import { inTurn } from "../simulator/policies.ts";
import { refused } from "./refused.ts";

describe("closed forms", () => {
  test("M/M/1: C = rho, and the quantile is that of an exponential with an atom at 0", () => {
    const { load, probability, mean, quantile } = waitingTime({ servers: 1, rate: 0.7, serviceTime: 1 });
    expect(load).toBeCloseTo(0.7, 14);
    expect(probability).toBeCloseTo(0.7, 14);
    expect(mean).toBeCloseTo(0.7 / 0.3, 13);
    expect(quantile).toBeCloseTo(Math.log(0.7 / 0.05) / 0.3, 13);
  });

  test("M/D/1 and M/G/1 have Pollaczek's and Khinchine's mean", () => {
    for (const cv of [0, 0.5, 2]) {
      const { mean } = waitingTime({ servers: 1, rate: 0.8, serviceTime: 1, cv });
      expect(mean).toBeCloseTo((0.8 / 0.2) * ((1 + cv * cv) / 2), 12);
    }
  });

  test.each([
    [2, 1.5],
    [4, 3.2],
    [16, 14.4],
    [30, 12],
  ])("Erlang's C by its sum: c = %d, a = %d", (c, a) => {
    const term = (k: number) => Array.from({ length: k }, (_, i) => a / (i + 1)).reduce((x, y) => x * y, 1);
    const last = term(c) / (1 - a / c);
    const sum = Array.from({ length: c }, (_, k) => term(k)).reduce((x, y) => x + y, 0);
    expect(waitingTime({ servers: c, rate: a, serviceTime: 1 }).probability).toBeCloseTo(last / (sum + last), 12);
  });

  test("very many servers wait for nobody but at saturation; overload waits for ever", () => {
    expect(waitingTime({ servers: 100_000, rate: 90_000, serviceTime: 1 })).toMatchObject({ quantile: 0 });
    expect(waitingTime({ servers: 100_000, rate: 99_990, serviceTime: 1 }).probability).toBeGreaterThan(0.9);
    expect(waitingTime({ servers: 2, rate: 0, serviceTime: 1 })).toEqual({
      load: 0,
      probability: 0,
      mean: 0,
      quantile: 0,
    });
    for (const rate of [2, 3]) {
      const { probability, mean, quantile } = waitingTime({ servers: 2, rate, serviceTime: 1 });
      expect([probability, mean, quantile]).toEqual([1, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    }
  });
});

const MEAN = 200;
const exponential = (random: Random, mean: number) => -mean * Math.log(1 - random.next());
/** Two exponentials with balanced means: cv^2 = 4. */
function hyperexponential(random: Random): number {
  const p = (1 + Math.sqrt(3 / 5)) / 2;
  return random.next() < p ? exponential(random, MEAN / 2 / p) : exponential(random, MEAN / 2 / (1 - p));
}

describe("the 95 % quantile, in mean service times, and that of one worker's slots, simulated", () => {
  test.each([
    { servers: 4, rho: 0.8, cv: 1, formula: 3.1, simulated: 3.21, service: (r: Random) => exponential(r, MEAN) },
    { servers: 4, rho: 0.8, cv: 2, formula: 7.75, simulated: 8.11, service: hyperexponential },
    { servers: 16, rho: 0.9, cv: 2, formula: 3.86, simulated: 3.68, service: hyperexponential },
  ])("c = $servers, rho = $rho, cv = $cv: $formula, simulated $simulated", async (one) => {
    const { servers, rho, cv, service } = one;
    const rate = (servers * rho) / MEAN;
    const { quantile } = waitingTime({ servers, rate, serviceTime: MEAN, cv });
    expect(quantile / MEAN).toBeCloseTo(one.formula, 1);
    const random = seeded(11);
    const requests = 200_000;
    const arrival = new Float64Array(requests);
    for (let i = 0, at = 0; i < requests; i++) arrival[i] = at += exponential(random, 1 / rate);
    const output = Int32Array.from({ length: requests }, () => Math.max(1, Math.round(service(random))));
    const trace = { requests, arrival, input: new Int32Array(requests).fill(1), output };
    const { summary } = await simulate(trace, {
      workers: [{ slots: servers, kvTokens: 1e9 }],
      ...{ clock: "rounds", routing: inTurn, warmUp: 20 * MEAN },
    });
    expect(Math.abs(summary.wait.p95 / MEAN / one.simulated - 1)).toBeLessThan(0.1);
    expect(Math.abs(summary.wait.p95 / quantile - 1)).toBeLessThan(0.12);
  });
});

test("what it does not understand is refused", () => {
  const good = { servers: 2, rate: 1, serviceTime: 1 };
  refused(() => waitingTime({ ...good, servers: 0 }), "servers");
  refused(() => waitingTime({ ...good, servers: 1.5 }), "servers");
  refused(() => waitingTime({ ...good, servers: 1e9 }), "servers");
  refused(() => waitingTime({ ...good, rate: -1 }), "rate");
  refused(() => waitingTime({ ...good, rate: Number.POSITIVE_INFINITY }), "rate");
  refused(() => waitingTime({ ...good, serviceTime: 0 }), "serviceTime");
  refused(() => waitingTime({ ...good, cv: Number.NaN }), "cv");
  refused(() => waitingTime({ ...good, percentile: 100 }), "percentile");
  refused(() => waitingTime({ ...good, server: 3 } as never), "options", "Did you mean server");
  refused(() => waitingTime(undefined as never), "options");
});
