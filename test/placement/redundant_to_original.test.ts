/** LPLB's r2o beside a map: of the graph that the map has, or refused. */
import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  PlacementError,
  placementMaps,
  replicateHeaviest,
  ShapeError,
  topologies,
} from "../../src/index.ts";
import { errorOf, expectError } from "../helpers/bad_input.ts";
import { alongRing, type BadRecord, expectRefused, read } from "./systems.ts";

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

describe("r2o that is not as it should be", () => {
  const physical_to_logical_map = [alongRing[0]];

  test.each<BadRecord>([
    [
      'json: expected a physical_to_logical_map beside r2o, got "none". It does not say which experts the GPUs hold; ' +
        "Placement.fromRedundantToOriginal takes it alone.",
      ArgumentError,
      { r2o: topologies.ring(4) },
    ],
    [
      "r2o[1][0]: expected another rank in 0..3, got 1.",
      PlacementError,
      { r2o: [[1], [1], [3], [0]], physical_to_logical_map },
      { gpus: 4 },
    ],
    [
      "r2o[0][0]: expected 1, where physical_to_logical_map[0] has the original of GPU 0's redundant slot 0, got 3.",
      PlacementError,
      { r2o: [[3], [0], [1], [2]], physical_to_logical_map },
      { gpus: 4 },
    ],
    [
      "r2o: expected a divisor of gpus = 4 rows, got 3.",
      ShapeError,
      { r2o: topologies.ring(3), physical_to_logical_map },
      { gpus: 4 },
    ],
    [
      "r2o[0]: expected at most 1 redundant slots of a GPU, got 2.",
      ShapeError,
      { r2o: topologies.torus2d(2, 2), physical_to_logical_map },
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
  ])("%s", expectRefused);
});
