/** Maps of every system by hand and at random, and how JavaScript calls their reader. */
import type { Random } from "../../src/common/random.ts";
import { Placement, type PlacementFormat, placementsFromJSON, replicateHeaviest, topologies } from "../../src/index.ts";
import { errorOf, expectError, type Kind } from "../helpers/bad_input.ts";
import { layerPlacements } from "../helpers/batches.ts";

export type Json = Record<string, unknown>;

/** Bad input has no type. */
export const read = placementsFromJSON as (json: unknown, shape?: unknown) => Placement[];
export const expertsOf = (placements: readonly Placement[]) =>
  placements.map(({ physicalToLogical }) => [...physicalToLogical]);
export const place = (maps: readonly number[][], gpus: number) =>
  maps.map((map) => Placement.fromPhysicalToLogical(map, { gpus }));

/** The example in vLLM's own documentation of EplbState: 2 layers, 4 experts, 6 slots, 3 ranks. */
export const example = [
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
export const counts = [
  [2, 2, 1, 1],
  [3, 1, 1, 1],
];

/** Two layers on a ring of 4 ranks with 2 experts each; in the second, expert 1 of every rank is the heavier one. */
export const alongRing = [
  [0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 0],
  [1, 0, 3, 3, 2, 5, 5, 4, 7, 7, 6, 1],
];

export const literal: Record<PlacementFormat, { gpus: number; map: number[][]; maps: Json }> = {
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

/** Layers of one size with different most slots, some with an expert twice on a GPU; of LPLB's shape where that is needed. */
export function randomLayers(random: Random, format: PlacementFormat): Placement[] {
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

export type BadRecord = [message: string, kind: Kind, json: unknown, shape?: unknown];

/** For `test.each`. */
export function expectRefused(...[message, kind, json, shape = { gpus: 3 }]: BadRecord): void {
  expectError(
    errorOf(() => read(json, shape)),
    message,
    kind,
  );
}
