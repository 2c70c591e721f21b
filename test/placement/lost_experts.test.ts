/** Empty slots and lost experts, which vLLM's maps have: in maps, in files and in shares. */
import { describe, expect, test } from "vitest";
import {
  LoadError,
  Placement,
  PlacementError,
  placementMaps,
  placementsToJSON,
  quotaToShares,
  sharesFromJSON,
} from "../../src/index.ts";
import { errorOf, expectError } from "../helpers/bad_input.ts";
import { read } from "./systems.ts";

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
