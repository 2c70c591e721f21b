/** 2,000 seeded cases: random ids of any number and shape, on both backends. */
import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../src/common/random.ts";
import { createBalancer, type Placement } from "../../src/index.ts";
import { faults } from "../helpers/balanced.ts";
import { layerPlacements, randomIds } from "../helpers/batches.ts";
import { randomSpeeds } from "../helpers/instances.ts";

let cases = 0;

interface Shape {
  experts: number;
  gpus: number;
  layers: number;
  topK: number;
  /** One per layer, or one for all of them. */
  placements: number;
  unequalSpeeds: boolean;
}

/** `tokens.length` batches of one balancer. */
async function run(random: Random, shape: Shape, tokens: number[], backend: "webgpu" | "cpu", odd: number) {
  const { experts, gpus, layers, topK } = shape;
  const placements: Placement[] = layerPlacements(random, shape.placements, experts, gpus);
  const speed = shape.unequalSpeeds ? randomSpeeds(random, gpus) : undefined;
  const maxTokens = Math.max(1, ...tokens);
  const balancer = await createBalancer({ placement: placements, layers, topK, maxTokens, speed, backend });
  for (const count of tokens) {
    const ids = randomIds(random, layers, count * topK, experts, odd);
    const balanced = await balancer.balance(ids);
    expect(balanced.backend).toBe(backend);
    expect(faults({ placements, layers, ids }, balanced), JSON.stringify({ ...shape, tokens: count })).toEqual([]);
    cases++;
  }
  expect(balancer.metrics().finishedOnCpu).toBe(0); // or the CPU would hide what the kernel does wrong
  balancer.destroy();
}

/** Mostly decode-sized, T k up to 2,000. */
const anyTokens = (random: Random, topK: number) => Math.floor((2000 / topK) * random.next() ** 3);

describe("on WebGPU, a balancer per shape", () => {
  const shapes: Shape[] = [
    { experts: 1, gpus: 4, layers: 1, topK: 1, placements: 1, unequalSpeeds: false },
    { experts: 32, gpus: 8, layers: 3, topK: 4, placements: 3, unequalSpeeds: true },
    { experts: 257, gpus: 40, layers: 2, topK: 16, placements: 1, unequalSpeeds: false },
    { experts: 1024, gpus: 8, layers: 1, topK: 9, placements: 1, unequalSpeeds: false },
  ];
  test.each(shapes)("100 batches: %o", async (shape) => {
    const random = seeded(101);
    const tokens = Array.from({ length: 100 }, () => anyTokens(random, shape.topK));
    await run(random, shape, tokens, "webgpu", 0.1);
  });
});

describe("on the CPU, each batch of a shape of its own", () => {
  test.each([201, 202, 203, 204])("398 batches, seed %i", async (seed) => {
    const random = seeded(seed);
    for (let i = 0; i < 398; i++) {
      const layers = 1 + random.below(3);
      const shape: Shape = {
        experts: 1 + Math.floor(1024 * random.next() ** 3),
        gpus: random.pick([1, 2, 3, 8, 16, 64]),
        layers,
        topK: 1 + random.below(16),
        placements: random.pick([1, layers]),
        unequalSpeeds: random.next() < 0.3,
      };
      await run(random, shape, [anyTokens(random, shape.topK)], "cpu", random.pick([0, 0.1, 1]));
    }
  });
});

describe("up to 1,000,000 assignments", () => {
  const shape: Shape = { experts: 32, gpus: 8, layers: 1, topK: 4, placements: 1, unequalSpeeds: true };

  test.each(["webgpu", "cpu"] as const)("of 32 experts on %s", async (backend) => {
    await run(seeded(301), shape, [2_500, 25_000, 250_000], backend, 0.01);
  });

  test("of 1,024 experts on the CPU", async () => {
    await run(seeded(302), { ...shape, experts: 1024, topK: 16 }, [6_250, 62_500], "cpu", 0.01);
  });
});

test("makes 2,000 cases", () => expect(cases).toBe(2000));
