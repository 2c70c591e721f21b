import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import {
  type LoadHistory,
  type OptimizeOptions,
  optimizePlacement,
  Placement,
  rebalanceExperts,
} from "../../src/index.ts";
import { faults, imbalances, mean } from "../helpers/placed.ts";

/** Loads that fluctuate about a lognormal popularity and drift: AR(1) with coefficient 0.97 in the logarithm. */
function drifting(seed: number, { layers = 2, experts = 256, steps = 120, fluctuation = 0.25 } = {}): LoadHistory {
  const random = seeded(seed);
  const popularity = Array.from({ length: layers * experts }, () => Math.exp(0.8 * random.normal()));
  const state = popularity.map(() => random.normal());
  const loads: number[] = [];
  for (let step = 0; step < steps; step++) {
    for (const [i, mean] of popularity.entries()) {
      state[i] = 0.97 * state[i] + Math.sqrt(1 - 0.97 ** 2) * random.normal();
      loads.push(Math.round(1000 * mean * Math.exp(fluctuation * state[i])));
    }
  }
  return { loads, steps, layers, experts };
}

/** The first half of the steps, and the second. */
function halves(history: LoadHistory): [LoadHistory, LoadHistory] {
  const { layers, experts } = history;
  const loads = history.loads as number[];
  const steps = history.steps / 2;
  const at = steps * layers * experts;
  return [
    { loads: loads.slice(0, at), steps, layers, experts },
    { loads: loads.slice(at), steps, layers, experts },
  ];
}

function eplb({ loads, steps, layers, experts }: LoadHistory, gpus: number, redundant: number, nodes = 1): Placement[] {
  const weight = Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: experts }, (_, e) => {
      let sum = 0;
      for (let step = 0; step < steps; step++) sum += (loads as number[])[(step * layers + layer) * experts + e];
      return sum;
    }),
  );
  const options = { replicas: experts + redundant, gpus, nodes, groups: nodes === 1 ? 1 : experts };
  return rebalanceExperts(weight, options).physicalToLogical.map((map) =>
    Placement.fromPhysicalToLogical(map, { gpus }),
  );
}

async function heldOut(later: LoadHistory, placements: readonly Placement[], speed?: number[]): Promise<number> {
  const means: number[] = [];
  for (const [layer, placement] of placements.entries()) {
    means.push(mean(await imbalances(later, layer, placement, speed)));
  }
  return mean(means);
}

const [gpus, redundant] = [32, 32];
const options = { gpus, redundant, backend: "cpu", budgetMs: 600_000 } as const;
const [fitted, later] = halves(drifting(21));
const slow = Array.from({ length: gpus }, (_, g) => (g < 8 ? 1 : 2));
const start = eplb(fitted, gpus, redundant);

const cases: Record<string, { more: Partial<OptimizeOptions>; from: Placement[]; wins: number }> = {
  "32 GPUs": { more: {}, from: start, wins: 0.05 },
  "within nodes": { more: { nodes: 4 }, from: eplb(fitted, gpus, redundant, 4), wins: 0.02 },
  "across nodes": { more: { nodes: 4, replicas: "across-nodes" }, from: start, wins: 0.05 },
  "anywhere on nodes": { more: { nodes: 4, replicas: "anywhere" }, from: start, wins: 0.05 },
  "unequal speeds": { more: { speed: slow }, from: start, wins: 0.1 },
  "few moves": { more: { unchangedWeights: { placements: start, slots: 32 } }, from: start, wins: 0.005 },
  "the 95th percentile": { more: { objective: "p95" }, from: start, wins: 0.04 },
  "room to spare": { more: { slotsPerGpu: 10 }, from: start, wins: 0.05 },
};

describe.each(Object.entries(cases))("loads of 256 experts that drift, %s", (_, { more, from, wins }) => {
  test("better on later steps than what it began with, legal, and as reported", async () => {
    const { placements, layers, stoppedBy } = await optimizePlacement(fitted, { ...options, ...more });
    expect(stoppedBy).toBe("search");
    const [before, after] = [
      await heldOut(later, from, more.speed as number[]),
      await heldOut(later, placements, more.speed as number[]),
    ];
    expect(after).toBeLessThan(before * (1 - wins));
    for (const [layer, placement] of placements.entries()) {
      if (more.replicas === undefined) expect(faults(placement, 256, { ...options, ...more })).toEqual([]);
      const { recorded, validation, bound, moved } = layers[layer];
      const values = (await imbalances(fitted, layer, placement, more.speed as number[])).sort((a, b) => a - b);
      const worth = more.objective === "p95" ? values[Math.ceil(0.95 * values.length) - 1] : mean(values);
      expect(recorded.after).toBeCloseTo(worth, 9);
      expect(recorded.after).toBeLessThanOrEqual(recorded.before);
      expect(bound).toBeLessThanOrEqual(recorded.after + 1e-9);
      expect(validation!.after).toBeLessThanOrEqual(validation!.before);
      if (more.unchangedWeights) expect(moved).toBeLessThanOrEqual(32);
    }
  });
});

