/** TensorRT-LLM's two ways to write a placement: its configuration, and compressed rows. */
import { describe, expect, test } from "vitest";
import { ArgumentError, PlacementError, placementsToJSON, ShapeError } from "../../src/index.ts";
import { type BadRecord, counts, example, expectRefused, place, read } from "./systems.ts";

describe("the configuration", () => {
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

describe("compressed rows that are not as they should be", () => {
  const range = "one of 3 slots, 0 to 2";
  const hold = "Every slot must hold an expert, where the map from slots to experts is missing.";

  test.each<BadRecord>([
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
      `globalSlotIds[0][1]: expected ${range}, got 3. ${hold}`,
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
  ])("%s", expectRefused);
});
