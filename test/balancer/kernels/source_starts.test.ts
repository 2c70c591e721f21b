import { expect, test } from "vitest";
import { balanceParams, LANES, placementTable } from "../../../src/balancer/kernels/balance_params.ts";
import { compileSourceStarts } from "../../../src/balancer/kernels/source_starts.ts";
import { sourceStarts } from "../../../src/balancer/twins/source_starts.ts";
import { seeded } from "../../../src/common/random.ts";
import { requestDevice } from "../../../src/index.ts";
import { difference } from "../../helpers/arrays.ts";
import { expertCounts, layerPlacements } from "../../helpers/batches.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";

const { device } = await requestDevice();

async function onDevice(bySource: Int32Array, layers: number, sources: number, experts: number) {
  const table = placementTable(layerPlacements(seeded(1), 1, experts, 4));
  const arrays = {
    bySource,
    start: unwritten(bySource.length),
    counts: unwritten(layers * experts),
    params: balanceParams(table, layers, 0, 0, { topK: 1, sources }),
  };
  return runKernel(device, await compileSourceStarts(device), arrays, [Math.ceil(experts / LANES), layers]);
}

test.each(expertCounts)("%i experts: what earlier sources have, and all of them", async (experts) => {
  const random = seeded(2180);
  for (const [layers, sources] of [
    [1, 1],
    [3, 5],
    [2, 64],
  ]) {
    const bySource = Int32Array.from({ length: layers * sources * experts }, () => random.below(2 ** 24));
    const found = await onDevice(bySource, layers, sources, experts);
    const expected = sourceStarts(bySource, layers, sources, experts);
    for (const part of ["start", "counts"] as const) {
      expect(difference(found[part], expected[part]), `${sources} sources: ${part}`).toBeUndefined();
    }
  }
});

test("planted", async () => {
  const found = await onDevice(Int32Array.of(5, 0, 1, 7, 2 ** 31 - 10, 2), 1, 3, 2);
  expect([...found.start]).toEqual([0, 0, 5, 0, 6, 7]);
  expect([...found.counts]).toEqual([2 ** 31 - 4, 9]);
});
