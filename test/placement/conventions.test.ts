import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../src/common/random.ts";
import {
  ArgumentError,
  LoadError,
  Placement,
  PlacementError,
  type PlacementFormat,
  placementMaps,
  placementsFromJSON,
  placementsToJSON,
  quotaToShares,
  rebalanceExperts,
  replicateHeaviest,
  sharesFromJSON,
  topologies,
} from "../../src/index.ts";
import { placementFormats } from "../../src/placement/placements_to_json.ts";
import { errorOf, expectError } from "../helpers/bad_input.ts";
import { layerPlacements } from "../helpers/batches.ts";
import { needsRecordedData, recordedDataPresent, recordedJson } from "../helpers/recorded.ts";

type Json = Record<string, unknown>;

const read = placementsFromJSON as (json: unknown, shape?: unknown) => Placement[];
const expertsOf = (placements: readonly Placement[]) =>
  placements.map(({ physicalToLogical }) => [...physicalToLogical]);
const place = (maps: readonly number[][], gpus: number) =>
  maps.map((map) => Placement.fromPhysicalToLogical(map, { gpus }));

/** The example in vLLM's own documentation of EplbState: 2 layers, 4 experts, 6 slots, 3 ranks. */
const example = [
  [0, 1, 2, 3, 0, 1],
  [0, 2, 0, 1, 0, 3],
];
const slots = [
  [
    [0, 4, -1],
    [1, 5, -1],
    [2, -1, -1],
    [3, -1, -1],
  ],
  [
    [0, 2, 4],
    [3, -1, -1],
    [1, -1, -1],
    [5, -1, -1],
  ],
];
const counts = [
  [2, 2, 1, 1],
  [3, 1, 1, 1],
];

/** Two layers on a ring of 4 ranks with 2 experts each; in the second, expert 1 of every rank is the heavier one. */
const alongRing = [
  [0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 0],
  [1, 0, 3, 3, 2, 5, 5, 4, 7, 7, 6, 1],
];

const literal: Record<PlacementFormat, { gpus: number; map: number[][]; maps: Json }> = {
  vllm: {
    gpus: 3,
    map: example,
    maps: { physical_to_logical_map: example, logical_to_physical_map: slots, logical_replica_count: counts },
  },
  sglang: {
    gpus: 3,
    map: example,
    maps: {
      physical_to_logical_map: example,
      logical_to_all_physical_map: slots,
      logical_to_all_physical_map_num_valid: counts,
    },
  },
  eplb: { gpus: 3, map: example, maps: { phy2log: example, log2phy: slots, logcnt: counts } },
  lplb: { gpus: 4, map: alongRing, maps: { r2o: [[1], [2], [3], [0]], physical_to_logical_map: alongRing } },
  trtllm: {
    gpus: 3,
    map: example,
    maps: {
      expertReplicaCount: counts,
      expertReplicaStartOffset: [
        [0, 2, 4, 5],
        [0, 3, 4, 5],
      ],
      globalSlotIds: [
        [0, 4, 1, 5, 2, 3],
        [0, 2, 4, 3, 1, 5],
      ],
    },
  },
};

