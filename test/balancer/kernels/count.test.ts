import { expect, test } from "vitest";
import { balanceParams, CHUNK, chunksOf, placementTable } from "../../../src/balancer/kernels/balance_params.ts";
import { compileCount } from "../../../src/balancer/kernels/count.ts";
import * as reference from "../../../src/balancer/twins/count.ts";
import { seeded } from "../../../src/common/random.ts";
import { requestDevice } from "../../../src/index.ts";
import { difference, rowOf } from "../../helpers/arrays.ts";
import { assignmentCounts, expertCounts, layerPlacements, oddIds, randomIds } from "../../helpers/batches.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";

const { device } = await requestDevice();

async function count(ids: Int32Array | Uint32Array, layers: number, experts: number) {
  const assignments = ids.length / layers;
  const chunks = chunksOf(assignments);
  const table = placementTable(layerPlacements(seeded(1), 1, experts, 4));
  const arrays = {
    ids,
    chunkCounts: unwritten(layers * chunks * experts),
    counts: new Uint32Array(layers * experts),
    outOfRange: new Uint32Array(layers),
    params: balanceParams(table, layers, assignments, 0),
  };
  return runKernel(device, await compileCount(device, experts), arrays, [chunks, layers]);
}

test.each(expertCounts)("%i experts: counts, per chunk too, and ids out of range", async (experts) => {
  const layers = 3;
  for (const assignments of assignmentCounts) {
    const ids = randomIds(seeded(21), layers, assignments, experts, 0.2);
    const twin = reference.count(ids, layers, experts);
    const found = await count(ids, layers, experts);
    expect(difference(found.counts, twin.counts), `N = ${assignments}`).toBeUndefined();
    expect(difference(found.outOfRange, twin.outOfRange), `N = ${assignments}`).toBeUndefined();
    const perChunk: number[] = [];
    for (let layer = 0; layer < layers; layer++) {
      const row = rowOf(ids, layer, assignments);
      for (let start = 0; start < Math.max(1, assignments); start += CHUNK) {
        perChunk.push(...reference.count(row.subarray(start, start + CHUNK), 1, experts).counts);
      }
    }
    expect(difference(found.chunkCounts, perChunk), `N = ${assignments}`).toBeUndefined();
  }
});

test("every kind of id out of range, and padding, at every position", async () => {
  const experts = 31;
  for (const odd of [-1, ...oddIds(experts)]) {
    const ids = new Int32Array(2 * 2049).fill(odd);
    const { counts, outOfRange } = await count(ids, 2, experts);
    expect(counts).toEqual(new Uint32Array(2 * experts));
    expect([...outOfRange], `${odd}`).toEqual(odd === -1 ? [0, 0] : [2049, 2049]);
  }
});

test("u32 ids count as the i32 ids of the same bits", async () => {
  const ids = randomIds(seeded(22), 2, 3000, 32, 0.3);
  const unsigned = new Uint32Array(ids.buffer);
  expect(await count(unsigned, 2, 32)).toEqual(await count(ids, 2, 32));
  expect(reference.count(unsigned, 2, 32)).toEqual(reference.count(ids, 2, 32));
});

test("one expert with all the tokens of many chunks", async () => {
  const { counts } = await count(new Int32Array(100_000).fill(1023), 1, 1024);
  expect(counts[1023]).toBe(100_000);
  expect(counts.subarray(0, 1023)).toEqual(new Uint32Array(1023));
});
