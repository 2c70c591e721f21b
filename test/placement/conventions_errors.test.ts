import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  Placement,
  PlacementError,
  placementMaps,
  placementsFromJSON,
  placementsToJSON,
  ShapeError,
  topologies,
} from "../../src/index.ts";
import { errorOf, expectError, type Kind } from "../helpers/bad_input.ts";

// Bad input has no type: the functions as JavaScript calls them.
const read = placementsFromJSON as (json: unknown, shape?: unknown) => unknown;
const write = placementMaps as (...args: unknown[]) => unknown;
const toJSON = placementsToJSON as typeof write;

/** 2 layers, 4 experts, 6 slots, 3 ranks. */
const example = [
  [0, 1, 2, 3, 0, 1],
  [0, 2, 0, 1, 0, 3],
];
const counts = [
  [2, 2, 1, 1],
  [3, 1, 1, 1],
];
const ring = topologies.ring(4);
const alongRing = [[0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 0]];

describe("maps that are not as they should be", () => {
  const map = { physical_to_logical_map: example };
  const lost = "Where experts are lost, give logicalExperts.";
  const slot = (most: number) => `one of ${most + 1} slots, 0 to ${most}`;
  const hold = "Every slot must hold an expert, where the map from slots to experts is missing.";
  const range = (least: number, most: number) => `an integer from ${least} to ${most}`;
  type BadRecord = [message: string, kind: Kind, json: unknown, shape?: unknown];

  test.each<BadRecord>([
    ["json: expected an object with maps, got null.", ArgumentError, null],
    ['json: expected an object with maps, got "[[0]]". It is text: JSON.parse it first.', ArgumentError, "[[0]]"],
    ["gpus: expected an integer >= 1, got undefined.", ArgumentError, map, null],
    ["gpus: expected an integer >= 1, got 1.5.", ArgumentError, map, { gpus: 1.5 }],
    [
      'json: expected the maps of vLLM, SGLang, EPLB, LPLB or TensorRT-LLM, got "phy2log, physical_to_logical".',
      ArgumentError,
      { phy2log: undefined, physical_to_logical: [[0]] },
    ],
    ['json: expected the maps of vLLM, SGLang, EPLB, LPLB or TensorRT-LLM, got "0, 1".', ArgumentError, example],
    ...(
      [
        ["2", 2],
        [`"3"`, "3"],
        ["null", null],
      ] as const
    ).map(
      ([shown, gpus]): BadRecord => [
        `json.gpus: expected gpus = 3, got ${shown}. The placement was made for another number of GPUs.`,
        PlacementError,
        { ...map, gpus },
      ],
    ),
    [
      'json: expected the maps of one system, got "physical_to_logical_map, phy2log".',
      ArgumentError,
      { ...map, phy2log: example },
    ],
    [
      'json: expected a physical_to_logical_map beside r2o, got "none". It does not say which experts the GPUs hold; ' +
        "Placement.fromRedundantToOriginal takes it alone.",
      ArgumentError,
      { r2o: ring },
    ],
    ["phy2log: expected a non-empty array with a row per layer, got 7.", ArgumentError, { phy2log: 7 }],
    [
      "phy2log: expected a non-empty array with a row per layer, got Array of length 0.",
      ArgumentError,
      { phy2log: [] },
    ],
    ["phy2log[1]: expected a non-empty array of integers, got 0.", ArgumentError, { phy2log: [[0], 0] }],
    [`phy2log[1]: expected a slot for expert 0, got "none". ${lost}`, PlacementError, { phy2log: [[0], [-1]] }],
    [
      `phy2log[0]: expected a slot for expert 0, got "none". ${lost}`,
      PlacementError,
      { phy2log: [BigInt64Array.of(1n, -1n)] },
    ],
    [`phy2log[0][0]: expected an expert id or -1, ${range(-1, 0)}, got -2.`, PlacementError, { phy2log: [[-2]] }],
    [
      "phy2log[0][1]: expected 1 as in log2phy, got -1.",
      PlacementError,
      {
        phy2log: [[0, -1, 1]],
        log2phy: [
          [
            [0, -1],
            [1, 2],
          ],
        ],
      },
    ],
    [
      "logcnt[0]: expected logicalExperts = 3 rows, got 2.",
      ShapeError,
      { phy2log: [[0, 1]], logcnt: [[1, 1]] },
      { gpus: 1, logicalExperts: 3 },
    ],
    ["logicalExperts: expected an integer >= 1, got 0.", ArgumentError, map, { gpus: 1, logicalExperts: 0 }],
    [`phy2log[0][1]: expected an expert id or -1, ${range(-1, 1)}, got 2.`, PlacementError, { phy2log: [[0, 2]] }],
    [
      `phy2log[0][0]: expected an expert id or -1, ${range(-1, 0)}, got 9007199254740993n.`,
      PlacementError,
      { phy2log: [BigInt64Array.of(2n ** 53n + 1n)] },
    ],
    [
      `phy2log[0][0]: expected an expert id or -1, ${range(-1, 2)}, got undefined.`,
      PlacementError,
      { phy2log: [Object.assign(new Array(3), { 1: 0 })] },
    ],
    [
      "phy2log[1]: expected 2 values as in phy2log[0], got 3.",
      ShapeError,
      {
        phy2log: [
          [0, 1],
          [0, 1, 1],
        ],
      },
    ],
    [
      `phy2log[1]: expected a slot for expert 2, got "none". ${lost}`,
      PlacementError,
      {
        phy2log: [
          [0, 1, 2],
          [0, 1, 1],
        ],
      },
    ],
    [
      `phy2log[0]: expected a slot for expert 1, got "none". ${lost}`,
      PlacementError,
      { phy2log: [[0, 0]], logcnt: [[1, 1]] },
    ],
    [
      "phy2log[0]: expected a multiple of gpus = 3 slots, got 4. Every GPU holds equally many slots.",
      ShapeError,
      { phy2log: [[0, 1, 2, 0]] },
    ],
    [
      "log2phy[0]: expected a multiple of gpus = 3 slots, got 4. Every GPU holds equally many slots.",
      ShapeError,
      {
        log2phy: [
          [
            [0, 2],
            [3, 1],
          ],
        ],
      },
    ],
    ["log2phy[0]: expected a non-empty array with a row per expert, got 0.", ArgumentError, { log2phy: [0] }],
    ["log2phy[0][1]: expected 2 slots as in log2phy[0][0], got 1.", ShapeError, { log2phy: [[[0, 1], [2]]] }],
    ["log2phy[1]: expected 2 values as in log2phy[0], got 1.", ShapeError, { log2phy: [[[0], [1]], [[0]]] }],
    [
      `log2phy[0][1][0]: expected a slot, for every expert must have one, got -1. ${lost}`,
      PlacementError,
      {
        log2phy: [
          [
            [0, 1],
            [-1, -1],
          ],
        ],
      },
    ],
    ["log2phy[0][0][2]: expected -1 behind the first -1, got 1.", PlacementError, { log2phy: [[[0, -1, 1]]] }],
    [
      `log2phy[0][0][1]: expected a slot or -1, ${range(-1, 2 ** 24)}, got -2.`,
      PlacementError,
      { log2phy: [[[0, -2]]] },
    ],
    [`log2phy[0][1][0]: expected ${slot(2)}, got 3. ${hold}`, PlacementError, { log2phy: [[[0], [3], [1]]] }],
    [
      "log2phy[0][2][0]: expected a slot that expert 0 does not have, got 0.",
      PlacementError,
      { log2phy: [[[0], [1], [0]]] },
    ],
    [
      `log2phy[1]: expected slot 2 as well, got "none". ${hold}`,
      PlacementError,
      {
        log2phy: [
          [
            [0, 1],
            [2, -1],
          ],
          [
            [1, -1],
            [0, -1],
          ],
        ],
      },
    ],
    [
      'log2phy[0][0]: expected slot 2 as well, got "none". phy2log has it so.',
      PlacementError,
      { phy2log: [[0, 1, 0]], log2phy: [[[0], [1]]] },
    ],
    [
      "phy2log[0][0]: expected 1 as in log2phy, got 0.",
      PlacementError,
      { phy2log: [[0, 1, 2]], log2phy: [[[1], [0], [2]]] },
    ],
    [
      `phy2log[0][2]: expected an expert id or -1, ${range(-1, 1)}, got 2.`,
      PlacementError,
      { phy2log: [[0, 1, 2]], log2phy: [[[0], [1]]] },
    ],
    ["log2phy: expected 1 layers as in phy2log, got 2.", ShapeError, { phy2log: [[0]], log2phy: [[[0]], [[0]]] }],
    ["logcnt: expected 1 layers as in phy2log, got 2.", ShapeError, { phy2log: [[0]], logcnt: [[1], [1]] }],
    ["logcnt: expected 1 layers as in log2phy, got 2.", ShapeError, { log2phy: [[[0]]], logcnt: [[1], [1]] }],
    ["logcnt[0]: expected 1 experts as in log2phy[0], got 2.", ShapeError, { log2phy: [[[0]]], logcnt: [[1, 1]] }],
    ["logcnt[0][1]: expected 1, the slots it has, got 2.", PlacementError, { phy2log: [[0, 1, 0]], logcnt: [[2, 2]] }],
    [
      `logcnt[0][1]: expected a count, ${range(1, 2 ** 24)}, got 0.`,
      PlacementError,
      { phy2log: [[0]], logcnt: [[1, 0]] },
    ],
    [
      "r2o[1][0]: expected another rank in 0..3, got 1.",
      PlacementError,
      { r2o: [[1], [1], [3], [0]], physical_to_logical_map: alongRing },
      { gpus: 4 },
    ],
    [
      "r2o[0][0]: expected 1, where physical_to_logical_map[0] has the original of GPU 0's redundant slot 0, got 3.",
      PlacementError,
      { r2o: [[3], [0], [1], [2]], physical_to_logical_map: alongRing },
      { gpus: 4 },
    ],
    [
      "r2o: expected a divisor of gpus = 4 rows, got 3.",
      ShapeError,
      { r2o: topologies.ring(3), physical_to_logical_map: alongRing },
      { gpus: 4 },
    ],
    [
      "r2o[0]: expected at most 1 redundant slots of a GPU, got 2.",
      ShapeError,
      { r2o: topologies.torus2d(2, 2), physical_to_logical_map: alongRing },
      { gpus: 4 },
    ],
    [
      "physical_to_logical_map[1][3]: expected an expert other than in slot 1, each being its GPU's own, got 0. " +
        "LPLB copies expert d of every GPU once, into redundant slot d of another GPU.",
      PlacementError,
      {
        r2o: [[1], [0]],
        physical_to_logical_map: [
          [0, 1, 2, 2, 3, 0],
          [1, 0, 3, 0, 2, 3],
        ],
      },
      { gpus: 2 },
    ],
    [
      "expertReplicaStartOffset: expected a non-empty array with a row per layer, got undefined.",
      ArgumentError,
      { expertReplicaCount: counts, globalSlotIds: example },
    ],
    [
      "expertReplicaStartOffset[0][1]: expected 1, the replicas of the experts before, got 2.",
      PlacementError,
      { expertReplicaCount: [[1, 2]], expertReplicaStartOffset: [[0, 2]], globalSlotIds: [[0, 1, 2]] },
    ],
    [
      "globalSlotIds[0]: expected 3 slots, as counted, got 4.",
      ShapeError,
      { expertReplicaCount: [[1, 2]], expertReplicaStartOffset: [[0, 1]], globalSlotIds: [[0, 1, 2, 3]] },
    ],
    [
      "globalSlotIds[0][2]: expected a slot that expert 0 does not have, got 1.",
      PlacementError,
      { expertReplicaCount: [[1, 2]], expertReplicaStartOffset: [[0, 1]], globalSlotIds: [[1, 0, 1]] },
    ],
    [
      `globalSlotIds[0][1]: expected ${slot(2)}, got 3. ${hold}`,
      PlacementError,
      { expertReplicaCount: [[1, 2]], expertReplicaStartOffset: [[0, 1]], globalSlotIds: [[1, 3, 0]] },
    ],
    [
      "globalSlotIds: expected 2 layers as in expertReplicaCount, got 1.",
      ShapeError,
      { expertReplicaCount: [[3], [3]], expertReplicaStartOffset: [[0], [0]], globalSlotIds: [[1, 2, 0]] },
    ],
    [
      "expertReplicaStartOffset[0]: expected 1 experts as in expertReplicaCount[0], got 2.",
      ShapeError,
      { expertReplicaCount: [[3]], expertReplicaStartOffset: [[0, 3]], globalSlotIds: [[1, 2, 0]] },
    ],
  ])("%s", (message, kind, json, shape = { gpus: 3 }) => {
    expectError(
      errorOf(() => read(json, shape)),
      message,
      kind,
    );
  });

  const one = Placement.fromPhysicalToLogical(example[0], { gpus: 3 });
  test.each<[message: string, kind: Kind, placements: unknown, format: unknown]>([
    [
      "placements[0].slotsPerGpu[1]: expected 2 as on GPU 0, which every system counts on, got 1.",
      PlacementError,
      [Placement.fromPhysicalToLogical([0, 1, 2], { gpus: 2, slotsPerGpu: [2, 1] })],
      "sglang",
    ],
    [
      "placements: expected an array with a Placement per layer, got an object of Placement.",
      ArgumentError,
      one,
      "eplb",
    ],
    ["placements: expected an array with a Placement per layer, got Array of length 0.", ArgumentError, [], "eplb"],
    ["placements[1]: expected a Placement, got Array of length 6.", ArgumentError, [one, example[1]], "eplb"],
    [
      "placements[1].gpus: expected 3 as in the first, got 2.",
      ShapeError,
      [one, Placement.fromPhysicalToLogical(example[1], { gpus: 2 })],
      "eplb",
    ],
    [
      "placements[1].logicalExperts: expected 4 as in the first, got 3.",
      ShapeError,
      [one, Placement.fromPhysicalToLogical([0, 1, 2, 0, 1, 2], { gpus: 3 })],
      "eplb",
    ],
    [
      'format: expected "vllm" or "sglang" or "eplb" or "lplb" or "trtllm", got "toString".',
      ArgumentError,
      [one],
      "toString",
    ],
    [
      'format: expected "vllm" or "sglang" or "eplb" or "lplb" or "trtllm", got undefined.',
      ArgumentError,
      [one],
      undefined,
    ],
    [
      "logicalExperts: expected a multiple of gpus = 3, got 4. " +
        "LPLB copies expert d of every GPU once, into redundant slot d of another GPU.",
      PlacementError,
      [one],
      "lplb",
    ],
  ])("writing: %s", (message, kind, placements, format) => {
    expectError(
      errorOf(() => write(placements, format)),
      message,
      kind,
    );
    expect(errorOf(() => toJSON(placements, format))).toBeInstanceOf(kind);
  });
});
