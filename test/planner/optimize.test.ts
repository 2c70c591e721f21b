import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { type LoadHistory, type OptimizeOptions, optimizePlacement, Placement, topologies } from "../../src/index.ts";
import { families } from "../helpers/instances.ts";
import { faults, imbalances, mean } from "../helpers/placed.ts";

/** Loads [E] of one layer in every step. */
function historyOf(rows: readonly (readonly number[])[]): LoadHistory {
  return { loads: rows.flat(), steps: rows.length, layers: 1, experts: rows[0].length };
}

/** Far too little for a search to end in, and enough for one to find something. */
const briefly = { budgetMs: 400, backend: "cpu" } as const;

describe("finds a placement that is known to be there", () => {
  test("one hot expert on every GPU", async () => {
    // 4 GPUs share expert 0 and hold one of the others each: 25 + 9 tokens everywhere.
    const history = historyOf([[100, 9, 9, 9, 9]]);
    const { placements, recorded } = await optimizePlacement(history, { gpus: 4, redundant: 3, backend: "cpu" });
    expect(await imbalances(history, 0, placements[0])).toEqual([expect.closeTo(1, 12)]);
    expect(recorded.after).toBeCloseTo(1, 12);
  });

  test("pairs that add up, without a redundant slot", async () => {
    // A heaviest-first deal, EPLB's, puts 5 + 3 + 3 on one GPU and 4 + 4 + 2 on the other.
    const history = historyOf([[7, 6, 5, 4, 3, 3]]);
    const { placements } = await optimizePlacement(history, { gpus: 2, redundant: 0, backend: "cpu" });
    expect(await imbalances(history, 0, placements[0])).toEqual([expect.closeTo(1, 12)]);
  });

  test("experts that are hot in turns go apart", async () => {
    // On average all are alike, so EPLB sees nothing; 0 and 1 are hot together, then 2 and 3. Apart they need no replica.
    const turns = [
      [9, 9, 1, 1],
      [1, 1, 9, 9],
    ];
    const history = historyOf(Array.from({ length: 12 }, (_, i) => turns[i % 2]));
    const { placements } = await optimizePlacement(history, { gpus: 2, redundant: 0, backend: "cpu" });
    expect(mean(await imbalances(history, 0, placements[0]))).toBeCloseTo(1, 12);
  });

  test("light experts on the slow GPU", async () => {
    const speed = [1, 3];
    const history = historyOf([[30, 30, 15, 5]]);
    const options = { gpus: 2, redundant: 0, slotsPerGpu: 3, speed, backend: "cpu" } as const;
    const { placements } = await optimizePlacement(history, options);
    expect(await imbalances(history, 0, placements[0], speed)).toEqual([expect.closeTo(1, 12)]);
  });
});

interface Case {
  experts: number;
  steps: number;
  options: Omit<OptimizeOptions, keyof typeof briefly>;
}
const cases: Record<string, Case> = {
  "1 GPU": { experts: 5, steps: 3, options: { gpus: 1, redundant: 0 } },
  "1 step": { experts: 16, steps: 1, options: { gpus: 4, redundant: 4 } },
  "every expert everywhere": { experts: 3, steps: 4, options: { gpus: 3, redundant: 6 } },
  "no redundancy": { experts: 24, steps: 12, options: { gpus: 8, redundant: 0 } },
  "room to spare": { experts: 16, steps: 10, options: { gpus: 8, redundant: 3, slotsPerGpu: 3 } },
  "unequal GPUs": {
    experts: 12,
    steps: 10,
    options: { gpus: 3, redundant: 3, slotsPerGpu: [9, 4, 3], speed: [3, 1, 1] },
  },
  "2 nodes": { experts: 16, steps: 20, options: { gpus: 8, redundant: 8, nodes: 2 } },
  "2 nodes with room": { experts: 12, steps: 9, options: { gpus: 4, redundant: 2, nodes: 2, slotsPerGpu: 5 } },
  "the 95th percentile": { experts: 16, steps: 40, options: { gpus: 4, redundant: 4, objective: "p95" } },
  "the worst batches": { experts: 16, steps: 40, options: { gpus: 4, redundant: 4, objective: "cvar" } },
  "12 GPUs, whose cuts are too many to list": { experts: 24, steps: 10, options: { gpus: 12, redundant: 12 } },
};

