/** Records, and maps of vLLM, SGLang and EPLB, that are refused by name. */
import { test } from "vitest";
import { ArgumentError, PlacementError, ShapeError } from "../../src/index.ts";
import { type BadRecord, example, expectRefused } from "./systems.ts";

const map = { physical_to_logical_map: example };
const lost = "Where experts are lost, give logicalExperts.";
const slot = (most: number) => `one of ${most + 1} slots, 0 to ${most}`;
const hold = "Every slot must hold an expert, where the map from slots to experts is missing.";
const range = (least: number, most: number) => `an integer from ${least} to ${most}`;

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
  ["phy2log: expected a non-empty array with a row per layer, got 7.", ArgumentError, { phy2log: 7 }],
  ["phy2log: expected a non-empty array with a row per layer, got Array of length 0.", ArgumentError, { phy2log: [] }],
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
  [`log2phy[0][0][1]: expected a slot or -1, ${range(-1, 2 ** 24)}, got -2.`, PlacementError, { log2phy: [[[0, -2]]] }],
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
])("%s", expectRefused);
