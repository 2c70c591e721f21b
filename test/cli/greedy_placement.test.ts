import { expect, test } from "vitest";
import { greedyPlacement } from "../../src/cli/greedy_placement.ts";
import { ShapeError } from "../../src/errors.ts";
import { seeded } from "../helpers/random.ts";

test("copies the hottest experts to the least loaded GPUs", () => {
  // Originals 0 1 | 2 3. Expert 0 is hottest: to GPU 1. Then GPU 0 has the only slot, and expert 2 is the hottest that it lacks.
  const placement = greedyPlacement(Float64Array.of(8, 3, 2, 1), { gpus: 2, redundant: 2 });
  expect([...placement.physicalToLogical]).toEqual([0, 1, 2, 2, 3, 0]);
});

test("gives a third replica to an expert that is still the hottest after its second", () => {
  const placement = greedyPlacement(Float64Array.of(90, 10, 20, 10, 10, 1), { gpus: 3, redundant: 3 });
  expect(placement.replicaCount[0]).toBe(3);
});

test.each([
  { gpus: 8, experts: 32, redundant: 8 },
  { gpus: 4, experts: 8, redundant: 24 }, // every expert everywhere
  { gpus: 5, experts: 10, redundant: 35 },
  { gpus: 8, experts: 32, redundant: 0 },
  { gpus: 1, experts: 3, redundant: 0 },
])("keeps the originals at home and the replicas apart, %j", ({ gpus, experts, redundant }) => {
  for (let seed = 0; seed < 20; seed++) {
    const random = seeded(seed);
    const meanLoad = Float64Array.from({ length: experts }, () => Math.floor(random.next() ** 3 * 100));
    const placement = greedyPlacement(meanLoad, { gpus, redundant });
    expect(placement).toMatchObject({ gpus, logicalExperts: experts, physicalExperts: experts + redundant });
    const perGpu = placement.physicalExperts / gpus;
    for (let g = 0; g < gpus; g++) {
      const held = [...placement.physicalToLogical.subarray(g * perGpu, (g + 1) * perGpu)];
      const home = experts / gpus;
      expect(held.slice(0, home)).toEqual(Array.from({ length: home }, (_, i) => g * home + i));
      expect(new Set(held).size, `GPU ${g}, seed ${seed}`).toBe(perGpu);
    }
  }
});

test.each([
  [{ gpus: 3, redundant: 3 }, "gpus: expected a divisor of the 8 experts, got 3."],
  [{ gpus: 4, redundant: 6 }, "redundant: expected a multiple of the 4 GPUs, got 6."],
  [{ gpus: 4, redundant: 28 }, "redundant: expected at most 24, a replica of every expert on every GPU, got 28."],
])("refuses %j", (shape, message) => {
  const attempt = () => greedyPlacement(new Float64Array(8), shape);
  expect(attempt).toThrow(ShapeError);
  expect(attempt).toThrow(message);
});