describe.each(Object.entries(cases))("%s", (_, { experts, steps, options }) => {
  const seed = 5;
  const random = seeded(seed);
  const kinds = ["lognormal", "zipf", "mostly zero", "one hot"];
  const rows = Array.from({ length: steps }, () =>
    kinds.flatMap((kind) => families[kind](random, experts, options.gpus)),
  );
  const history: LoadHistory = { loads: Int32Array.from(rows.flat()), steps, layers: kinds.length, experts };

  test("placements are legal, reported as they are, and none is worse than where it began", async () => {
    const { placements, layers } = await optimizePlacement(history, { ...options, ...briefly });
    expect(placements).toHaveLength(kinds.length);
    for (const [layer, placement] of placements.entries()) {
      const where = `seed ${seed}, ${kinds[layer]}`;
      expect(faults(placement, experts, options), where).toEqual([]);
      const { recorded, moved } = layers[layer];
      expect(recorded.after, where).toBeLessThanOrEqual(recorded.before);
      const values = await imbalances(history, layer, placement, options.speed as number[] | undefined);
      const sorted = [...values].sort((a, b) => a - b);
      const worst = sorted.slice(-Math.ceil(0.05 * sorted.length));
      const figure = { mean: mean(values), p95: sorted[Math.ceil(0.95 * sorted.length) - 1], cvar: mean(worst) };
      expect(recorded.after, where).toBeCloseTo(figure[options.objective ?? "mean"], 9);
      expect(moved).toBeLessThanOrEqual(experts + options.redundant);
    }
  });
});

// Negative control: faults() finds what is put wrong.
test.each([
  [[0, 1, 2, 3, 4, 4], ["an expert twice on GPU 1"]],
  [[0, 1, 2, 3, 4, 3], ["an expert twice on GPU 1"]],
  [[0, 1, 2, 3, 4, 0], ["expert 0 on several nodes"]],
] as const)("the checks of these tests reject %j", (map, expected) => {
  const placement = Placement.fromPhysicalToLogical([...map], { gpus: 2 });
  expect(faults(placement, 5, { gpus: 2, redundant: 1, nodes: 2 })).toEqual(expect.arrayContaining([...expected]));
});

