import { describe, expect, test } from "vitest";
import { boundOfFill, fillExact } from "../../../src/serving/routing/bfio_exact.ts";
import { fillFast } from "../../../src/serving/routing/bfio_fill.ts";
import { objective } from "../../../src/serving/routing/bfio_objective.ts";
import {
  assignmentOf,
  bruteForce,
  type Instance,
  randomInstance,
  valueFromDefinition,
  workersOf,
} from "./bfio_instances.ts";

/** Sums of some dozens of terms, in different orders. */
const rounding = (value: number) => 2 ** -40 * (1 + Math.abs(value)) * 100;

const instances = Array.from({ length: 600 }, (_, seed) => ({ seed, instance: randomInstance(seed) }));

/** Some request that waits fits where there is room. */
function couldTakeMore(i: Instance, workers: number[]): boolean {
  return workers.some(
    (at, r) =>
      at < 0 && i.base.some((_, g) => valueFromDefinition(i, workers.with(r, g)) !== undefined && i.room[g] > 0),
  );
}

describe("600 small fills against all assignments", () => {
  const seen = { memory: 0, choice: 0, all: 0, worse: 0, equal: 0, excess: 0 };

  test.each([
    [0, 200],
    [200, 400],
    [400, 600],
  ])("exact is best, its bound below, fast above: seeds %i to %i", (from, to) => {
    for (const { seed, instance } of instances.slice(from, to)) {
      const best = bruteForce(instance);
      const exact = assignmentOf(instance);
      const bound = boundOfFill(exact.fill, best.count);
      fillExact(exact);
      const value = valueFromDefinition(instance, workersOf(exact));
      expect(exact.count, `seed ${seed}`).toBe(best.count);
      expect(Math.abs(value! - best.value), `seed ${seed}: ${value}, best ${best.value}`).toBeLessThan(
        rounding(best.value),
      );
      expect(Math.abs(objective(exact.fill) - value!), `seed ${seed}`).toBeLessThan(rounding(value!));
      expect(bound, `seed ${seed}`).toBeLessThanOrEqual(best.value + rounding(best.value));

      const fast = assignmentOf(instance);
      fillFast(fast);
      const workers = workersOf(fast);
      const reached = valueFromDefinition(instance, workers);
      expect(reached, `seed ${seed}: within the limits`).toBeDefined();
      expect(Math.abs(objective(fast.fill) - reached!), `seed ${seed}`).toBeLessThan(rounding(reached!));
      expect(couldTakeMore(instance, workers), `seed ${seed}`).toBe(false);
      expect(fast.count).toBeLessThanOrEqual(best.count);
      if (fast.count < best.count) seen.memory++;
      else {
        expect(reached, `seed ${seed}`).toBeGreaterThanOrEqual(best.value - rounding(best.value));
        seen.excess += (reached! - best.value) / Math.max(1, Math.abs(best.value));
        if (reached! > best.value + rounding(best.value)) seen.worse++;
        else seen.equal++;
      }
      if (instance.prompts.length > instance.room.reduce((a, b) => a + b)) seen.choice++;
      else seen.all++;
    }
  });

  test("the fills were of all kinds, and fast is mostly best", () => {
    const excess = seen.excess / (seen.equal + seen.worse);
    console.log(
      `fast: best ${seen.equal}, worse ${seen.worse}, fewer requests ${seen.memory}; ${(100 * excess).toFixed(2)} % above exact on average`,
    );
    expect(excess).toBeLessThan(0.05);
    expect(seen.choice).toBeGreaterThan(100);
    expect(seen.all).toBeGreaterThan(100);
    expect(seen.equal / (seen.equal + seen.worse)).toBeGreaterThan(0.9);
    expect(seen.memory).toBeLessThan(0.05 * instances.length);
  });
});
