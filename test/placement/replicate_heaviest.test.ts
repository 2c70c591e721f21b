import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../src/common/random.ts";
import {
  ArgumentError,
  LoadError,
  Placement,
  PlacementError,
  replicateHeaviest,
  ShapeError,
  topologies,
} from "../../src/index.ts";
import { errorOf, expectError, type Kind } from "../helpers/bad_input.ts";
import { needsRecordedData, recordedDataPresent, recordedJson } from "../helpers/recorded.ts";

/** Any replica graph: D permutations of the ranks without a fixed point. */
function randomGraph(random: Random, ranks: number, columns: number): number[][] {
  const permutations = Array.from({ length: columns }, () => {
    for (;;) {
      const column = random.shuffle([...new Array(ranks).keys()]);
      if (column.every((original, g) => original !== g)) return column;
    }
  });
  return Array.from({ length: ranks }, (_, g) => permutations.map((column) => column[g]));
}

describe("toRedundantToOriginal", () => {
  test("LPLB's ring of 4, two experts a rank", () => {
    const placement = Placement.fromPhysicalToLogical([0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 0], { gpus: 4 });
    expect(placement.toRedundantToOriginal()).toEqual([[1], [2], [3], [0]]);
  });

  test("two pairs of ranks, experts in any order", () => {
    const placement = Placement.fromPhysicalToLogical([3, 1, 0, 0, 2, 3, 7, 6, 4, 4, 5, 7], { gpus: 4 });
    expect(placement.toRedundantToOriginal()).toEqual([[1], [0]]);
  });

  test("brings LPLB's topologies back, in groups and alone", () => {
    const { ring, cube8, hypercube16, torus2d } = topologies;
    for (const r2o of [ring(2), ring(7), cube8(), hypercube16(), torus2d(3, 5)]) {
      for (const groups of [1, 2, 3]) {
        const epSize = r2o.length * groups;
        const placement = Placement.fromRedundantToOriginal(r2o, { logicalExperts: 4 * epSize, epSize });
        expect(placement.toRedundantToOriginal(), `${r2o.length} ranks, ${groups} groups`).toEqual(r2o);
      }
    }
  });

  test("brings random graphs back: the same placement follows from them", () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = seeded(seed);
      const ranks = 2 + random.below(9);
      const columns = 1 + random.below(3);
      const epSize = ranks * (1 + random.below(3));
      const shape = { logicalExperts: epSize * (2 * columns + random.below(3)), epSize };
      const r2o = randomGraph(random, ranks, columns);
      const redundantsPerRank = columns * (1 + random.below(2));
      const placement = Placement.fromRedundantToOriginal(r2o, { ...shape, redundantsPerRank });
      const found = placement.toRedundantToOriginal();
      expect(Placement.fromRedundantToOriginal(found, shape), `seed ${seed}`).toEqual(placement);
    }
  });

  const shape = "LPLB copies expert d of every GPU once, into redundant slot d of another GPU.";
  test.each<[message: string, map: number[], gpus: number]>([
    [`logicalExperts: expected a multiple of gpus = 2, got 3. ${shape}`, [0, 1, 2, 0], 2],
    [
      `physicalExperts: expected 1 to 2 redundant slots per GPU: 6 to 8, got 4. ${shape}`,
      [0, 1, 2, 3],
      2, // no redundant slot
    ],
    [`physicalExperts: expected 1 to 1 redundant slots per GPU: 4 to 4, got 6. ${shape}`, [0, 1, 1, 1, 0, 0], 2],
    [
      `physicalToLogical[4]: expected an expert other than in slot 1, each being its GPU's own, got 1. ${shape}`,
      [0, 1, 2, 3, 1, 0],
      2,
    ],
    [`physicalToLogical[2]: expected expert 0 of another GPU, got 3. ${shape}`, [0, 1, 3, 2, 3, 0], 2], // expert 1 of it
    [`physicalToLogical[2]: expected expert 0 of another GPU, got 0. ${shape}`, [0, 1, 0, 2, 3, 2], 2], // its own
    [`physicalToLogical[3]: expected expert 0 of another GPU, got 0. ${shape}`, [0, 1, 2, 0], 1],
    [
      `physicalToLogical[3]: expected an expert that slot 1 does not copy, got 2. ${shape}`,
      [0, 2, 1, 2, 2, 0],
      3, // expert 0 of GPU 2 goes twice, that of GPU 1 never
    ],
  ])("%s", (message, map, gpus) => {
    const placement = Placement.fromPhysicalToLogical(map, { gpus });
    expectError(
      errorOf(() => placement.toRedundantToOriginal()),
      message,
      PlacementError,
    );
  });
});

