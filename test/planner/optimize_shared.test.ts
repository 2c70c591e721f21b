import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { optimizePlacement, Placement, placementsFromJSON, placementsToJSON, topologies } from "../../src/index.ts";
import { families } from "../helpers/instances.ts";
import { faults, imbalances, mean } from "../helpers/placed.ts";

describe("a topology for all layers", () => {
  const random = seeded(8);
  const layers = 3;
  const rows = Array.from({ length: 12 }, () =>
    Array.from({ length: layers }, (_, layer) => {
      const popularity = families.zipf(seeded(layer + 1), 32, 8);
      return popularity.map((load) => Math.round(load * (0.8 + 0.4 * random.next())));
    }),
  );
  const history = { loads: Int32Array.from(rows.flat(2)), steps: 12, layers, experts: 32 };
  const options = { gpus: 8, redundant: 8, budgetMs: 4000, backend: "cpu" } as const;

  /** For each GPU, the GPUs that its experts' replicas are on; the same for all layers, whatever the experts are called. */
  const graphOf = ({ gpuOf, physicalToLogical }: Placement) => {
    const homes = [...physicalToLogical].map((e) => gpuOf.filter((_, p) => physicalToLogical[p] === e).join());
    return Array.from({ length: 8 }, (_, g) => homes.filter((_, p) => gpuOf[p] === g).sort());
  };

  test.each([
    ["the best found", true],
    ["a ring", topologies.ring(8)],
  ])("%s", async (_, sharedTopology) => {
    const found = await optimizePlacement(history, { ...options, sharedTopology });
    const graphs = found.placements.map(graphOf);
    expect(graphs[1]).toEqual(graphs[0]);
    expect(graphs[2]).toEqual(graphs[0]);
    for (const placement of found.placements) expect(faults(placement, 32, options)).toEqual([]);
    const { free, shared, roles } = found.sharedTopology!;
    expect(shared).toBeCloseTo(found.recorded.after, 12);
    expect(free).toBeGreaterThanOrEqual(1 - 1e-12);
    expect(roles.flat()).toHaveLength(40);
    if (sharedTopology !== true) {
      const ring = Placement.fromRedundantToOriginal(topologies.ring(8), { logicalExperts: 32, epSize: 8 });
      expect(graphs[0]).toEqual(graphOf(ring));
    }
  });

  test.each<[string, number[][], number, number]>([
    ["ring", topologies.ring(8), 8, 8],
    ["ring with two slots a GPU", topologies.ring(8), 8, 16],
    ["two rings of four", topologies.ring(4), 8, 8],
    ["cube", topologies.cube8(), 8, 16],
    ["torus", topologies.torus2d(2, 4), 8, 16],
    ["hypercube", topologies.hypercube16(), 16, 32],
  ])("LPLB's %s comes in LPLB's order of the slots", async (_, r2o, gpus, redundant) => {
    const { placements, layers } = await optimizePlacement(history, {
      ...{ gpus, redundant, budgetMs: 300, backend: "cpu" },
      sharedTopology: r2o,
    });
    const json = placementsToJSON(placements, "lplb");
    for (const [g, row] of json.r2o.entries()) {
      for (const [d, original] of row.entries()) expect(original).toBe(r2o[g % r2o.length][d % r2o[0].length]);
    }
    const read = placementsFromJSON(json, { gpus }); // which checks the maps against r2o
    expect(read.map(({ physicalToLogical }) => physicalToLogical)).toEqual(
      placements.map(({ physicalToLogical }) => physicalToLogical),
    );
    // The order of the slots is all that it changes: the recorded imbalance is still that of the placement.
    for (const [layer, placement] of placements.entries()) {
      expect(faults(placement, 32, { gpus, redundant })).toEqual([]);
      expect(mean(await imbalances(history, layer, placement))).toBeCloseTo(layers[layer].recorded.after, 9);
    }
  });
});