describe.each(placementFormats)("%s", (format) => {
  const { gpus, map, maps } = literal[format];

  test("an example by hand, there and back", () => {
    const placements = place(map, gpus);
    expect(placementMaps(placements, format)).toEqual(maps);
    expect(read(maps, { gpus })).toEqual(placements);
    expect(read({ ...maps, gpus }, { gpus })).toEqual(placements); // as a plan has it
  });

  test("random placements come back, through JSON and from int64", () => {
    for (let seed = 0; seed < 20; seed++) {
      const placements = randomLayers(seeded(seed), format);
      const shape = { gpus: placements[0].gpus };
      const written = placementMaps(placements, format) as Json;
      const file = placementsToJSON(placements, format);
      for (const json of [written, JSON.parse(JSON.stringify(written)), JSON.parse(JSON.stringify(file))]) {
        expect(read(json, shape), `seed ${seed}`).toEqual(placements);
      }
      for (const rows of [BigInt64Array, Int32Array, Float64Array]) {
        expect(read(typed(written, rows), shape), `seed ${seed}, ${rows.name}`).toEqual(placements);
      }
    }
  });

  // Negative control: a reader that accepts everything would come back, too.
  test("any other number in any place is refused", () => {
    let refused = 0;
    for (const at of places(maps)) {
      for (const value of [-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0.5, Number.NaN, "1", null, undefined]) {
        const changed = structuredClone(maps);
        if (!change(changed, at, value)) continue;
        const where = `${at.join(".")} = ${String(value)}`;
        expect(() => read(changed, { gpus }), where).toThrow(ArgumentError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(15 * map.flat().length);
  });

  test("rows that are dropped, doubled, shortened or no arrays are refused", () => {
    let refused = 0;
    for (const at of places(maps, true)) {
      for (const edit of edits) {
        const changed = structuredClone(maps);
        const list = at.reduce((part, key) => (part as Json)[key], changed as unknown) as unknown[];
        edit(list);
        if (format === "lplb" && at.join() === "physical_to_logical_map") continue; // a layer more or less is as good
        expect(() => read(changed, { gpus }), `${at.join(".")}, ${edit}`).toThrow(ArgumentError);
        refused++;
      }
      for (const value of [7, "012345", null, {}, new Set([1]), new ArrayBuffer(8), new DataView(new ArrayBuffer(8))]) {
        const changed = structuredClone(maps);
        change(changed, at, value);
        expect(() => read(changed, { gpus }), `${at.join(".")} = ${value}`).toThrow(ArgumentError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(40);
  });
});

const edits: ((list: unknown[]) => void)[] = [
  (list) => list.pop(),
  (list) => list.shift(),
  (list) => list.push(structuredClone(list[0])),
  (list) => list.splice(0),
];

/** Layers of one size with different most slots, some with an expert twice on a GPU; of LPLB's shape where that is needed. */
function randomLayers(random: Random, format: PlacementFormat): Placement[] {
  const layers = 1 + random.below(4);
  if (format !== "lplb") {
    const gpus = random.pick([1, 2, 4, 8]);
    return layerPlacements(random, layers, gpus * (1 + random.below(5)) + 1, gpus);
  }
  const r2o = random.pick([topologies.ring(4), topologies.cube8(), topologies.torus2d(2, 3)]);
  const epSize = r2o.length * (1 + random.below(3));
  const experts = epSize * (r2o[0].length + random.below(3));
  const weight = Array.from({ length: layers }, () => Array.from({ length: experts }, () => random.below(5)));
  return replicateHeaviest(weight, r2o, { epSize });
}

/** The same record with rows of another type. */
function typed(value: unknown, rows: typeof BigInt64Array | typeof Int32Array | typeof Float64Array): unknown {
  if (!Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value as Json).map(([name, part]) => [name, typed(part, rows)]));
  }
  if (Array.isArray(value[0])) return value.map((part) => typed(part, rows));
  return rows === BigInt64Array ? BigInt64Array.from(value, BigInt) : (rows as typeof Int32Array).from(value);
}

/** The paths of all numbers of a record, or of all its arrays. */
function places(part: unknown, arrays = false, path: string[] = []): string[][] {
  if (typeof part !== "object") return arrays ? [] : [path];
  const within = Object.entries(part as Json).flatMap(([key, value]) => places(value, arrays, [...path, key]));
  return arrays && path.length > 0 ? [path, ...within] : within;
}

/** Whether there was another value there. */
function change(json: Json, path: string[], value: unknown): boolean {
  const list = path.slice(0, -1).reduce((part, key) => part[key] as Json, json);
  const key = path[path.length - 1];
  if (Object.is(list[key], value)) return false;
  list[key] = value;
  return true;
}

describe("what a record may leave open", () => {
  const shape = { gpus: 3 };

  test.each(["vllm", "sglang", "eplb"] as const)("%s: one of the maps suffices", (format) => {
    const maps = literal[format].maps;
    const [map, inverse, count] = Object.keys(maps);
    for (const kept of [[map], [inverse], [map, inverse], [map, count], [inverse, count]]) {
      const part = Object.fromEntries(kept.map((name) => [name, maps[name]]));
      expect(expertsOf(read(part, shape)), kept.join()).toEqual(example);
    }
    expect(() => read({ [count]: counts }, shape)).toThrow(
      `${map}: expected a map [L, P], or ${inverse} [L, E, X], got undefined.`,
    );
  });

  test("slots in any order, as EPLB makes them, and padding of any width", () => {
    const random = seeded(7);
    for (let i = 0; i < 20; i++) {
      const placements = randomLayers(random, "eplb");
      const { phy2log, log2phy } = placementMaps(placements, "eplb");
      const width = log2phy[0][0].length + random.below(40);
      const shuffled = log2phy.map((layer) =>
        layer.map((row) => {
          const used = random.shuffle(row.filter((slot) => slot >= 0));
          return [...used, ...new Array<number>(width - used.length).fill(-1)];
        }),
      );
      const found = read({ phy2log, log2phy: shuffled }, { gpus: placements[0].gpus });
      expect(found).toEqual(placements);
      expect(read({ log2phy: shuffled }, { gpus: placements[0].gpus })).toEqual(placements);
    }
  });

  test("other names are ignored, and names without a value are not there", () => {
    const json = { logical_count: [[3]], phy2log: undefined, physical_to_logical_map: example };
    expect(expertsOf(read(json, shape))).toEqual(example);
  });

  test("rebalanceExperts makes EPLB's maps", () => {
    const weight = [
      [9, 2, 4, 1],
      [1, 1, 1, 1],
    ];
    const { physicalToLogical, logicalToPhysical, replicaCount, maxReplicas } = rebalanceExperts(weight, {
      replicas: 6,
      gpus: 2,
    });
    const log2phy = logicalToPhysical.map((flat) =>
      Array.from({ length: 4 }, (_, e) => flat.subarray(e * maxReplicas, (e + 1) * maxReplicas)),
    );
    const found = read({ phy2log: physicalToLogical, log2phy, logcnt: replicaCount }, { gpus: 2 });
    expect(expertsOf(found)).toEqual(physicalToLogical.map((row) => [...row]));
  });
});

describe("TensorRT-LLM's configuration", () => {
  const config = {
    num_slots: 6,
    initial_global_assignments: { 0: example[0], 1: example[1] },
    layer_updates_per_iter: 0,
  };

  test("is what a file is, there and back; its layers come in the order of their numbers", () => {
    expect(placementsToJSON(place(example, 3), "trtllm")).toEqual(config);
    expect(read(JSON.parse(JSON.stringify(config)), { gpus: 3 })).toEqual(place(example, 3));
    const numbered = { initial_global_assignments: { 60: example[1], 3: example[0] } };
    expect(read(numbered, { gpus: 3 })).toEqual(place(example, 3));
  });

  test.each<[string, object]>([
    ["initial_global_assignments: expected lists of experts by layer number, got Array of length 2.", example],
    ["initial_global_assignments: expected at least one layer, got 0.", {}],
    ['initial_global_assignments: expected layer numbers, integers >= 0, got "-1".', { "-1": example[0] }],
    ["initial_global_assignments[3]: expected num_slots = 6 experts, got 5.", { 3: example[0].slice(1) }],
    [
      "initial_global_assignments[3][0]: expected an expert id, an integer from 0 to 16777216, got -1.",
      { 3: [-1, 0, 1, 2, 3, 0] },
    ],
    [
      'initial_global_assignments[5]: expected a slot for expert 3, got "none".',
      { 3: example[0], 5: [0, 1, 2, 0, 1, 2] },
    ],
    ['initial_global_assignments[3]: expected a slot for expert 1, got "none".', { 3: [0, 2, 0, 2, 9, 9] }],
    ["initial_global_assignments[3]: expected a non-empty array of integers, got null.", { 3: null }],
  ])("%s", (message, assignments) => {
    const json = { ...config, initial_global_assignments: assignments };
    expect(() => read(json, { gpus: 3 })).toThrow(message);
    expect(() => read(json, { gpus: 3 })).toThrow(ArgumentError);
  });

  test("beside another system's map, or with slots that are no number, is refused", () => {
    const both = { ...config, phy2log: example };
    expect(() => read(both, { gpus: 3 })).toThrow("json: expected the maps of one system");
    expect(() => read({ ...config, num_slots: "6" }, { gpus: 3 })).toThrow(
      'num_slots: expected an integer >= 1, got "6".',
    );
  });
});

test("the file for SGLang's --init-expert-location has the one map that it takes", () => {
  expect(placementsToJSON(place(example, 3), "sglang")).toEqual({ physical_to_logical_map: example });
});

describe("r2o", () => {
  const cubes = replicateHeaviest([Array.from({ length: 64 }, (_, e) => (e * 7) % 64)], topologies.cube8(), {
    epSize: 32,
    redundantsPerRank: 2,
  });

  test("of groups of ranks", () => {
    const written = placementMaps(cubes, "lplb");
    expect(written.r2o).toEqual(topologies.cube8());
    expect(read(written, { gpus: 32 })).toEqual(cubes);
    expect(read({ r2o: written.r2o, phy2log: written.physical_to_logical_map }, { gpus: 32 })).toEqual(cubes);
  });

  test("with fewer columns than redundant slots", () => {
    const twice = replicateHeaviest([[1, 2, 3, 4]], topologies.ring(2), { epSize: 2, redundantsPerRank: 2 });
    const { physical_to_logical_map } = placementMaps(twice, "lplb");
    for (const r2o of [
      [[1], [0]],
      [
        [1, 1],
        [0, 0],
      ],
    ]) {
      expect(read({ r2o, physical_to_logical_map }, { gpus: 2 })).toEqual(twice);
    }
  });

  test("layers of different graphs cannot be written", () => {
    const other = replicateHeaviest([new Array(64).fill(1)], topologies.torus2d(8, 4), { epSize: 32 });
    expectError(
      errorOf(() => placementMaps([cubes[0], other[0]], "lplb")),
      'placements[1]: expected the r2o of placements[0], got "another".',
      PlacementError,
    );
  });
});

describe.skipIf(!recordedDataPresent)(`recorded maps ${needsRecordedData}`, () => {
  test("of EPLB itself: counts agree, and come out again", () => {
    const { cases } = recordedJson("vectors/eplb_vectors.json");
    for (const { name, phy2log, logcnt, numGpus: gpus } of cases) {
      const placements = read({ phy2log, logcnt }, { gpus });
      const maps = placementMaps(placements, "eplb");
      expect({ phy2log: maps.phy2log, logcnt: maps.logcnt }, name).toEqual({ phy2log, logcnt });
      expect(read({ log2phy: maps.log2phy }, { gpus }), name).toEqual(placements);
    }
    expect(cases).toHaveLength(10);
  });

  test("of vLLM with unused slots: they keep their numbers, and are written again", () => {
    const { phy2log, logcnt, log2phyLayer0 } = recordedJson(
      "vectors/eplb_misc_vectors.json",
    ).vllm_logical_maps_unused_slots;
    for (const gpus of [2, 3]) {
      const placements = read({ physical_to_logical_map: phy2log }, { gpus });
      expect(expertsOf(placements)).toEqual(phy2log);
      const maps = placementMaps(placements, "vllm");
      expect(maps.physical_to_logical_map).toEqual(phy2log);
      expect(maps.logical_replica_count).toEqual(logcnt);
      expect(maps.logical_to_physical_map[0]).toEqual(log2phyLayer0);
    }
  });

  test("of vLLM with an expert several times on a GPU", () => {
    const { cases } = recordedJson("vectors/eplb_misc_vectors.json").vllm_preserve_intragpu_slots;
    for (const { id, numRanks: gpus, old, new: later } of cases) {
      const placements = read({ physical_to_logical_map: [old, later] }, { gpus });
      for (const format of ["vllm", "trtllm"] as const) {
        expect(read(placementMaps(placements, format), { gpus }), `${id}, ${format}`).toEqual(placements);
      }
    }
    expect(cases).toHaveLength(3);
  });

  test("of TensorRT-LLM: its initial assignments as compressed rows", () => {
    const { initialAssignments, epSize } = recordedJson("vectors/eplb_misc_vectors.json").trtllm.maskDeadRank;
    expect(placementMaps(place([initialAssignments], epSize), "trtllm")).toEqual({
      expertReplicaCount: [[2, 2, 2, 2]],
      expertReplicaStartOffset: [[0, 2, 4, 6]],
      globalSlotIds: [[0, 2, 1, 4, 3, 6, 5, 7]],
    });
  });
});

describe("empty slots and lost experts", () => {
  /** Expert 4 is in no layer, expert 1 not in the second. */
  const rows = [
    [0, -1, 2, 1, 1, 3],
    [3, 0, -1, 2, 2, -1],
  ];
  const shape = { gpus: 2, logicalExperts: 5 };
  const placements = rows.map((map) => Placement.fromPhysicalToLogical(map, shape));
  const vllm = {
    physical_to_logical_map: rows,
    logical_to_physical_map: [
      [
        [0, -1],
        [3, 4],
        [2, -1],
        [5, -1],
        [-1, -1],
      ],
      [
        [1, -1],
        [-1, -1],
        [3, 4],
        [0, -1],
        [-1, -1],
      ],
    ],
    logical_replica_count: [
      [1, 2, 1, 1, 0],
      [1, 0, 2, 1, 0],
    ],
  };

  test("vLLM's maps have both, and are read back, whole or in part", () => {
    expect(placementMaps(placements, "vllm")).toEqual(vllm);
    const { physical_to_logical_map, logical_to_physical_map, logical_replica_count } = vllm;
    for (const part of [
      vllm,
      JSON.parse(JSON.stringify(vllm)),
      { physical_to_logical_map },
      { physical_to_logical_map, logical_to_physical_map },
      { physical_to_logical_map, logical_replica_count },
      { physical_to_logical_map: rows.map((row) => BigInt64Array.from(row, BigInt)) },
      { phy2log: rows },
    ]) {
      expect(read(part, shape)).toEqual(placements);
    }
  });

  test("without logicalExperts every expert must have a slot", () => {
    expect(() => read({ physical_to_logical_map: rows }, { gpus: 2 })).toThrow(
      'physical_to_logical_map[1]: expected a slot for expert 1, got "none". Where experts are lost, give logicalExperts.',
    );
    expect(() => read(vllm, { gpus: 2 })).toThrow(
      /^logical_replica_count\[0\]\[4\]: expected a count, an integer from 1/,
    );
  });

  test.each(["sglang", "eplb", "lplb", "trtllm"] as const)("%s has no empty slots, and says so", (format) => {
    for (const write of [placementMaps, placementsToJSON]) {
      expectError(
        errorOf(() => write(placements, format)),
        `placements[0].physicalToLogical[1]: expected an expert in every slot for "${format}", got -1. "vllm" has empty slots.`,
        PlacementError,
      );
    }
  });

  test("TensorRT-LLM's and EPLB's maps tell a lost expert, without empty slots", () => {
    const full = [Placement.fromPhysicalToLogical([0, 2, 2, 3], { gpus: 2, logicalExperts: 4 })];
    for (const format of ["trtllm", "eplb", "vllm"] as const) {
      expect(read(placementMaps(full, format), { gpus: 2, logicalExperts: 4 }), format).toEqual(full);
    }
  });

  test("shares beside them, and of quotas", () => {
    const quota = [4, 0, 5, 3, 1, 7, 2, 6, 0, 1, 2, 0];
    const shares = quotaToShares(placements, quota);
    expect(shares.map((layer) => layer.map((row) => row.map((share) => Math.round(100 * share))))).toEqual([
      [
        [100, 0],
        [75, 25],
        [100, 0],
        [100, 0],
        [0, 0],
      ],
      [
        [100, 0],
        [0, 0],
        [33, 67],
        [100, 0],
        [0, 0],
      ],
    ]);
    const back = sharesFromJSON({ physical_to_logical_map: rows, log2phy_prob: shares }, shape);
    expect([...back]).toEqual(shares.flat(2));
    expectError(
      errorOf(() =>
        quotaToShares(
          placements,
          quota.map((tokens, slot) => (slot === 1 ? 1 : tokens)),
        ),
      ),
      "quota[1]: expected 0 in an empty slot, got 1.",
      LoadError,
    );
  });
});