test("replicas across nodes are on different ones", async () => {
  const more = { nodes: 4, replicas: "across-nodes" } as const;
  const { placements } = await optimizePlacement(fitted, { ...options, ...more, budgetMs: 1500 });
  for (const { physicalToLogical, gpuOf } of placements) {
    const homes = new Map<number, number[]>();
    for (const [p, e] of physicalToLogical.entries()) homes.set(e, [...(homes.get(e) ?? []), Math.floor(gpuOf[p] / 8)]);
    for (const nodes of homes.values()) expect(new Set(nodes).size).toBe(nodes.length);
  }
});

test("where slots are too few for the hottest experts the bound says so, and nothing is worse than EPLB's", async () => {
  const random = seeded(5);
  const [gpus, experts, redundant] = [24, 20, 4]; // a slot each
  const popularity = Array.from({ length: experts }, () => Math.exp(1.2 * random.normal()));
  const rows = Array.from({ length: 40 }, () =>
    popularity.map((mean) => Math.round(1000 * mean * Math.exp(0.3 * random.normal()))),
  );
  const [early, late] = halves({ loads: rows.flat(), steps: 40, layers: 1, experts });
  const { placements, layers } = await optimizePlacement(early, { gpus, redundant, backend: "cpu" });
  expect(layers[0].bound).toBeGreaterThan(1.1);
  const before = await heldOut(late, eplb(early, gpus, redundant));
  expect(await heldOut(late, placements)).toBeLessThan(before * 1.02);
});

test("a plan for time takes less of it than a plan for tokens where few tokens are served", async () => {
  const random = seeded(8);
  const base = drifting(31, { layers: 1, steps: 60 });
  const loads = (base.loads as number[]).map((load) => Math.floor(load / 200 + random.next())); // some 8 tokens each
  const [early, late] = halves({ ...base, loads });
  const cost = { model: "roofline", perExpert: 6.3, perToken: 0.035 } as const;
  const { createSolver } = await import("../../src/index.ts");
  const timeOf = async (placements: Placement[]) => {
    const solver = await createSolver(placements[0], { cost, backend: "cpu" });
    return mean([...(await solver.solve({ expertLoad: late.loads as number[] })).maxTime]);
  };
  const forTime = await optimizePlacement(early, { ...options, cost });
  const forTokens = await optimizePlacement(early, options);
  const [time, tokens, before] = [
    await timeOf(forTime.placements),
    await timeOf(forTokens.placements),
    await timeOf(eplb(early, gpus, redundant)),
  ];
  expect(time).toBeLessThan(before * 0.995);
  expect(time).toBeLessThanOrEqual(tokens);
});

test.each([4, 12])("only the ratio of speeds matters, however large they are: %i GPUs", async (gpus) => {
  const history = drifting(41, { layers: 1, experts: 48, steps: 24 });
  const at = (k: number) => {
    const speed = Array.from({ length: gpus }, (_, g) => (g < gpus / 2 ? k : 2 * k));
    return optimizePlacement(history, { gpus, redundant: 12, speed, backend: "cpu" });
  };
  const [one, ...others] = [await at(1), await at(2 ** -40), await at(2 ** 40)];
  for (const other of others) expect(other.placements).toEqual(one.placements);
});

test("a GPU that is a million times as fast is no reason to wait for ever", async () => {
  const history = drifting(42, { layers: 1, experts: 48, steps: 24 });
  const speed = Array.from({ length: 12 }, (_, g) => (g === 11 ? 1e6 : 1));
  const { layers } = await optimizePlacement(history, {
    gpus: 12,
    redundant: 12,
    speed,
    backend: "cpu",
    budgetMs: 5000,
  });
  expect(layers[0].recorded.after).toBeLessThanOrEqual(layers[0].recorded.before);
});

test("across nodes of unequal room, and where there is none", async () => {
  const history = drifting(43, { layers: 1, experts: 4, steps: 12 });
  const machine = { gpus: 4, nodes: 2, replicas: "across-nodes", speed: [10, 10, 1, 1], backend: "cpu" } as const;
  const { placements } = await optimizePlacement(history, { ...machine, redundant: 3, slotsPerGpu: [3, 3, 2, 2] });
  const [{ physicalToLogical, gpuOf }] = placements;
  for (const node of [0, 1]) {
    const experts = [...physicalToLogical].filter((_, p) => Math.floor(gpuOf[p] / 2) === node);
    expect(new Set(experts).size).toBe(experts.length);
  }
  const none = optimizePlacement(history, { ...machine, redundant: 4, slotsPerGpu: [4, 4, 1, 1] });
  await expect(none).rejects.toThrow(
    "slotsPerGpu: expected room for E + redundant = 8 slots, no expert twice on a node, got 6.",
  );
});