describe("replicateHeaviest", () => {
  test("orders each GPU's experts by weight and copies the heaviest along the graph", () => {
    const weight = [[1, 5, 7, 2, 3, 3, 0, 9], new Int32Array(8)];
    const found = replicateHeaviest(weight, topologies.ring(4), { epSize: 4 });
    expect(found.map(({ physicalToLogical }) => [...physicalToLogical])).toEqual([
      [1, 0, 2, 2, 3, 4, 4, 5, 7, 7, 6, 1],
      [0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 0],
    ]);
    expect(found[0]).toMatchObject({ gpus: 4, logicalExperts: 8 });
    expect(weight[0]).toEqual([1, 5, 7, 2, 3, 3, 0, 9]);
  });

  test("every expert at home, the copied ones no lighter than the others, the graph as given", () => {
    for (let seed = 0; seed < 30; seed++) {
      const random = seeded(seed);
      const ranks = 2 + random.below(7);
      const columns = 1 + random.below(3);
      const epSize = ranks * (1 + random.below(3));
      const perRank = columns + random.below(4);
      const r2o = randomGraph(random, ranks, columns);
      const weight = Array.from({ length: 3 }, () => Array.from({ length: perRank * epSize }, () => random.below(9)));
      for (const [layer, placement] of replicateHeaviest(weight, r2o, { epSize }).entries()) {
        const { physicalToLogical, replicaCount } = placement;
        const perGpu = perRank + columns;
        for (let g = 0; g < epSize; g++) {
          const own = [...physicalToLogical.subarray(g * perGpu, g * perGpu + perRank)];
          const weights = own.map((e) => weight[layer][e]);
          expect([...own].sort((a, b) => a - b)).toEqual(own.map((_, i) => g * perRank + i));
          expect(weights).toEqual([...weights].sort((a, b) => b - a));
          expect(own.map((e) => replicaCount[e])).toEqual(own.map((_, i) => (i < columns ? 2 : 1)));
        }
        const again = placement.toRedundantToOriginal();
        const shape = { logicalExperts: perRank * epSize, epSize };
        const [found, given] = [again, r2o].map((graph) => Placement.fromRedundantToOriginal(graph, shape));
        expect(found, `seed ${seed}`).toEqual(given);
      }
    }
  });

  test.skipIf(!recordedDataPresent)(`copies what the recorded LPs copy ${needsRecordedData}`, () => {
    const { lpInstances, topologies: graphs } = recordedJson("vectors/lplb_vectors.json");
    const { loads } = recordedJson("moe/qwen3_30b_a3b_prefill_loads.json").runs.prefill16;
    let compared = 0;
    for (const { name, origin, topology, ranks, edges } of lpInstances) {
      const layer = /^qwen3 prefill16 layer (\d+)$/.exec(origin)?.[1];
      if (layer === undefined) continue;
      const shape = { epSize: ranks, redundantsPerRank: edges.length / ranks };
      const [{ physicalToLogical, gpuOf, physicalExperts }] = replicateHeaviest(
        [loads[layer]],
        graphs[topology],
        shape,
      );
      const own = 128 / ranks;
      const copied = [...physicalToLogical]
        .map((expert, slot) => ({ orig: Math.floor(expert / own), red: gpuOf[slot], expert }))
        .filter((_, slot) => slot % (physicalExperts / ranks) >= own);
      // The recorded LPs copy the same experts over the same edges, but give a rank's d-th heaviest to its d-th edge by the rank it leads
      // to, not to column d.
      const sorted = (values: string[]) => values.sort();
      const edge = ({ orig, red }: { orig: number; red: number }) => `${orig} to ${red}`;
      expect(sorted(copied.map(edge)), name).toEqual(sorted(edges.map(edge)));
      const replicated = (list: { expert: number }[]) => sorted(list.map(({ expert }) => `${expert}`));
      expect(replicated(copied), name).toEqual(replicated(edges));
      compared++;
    }
    expect(compared).toBe(21);
  });

  const ring = topologies.ring(3);
  const rows = [[1, 2, 3, 4, 5, 6]];
  test.each<[message: string, kind: Kind, ...args: unknown[]]>([
    ["weight: expected a non-empty array of rows, one per layer, got undefined.", ArgumentError],
    ["weight[0][1]: expected a finite number >= 0, got NaN.", LoadError, [[1, Number.NaN, 1]], ring, { epSize: 3 }],
    [
      "weight[1]: expected E = 3 values as in weight[0], got 2.",
      ShapeError,
      [
        [1, 1, 1],
        [1, 1],
      ],
      ring,
      { epSize: 3 },
    ],
    ["epSize: expected an integer >= 1, got undefined.", ArgumentError, rows, ring],
    ["weight[0]: expected a multiple of epSize = 9 experts, got 6.", ShapeError, rows, ring, { epSize: 9 }],
    ["epSize: expected a multiple of the 3 ranks of r2o, got 2.", ShapeError, rows, ring, { epSize: 2 }],
    ["r2o: expected a row per rank, got undefined.", PlacementError, rows, undefined, { epSize: 3 }],
    [
      "redundantsPerRank: expected at most the 2 experts that a rank holds, got 3.",
      ShapeError,
      rows,
      ring,
      { epSize: 3, redundantsPerRank: 3 },
    ],
  ])("%s", (message, kind, ...args) => {
    expectError(
      errorOf(() => (replicateHeaviest as (...args: unknown[]) => unknown)(...args)),
      message,
      kind,
    );
  });
});
