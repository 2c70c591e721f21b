import { describe, expect, test } from "vitest";
import { compileApportion } from "../../../src/balancer/kernels/apportion.ts";
import { balanceParams, LANES, placementTable } from "../../../src/balancer/kernels/balance_params.ts";
import * as reference from "../../../src/balancer/twins/apportion.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import { Placement, requestDevice } from "../../../src/index.ts";
import { difference, rowOf } from "../../helpers/arrays.ts";
import { expertCounts, layerPlacements } from "../../helpers/batches.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";

const { device } = await requestDevice();
const most = 2 ** 31 - 1;

/** Quotas [L, P] of the kernel. */
async function apportion(placements: readonly Placement[], counts: Uint32Array, weights?: Uint32Array) {
  const table = placementTable(placements);
  const layers = counts.length / table.experts;
  const arrays = {
    placement: table.data,
    counts,
    weights: weights ?? unwritten(1),
    quota: unwritten(layers * table.slots),
    params: balanceParams(table, layers, 0, 0),
  };
  const kernel = await compileApportion(device, weights === undefined);
  return (await runKernel(device, kernel, arrays, [Math.ceil(table.experts / LANES), layers])).quota;
}

/** The same from the twin. */
function twin(placements: readonly Placement[], counts: Uint32Array, weights?: Uint32Array): Uint32Array {
  const { logicalExperts: E, physicalExperts: P } = placements[0];
  const quota = new Int32Array((counts.length / E) * P);
  for (let l = 0; l < counts.length / E; l++) {
    const placement = placements[l % placements.length];
    reference.apportion(placement, rowOf(counts, l, E), weights && rowOf(weights, l, P), rowOf(quota, l, P));
  }
  return Uint32Array.from(quota);
}

/** Counts over all magnitudes, many of them near 2^31 and some 0. */
const anyCount = (random: Random) => {
  if (random.next() < 0.2) return 0;
  return random.next() < 0.4 ? most - random.below(100) : Math.floor(2 ** (31 * random.next()));
};

/** Weights of which each expert's add up to less than 2^31: some experts' are all 0, some nearly all on one slot. */
function anyWeights(random: Random, placements: readonly Placement[]): Uint32Array {
  return Uint32Array.from(
    placements.flatMap((placement) => {
      const limit = Array.from(placement.replicaCount, (slots) => Math.floor(most / slots));
      const scale = limit.map(() => random.pick([0, 1, 2, 100, 1e6, Infinity]));
      return Array.from(placement.physicalToLogical, (e) =>
        Math.min(limit[e], random.next() < 0.2 ? 0 : random.below(Math.min(scale[e], limit[e]) + 1)),
      );
    }),
  );
}

describe.each(expertCounts)("%i experts, 3 layers of different placements", (experts) => {
  const random = seeded(41);
  const placements = layerPlacements(random, 3, experts, Math.min(8, 4 * experts));
  const counts = Uint32Array.from({ length: 3 * experts }, () => anyCount(random));

  test("evenly", async () => {
    expect(difference(await apportion(placements, counts), twin(placements, counts))).toBeUndefined();
  });

  test("by weight: as the twin, each expert's tokens kept, each slot within one token of its due", async () => {
    const weights = anyWeights(random, placements);
    const quota = await apportion(placements, counts, weights);
    expect(difference(quota, twin(placements, counts, weights))).toBeUndefined();
    for (const [l, { replicaCount, logicalToPhysical, maxReplicas, physicalExperts }] of placements.entries()) {
      for (let e = 0; e < experts; e++) {
        const slots = Array.from(
          logicalToPhysical.subarray(e * maxReplicas, e * maxReplicas + replicaCount[e]),
          (slot) => l * physicalExperts + slot,
        );
        const tokens = counts[l * experts + e];
        expect(slots.reduce((sum, slot) => sum + quota[slot], 0)).toBe(tokens);
        const total = slots.reduce((sum, slot) => sum + weights[slot], 0);
        for (const slot of slots) {
          const [part, whole] = total === 0 ? [1n, BigInt(slots.length)] : [BigInt(weights[slot]), BigInt(total)];
          const excess = BigInt(quota[slot]) * whole - BigInt(tokens) * part;
          expect(excess > -whole && excess < whole, `layer ${l}, slot ${slot}`).toBe(true);
        }
      }
    }
  });
});

test("one placement serves all layers", async () => {
  const random = seeded(42);
  const placements = layerPlacements(random, 1, 31, 8);
  const counts = Uint32Array.from({ length: 5 * 31 }, () => anyCount(random));
  expect(await apportion(placements, counts)).toEqual(twin(placements, counts));
});

describe("planted products of 62 bits", () => {
  const pair = [Placement.fromPhysicalToLogical([0, 0], { gpus: 2 })];
  const triple = [Placement.fromPhysicalToLogical([0, 0, 0], { gpus: 3 })];

  test.each([
    [most, [most - 1, 1], [most - 1, 1]],
    [most, [1, most - 1], [1, most - 1]],
    [most, [0, most], [0, most]],
    [most, [most, 0], [most, 0]],
    [most - 1, [2 ** 30, 2 ** 30 - 1], [2 ** 30 - 1, 2 ** 30 - 1]],
    [1, [2 ** 30, 2 ** 30 - 1], [0, 1]],
    [most, [1, 0], [most, 0]], // divided by 1
    [most, [1, 2], [715827882, 1431655765]], // by 3
  ])("%i tokens by %j", async (tokens, weights, quota) => {
    expect([...(await apportion(pair, Uint32Array.of(tokens), Uint32Array.from(weights)))]).toEqual(quota);
  });

  test("an even split in three of 2^31 - 1", async () => {
    const third = 715827882;
    expect([...(await apportion(triple, Uint32Array.of(most)))]).toEqual([third, third, third + 1]);
  });
});
