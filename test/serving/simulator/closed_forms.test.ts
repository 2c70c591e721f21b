/** Waiting times in queues whose means are known in closed form. A round is small against the service: at least 500 of them. */
import { expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { centralQueue, inTurn } from "./policies.ts";

const MEAN = 500;
const exponential = (random: Random, mean: number) => -mean * Math.log(1 - random.next());

/** Poisson arrivals to `servers` that are busy a share `rho` of the time. */
function queueTrace(
  seed: number,
  requests: number,
  servers: number,
  rho: number,
  service: (random: Random) => number,
): Trace {
  const random = seeded(seed);
  const arrival = new Float64Array(requests);
  for (let i = 0, at = 0; i < requests; i++) {
    at += exponential(random, MEAN / servers / rho);
    arrival[i] = at;
  }
  const output = Int32Array.from({ length: requests }, () => Math.max(1, Math.round(service(random))));
  return { requests, arrival, input: new Int32Array(requests).fill(1), output };
}

/** Erlang's C: the probability that all c servers are busy, a = lambda / mu. */
function erlangC(c: number, a: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; k < c; k++) {
    term *= a / k;
    sum += term;
  }
  const last = (term * a) / c / (1 - a / c);
  return last / (sum + last);
}

const waitOfMMc = (c: number, rho: number) => (erlangC(c, c * rho) * MEAN) / (c * (1 - rho));
/** Pollaczek and Khinchine. */
const waitOfMG1 = (rho: number, cv2: number) => ((rho * MEAN) / (1 - rho)) * ((1 + cv2) / 2);
/** A mixture of two exponentials with balanced means: cv^2 = 4. */
function hyperexponential(random: Random): number {
  const p = (1 + Math.sqrt(3 / 5)) / 2;
  return random.next() < p ? exponential(random, MEAN / 2 / p) : exponential(random, MEAN / 2 / (1 - p));
}

const one = { workers: [{ slots: 1, kvTokens: 1e9 }], routing: inTurn };
const four = { workers: [{ slots: 4, kvTokens: 1e9 }], routing: inTurn };
const fourWorkers = { workers: Array.from({ length: 4 }, () => ({ slots: 1, kvTokens: 1e9 })), routing: centralQueue };

test.each([
  {
    name: "M/M/1",
    system: one,
    servers: 1,
    rho: 0.7,
    service: (r: Random) => exponential(r, MEAN),
    wait: waitOfMG1(0.7, 1),
  },
  { name: "M/D/1", system: one, servers: 1, rho: 0.7, service: () => MEAN, wait: waitOfMG1(0.7, 0) },
  { name: "M/H2/1", system: one, servers: 1, rho: 0.5, service: hyperexponential, wait: waitOfMG1(0.5, 4) },
  {
    name: "M/M/4, a worker with four slots",
    system: four,
    servers: 4,
    rho: 0.7,
    service: (r: Random) => exponential(r, MEAN),
    wait: waitOfMMc(4, 0.7),
  },
  {
    name: "M/M/4, four workers with a slot",
    system: fourWorkers,
    servers: 4,
    rho: 0.7,
    service: (r: Random) => exponential(r, MEAN),
    wait: waitOfMMc(4, 0.7),
  },
])(
  "$name: the mean wait is in the interval of 95 %, in most of 10 runs",
  async ({ system, servers, rho, service, wait }) => {
    let within = 0;
    let sum = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const trace = queueTrace(seed, 20_000, servers, rho, service);
      const { summary } = await simulate(trace, { ...system, clock: "rounds", warmUp: 100 * MEAN });
      expect(summary.slotUse, `seed ${seed}`).toBeGreaterThan(rho - 0.1);
      if (Math.abs(summary.wait.mean - wait) <= summary.wait.halfWidth) within++;
      sum += summary.wait.mean / 10;
    }
    // 19 of 20 where batches are independent and normal: fewer than 8 of 10 then have a chance of 1 in 90.
    expect(within).toBeGreaterThanOrEqual(8);
    expect(sum / wait).toBeGreaterThan(0.95);
    expect(sum / wait).toBeLessThan(1.05);
  },
);

test("an interval that is held against a wrong mean is found out", async () => {
  const trace = queueTrace(1, 10_000, 1, 0.7, (random) => exponential(random, MEAN));
  const { wait } = (await simulate(trace, { ...one, clock: "rounds" })).summary;
  expect(wait.halfWidth).toBeLessThan(0.3 * wait.mean);
  expect(Math.abs(wait.mean - waitOfMG1(0.6, 1))).toBeGreaterThan(wait.halfWidth);
});
