import { expect, test } from "vitest";
import { Pauses } from "../../../src/common/pauses.ts";
import { seeded } from "../../../src/common/random.ts";
import { Dual } from "../../../src/serving/bound/dual.ts";
import { makeNonIncreasing } from "../../../src/serving/bound/non_increasing.ts";
import { cpuPricing } from "../../../src/serving/bound/pricing.ts";
import { timedRequests } from "../../../src/serving/bound/timed_requests.ts";
import { drawnProblem } from "./problems.ts";

test("D is concave: no prices are worth more than the supergradient at others says", async () => {
  const random = seeded(31);
  for (let run = 0; run < 200; run++) {
    const { trace, options } = drawnProblem(random, 12);
    const requests = timedRequests(trace, 0, trace.requests, 0);
    const pool = { memory: options.kvTokens * options.workers, slots: 2 };
    const horizon = 5 + random.below(20);
    const dual = new Dual(requests, pool, horizon, cpuPricing(requests, new Pauses()));
    const drawn = () => Float64Array.from({ length: horizon + 1 }, () => random.next() * (random.below(3) / 4));
    const [from, to] = [0, 1].map(() => ({ kv: drawn(), slot: drawn() }));
    const value = await dual.evaluate(from);
    let promised = value;
    for (let t = 1; t <= horizon; t++) {
      promised += (dual.usage[t] - pool.memory) * (to.kv[t] - from.kv[t]);
      promised += (dual.running[t] - pool.slots) * (to.slot[t] - from.slot[t]);
    }
    expect(await dual.evaluate(to)).toBeLessThanOrEqual(promised + 1e-9);
  }
});

test("the nearest sequence that never rises: means of pools that fall, and no nearer one by any move", () => {
  const random = seeded(32);
  for (let run = 0; run < 300; run++) {
    const given = Float64Array.from({ length: 2 + random.below(12) }, () => random.below(6));
    const made = given.slice();
    makeNonIncreasing(made);
    expect(made[0]).toBe(given[0]);
    for (let t = 2; t < made.length; t++) expect(made[t]).toBeLessThanOrEqual(made[t - 1]);
    // Optimal over a cone iff the rest is orthogonal to the point and makes no acute angle with the cone's rays, 1 up to t and 0 then.
    let along = 0;
    let ray = 0;
    for (let t = 1; t < made.length; t++) {
      along += (given[t] - made[t]) * made[t];
      ray += given[t] - made[t];
      expect(ray).toBeLessThanOrEqual(1e-9);
    }
    expect(along).toBeCloseTo(0, 9);
    expect(ray).toBeCloseTo(0, 9);
  }
});
