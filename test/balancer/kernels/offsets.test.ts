import { expect, test } from "vitest";
import { balanceParams, CHUNK, LANES, placementTable } from "../../../src/balancer/kernels/balance_params.ts";
import { compileOffsets } from "../../../src/balancer/kernels/offsets.ts";
import * as reference from "../../../src/balancer/twins/offsets.ts";
import { seeded } from "../../../src/common/random.ts";
import { requestDevice } from "../../../src/index.ts";
import { difference } from "../../helpers/arrays.ts";
import { expertCounts, layerPlacements } from "../../helpers/batches.ts";
import { runKernel } from "../../helpers/kernel.ts";

const { device } = await requestDevice();

async function offsets(before: Uint32Array, chunkCounts: Uint32Array, layers: number, experts: number) {
  const chunks = chunkCounts.length / (layers * experts);
  const table = placementTable(layerPlacements(seeded(1), 1, experts, 4));
  const params = balanceParams(table, layers, chunks * CHUNK, 0);
  const grid = [Math.ceil(experts / LANES), layers] as const;
  return (await runKernel(device, await compileOffsets(device), { before, chunkCounts, params }, grid)).chunkCounts;
}

test.each(expertCounts)("%i experts: what comes before each chunk", async (experts) => {
  const random = seeded(31);
  const layers = 3;
  for (const chunks of [1, 2, 3, 41]) {
    const before = Uint32Array.from({ length: layers * experts }, () => random.below(2 ** 30));
    const chunkCounts = Uint32Array.from({ length: layers * chunks * experts }, () => random.below(CHUNK + 1));
    const expected = chunkCounts.slice();
    reference.offsets(before, expected, layers, experts);
    const found = await offsets(before, chunkCounts, layers, experts);
    expect(difference(found, expected), `${chunks} chunks`).toBeUndefined();
  }
});

test("planted: sums up to 2^31 - 1", async () => {
  const most = 2 ** 31 - 1;
  const before = Uint32Array.of(most - 5, 7);
  const found = await offsets(before, Uint32Array.of(2, 1, 3, 0, 0, 10), 1, 2);
  expect([...found]).toEqual([most - 5, 7, most - 3, 8, most, 8]);
});