describe("options", () => {
  const random = seeded(3);
  const popularity = families.lognormal(random, 16, 4);
  const rows = Array.from({ length: 40 }, () => popularity.map((load) => load * (0.5 + random.next())));
  const history = historyOf(rows);
  const options = { gpus: 4, redundant: 4, backend: "cpu" } as const;
  const maps = ({ placements }: { placements: Placement[] }) => placements.map((one) => [...one.physicalToLogical]);

  test("a seed decides, and the loads are left alone", async () => {
    const kept = [...rows.flat()];
    const first = await optimizePlacement(history, options);
    const again = await optimizePlacement(history, options);
    expect(first.stoppedBy).toBe("search");
    expect(again).toEqual(first);
    expect(history.loads).toEqual(kept);
    const other = await optimizePlacement(history, { ...options, seed: 2 });
    expect(maps(other)).not.toEqual(maps(first));
  });

  test("no time leaves EPLB's placement, without duplicates", async () => {
    const { placements, layers, stoppedBy } = await optimizePlacement(history, { ...options, budgetMs: 0 });
    expect(stoppedBy).toBe("budget");
    expect(layers[0]).toMatchObject({ kept: "recorded", evaluations: 0 });
    expect(faults(placements[0], 16, options)).toEqual([]);
  });

  test.each([0, 1, 3])("at most %i slots move from the placement in force", async (slots) => {
    const map = Array.from({ length: 20 }, (_, p) => (p < 16 ? (p % 5) + 5 * Math.floor(p / 5) : p)).map((e) => e % 16);
    const inForce = Placement.fromPhysicalToLogical(map, { gpus: 4 });
    const { placements, layers } = await optimizePlacement(history, {
      ...options,
      unchangedWeights: { placements: [inForce], slots },
    });
    // What stays, stays in its slot.
    const changed = [...placements[0].physicalToLogical].filter((e, p) => e !== map[p]).length;
    expect(layers[0].moved).toBe(changed);
    expect(changed).toBeLessThanOrEqual(slots);
    expect(faults(placements[0], 16, options)).toEqual([]);
    expect(layers[0].recorded.after).toBeLessThanOrEqual(layers[0].recorded.before);
    if (slots > 0) expect(layers[0].recorded.after).toBeLessThan(layers[0].recorded.before);
  });

  test("a signal stops the search at once, with its reason", async () => {
    const reason = new Error("enough");
    await expect(optimizePlacement(history, { ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const later = new AbortController();
    const many = { loads: rows.flatMap((row) => new Array(50).fill(row).flat()), steps: 40, layers: 50, experts: 16 };
    const { signal } = later;
    const onProgress = () => later.abort(reason); // in the middle: 49 layers are to come
    await expect(optimizePlacement(many, { ...options, signal, onProgress })).rejects.toBe(reason);
  });

  test("progress goes from layer to layer, up to 1", async () => {
    const seen: number[] = [];
    const two = { loads: [...rows.flat(), ...rows.flat()], steps: 40, layers: 2, experts: 16 };
    await optimizePlacement(two, { ...options, budgetMs: 50, onProgress: (share) => seen.push(share) });
    expect(seen).toEqual([0.5, 1]);
  });

  test("no load at all is balanced however it is placed", async () => {
    const { placements, recorded } = await optimizePlacement(historyOf([new Array(16).fill(0)]), options);
    expect(faults(placements[0], 16, options)).toEqual([]);
    expect(recorded).toEqual({ before: 1, after: 1 });
  });
});

describe("batches without tokens are no batches", () => {
  const random = seeded(4);
  const [layers, experts] = [2, 16];
  const full = Array.from({ length: 24 }, () =>
    Array.from({ length: layers }, () => families.lognormal(random, experts, 4).map((load) => load + 1)),
  );
  const none = new Array<number>(experts).fill(0);
  const options = { gpus: 4, redundant: 4, backend: "cpu" } as const;
  const historyOfSteps = (steps: number[][][]): LoadHistory => {
    return { loads: steps.flat(2), steps: steps.length, layers: steps[0].length, experts };
  };

  test("wherever they are, and in other steps of one layer than of another", async () => {
    const expected = await optimizePlacement(historyOfSteps(full), options);
    expect(expected.stoppedBy).toBe("search");
    const shifted = Array.from({ length: 31 }, (_, i) => [full[i - 2]?.[0] ?? none, full[i - 7]?.[1] ?? none]);
    const spread = full.flatMap((step) => [[none, none], step, [none, none]]);
    for (const steps of [shifted, spread])
      expect(await optimizePlacement(historyOfSteps(steps), options)).toEqual(expected);
  });

  test("and a layer that has no others does not dilute the means", async () => {
    const [dense, sharedTopology] = [full.map((step) => [none, ...step]), topologies.ring(4)];
    for (const more of [{}, { sharedTopology: true }, { sharedTopology }]) {
      const brief = { ...options, ...more, budgetMs: 0 };
      const expected = await optimizePlacement(historyOfSteps(full), brief);
      const { layers, recorded, sharedTopology: graph } = await optimizePlacement(historyOfSteps(dense), brief);
      expect(layers[0].recorded).toEqual({ before: 1, after: 1 });
      expect(recorded).toEqual({
        before: mean(layers.slice(1).map(({ recorded }) => recorded.before)),
        after: mean(layers.slice(1).map(({ recorded }) => recorded.after)),
      });
      expect(recorded.before).toBe(expected.recorded.before);
      if (graph) expect(graph.shared).toBe(recorded.after);
      if (graph) expect(graph.free).toBe(expected.sharedTopology!.free);
    }
  });
});
