import { expect, test } from "vitest";
import { balanceParams, LANES, placementTable } from "../../../src/balancer/kernels/balance_params.ts";
import { compileShares } from "../../../src/balancer/kernels/shares.ts";
import { apportion } from "../../../src/balancer/twins/apportion.ts";
import * as reference from "../../../src/balancer/twins/shares.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import { type Placement, requestDevice } from "../../../src/index.ts";
import { rowOf } from "../../helpers/arrays.ts";
import { expertCounts, layerPlacements } from "../../helpers/batches.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";

const { device } = await requestDevice();

/** WGSL divides to 2.5 units in the last place and converts u32 to f32 to half a unit, twice; the twin rounds its result once more. */
const RELATIVE = 4 * 2 ** -23;

async function shares(placements: readonly Placement[], counts: Uint32Array, quota: Uint32Array) {
  const table = placementTable(placements);
  const layers = counts.length / table.experts;
  const arrays = {
    placement: table.data,
    counts,
    quota,
    shares: unwritten(layers * table.experts * table.replicas),
    params: balanceParams(table, layers, 0, 0),
  };
  const grid = [Math.ceil(table.experts / LANES), layers] as const;
  const found = await runKernel(device, await compileShares(device), arrays, grid);
  return new Float32Array(found.shares.buffer);
}

/** Counts of all magnitudes, some 0, split in random proportions: [L, E] and [L, P]. */
function split(random: Random, placements: readonly Placement[]) {
  const { logicalExperts: E, physicalExperts: P } = placements[0];
  const anyCount = () => (random.next() < 0.2 ? 0 : Math.floor(2 ** (31 * random.next())));
  const counts = Int32Array.from({ length: placements.length * E }, anyCount);
  const quota = new Int32Array(placements.length * P);
  for (const [l, placement] of placements.entries()) {
    const weights = Array.from({ length: P }, () => random.below(1000));
    apportion(placement, rowOf(counts, l, E), weights, rowOf(quota, l, P));
  }
  return { counts: Uint32Array.from(counts), quota: Uint32Array.from(quota) };
}

test.each(expertCounts)("%i experts: shares of layers with different most slots", async (experts) => {
  const random = seeded(51);
  const placements = layerPlacements(random, 4, experts, Math.min(8, 4 * experts));
  const { counts, quota } = split(random, placements);
  const { logicalExperts: E, physicalExperts: P } = placements[0];
  const width = Math.max(...placements.map(({ maxReplicas }) => maxReplicas));
  const found = await shares(placements, counts, quota);
  expect(found.length).toBe(placements.length * E * width);
  for (const [l, placement] of placements.entries()) {
    const twin = reference.shares(placement, rowOf(counts, l, E), rowOf(quota, l, P), width);
    const wrong = twin.findIndex((share, i) => !(Math.abs(found[l * E * width + i] - share) <= RELATIVE * share)); // 0 is exact
    expect(wrong, `layer ${l}`).toBe(-1);
    for (let e = 0; e < E; e++) {
      const first = (l * E + e) * width;
      const sum = found.subarray(first, first + width).reduce((a, b) => a + b);
      expect(Math.abs(sum - 1), `layer ${l}, expert ${e}`).toBeLessThanOrEqual(RELATIVE * (width + 1));
    }
  }
});
