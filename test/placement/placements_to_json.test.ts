/** What SGLang's file is, and what cannot be written. */
import { expect, test } from "vitest";
import {
  ArgumentError,
  Placement,
  PlacementError,
  placementMaps,
  placementsToJSON,
  ShapeError,
} from "../../src/index.ts";
import { errorOf, expectError, type Kind } from "../helpers/bad_input.ts";
import { example, place } from "./systems.ts";

// Bad input has no type: the functions as JavaScript calls them.
const write = placementMaps as (...args: unknown[]) => unknown;
const toJSON = placementsToJSON as typeof write;

test("the file for SGLang's --init-expert-location has the one map that it takes", () => {
  expect(placementsToJSON(place(example, 3), "sglang")).toEqual({ physical_to_logical_map: example });
});

const one = Placement.fromPhysicalToLogical(example[0], { gpus: 3 });
test.each<[message: string, kind: Kind, placements: unknown, format: unknown]>([
  [
    "placements[0].slotsPerGpu[1]: expected 2 as on GPU 0, which every system counts on, got 1.",
    PlacementError,
    [Placement.fromPhysicalToLogical([0, 1, 2], { gpus: 2, slotsPerGpu: [2, 1] })],
    "sglang",
  ],
  ["placements: expected an array with a Placement per layer, got an object of Placement.", ArgumentError, one, "eplb"],
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
