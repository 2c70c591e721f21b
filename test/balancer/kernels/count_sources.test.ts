import { expect, test } from "vitest";
import { balanceParams, chunksOf, placementTable } from "../../../src/balancer/kernels/balance_params.ts";
import { compileCountSources } from "../../../src/balancer/kernels/count_sources.ts";
import { countSources } from "../../../src/balancer/twins/count_sources.ts";
import { seeded } from "../../../src/common/random.ts";
import { requestDevice } from "../../../src/index.ts";
import { difference } from "../../helpers/arrays.ts";
import { layerPlacements, randomIds } from "../../helpers/batches.ts";
import { runKernel } from "../../helpers/kernel.ts";

const { device } = await requestDevice();

async function onDevice(ids: Int32Array, layers: number, experts: number, topK: number, sources: number) {
  const table = placementTable(layerPlacements(seeded(1), 1, experts, 4));
  const assignments = ids.length / layers;
  const params = balanceParams(table, layers, assignments, 0, { topK, sources });
  const bySource = new Uint32Array(layers * sources * experts);
  const grid = [chunksOf(assignments), layers] as const;
  return (await runKernel(device, await compileCountSources(device), { ids, bySource, params }, grid)).bySource;
}

test.each([1, 3, 8, 64])("%i sources: each token at the one it is dealt to", async (sources) => {
  const random = seeded(2170 + sources);
  for (const tokens of [0, 1, sources - 1, sources, sources + 1, 1000]) {
    const [layers, topK, experts] = [3, 4, 40];
    const ids = randomIds(random, layers, tokens * topK, experts);
    const found = await onDevice(ids, layers, experts, topK, sources);
    expect(difference(found, countSources(ids, layers, experts, topK, sources)), `${tokens} tokens`).toBeUndefined();
    const counted = new Int32Array(found.length); // token by token, as the definition says
    for (const [i, e] of ids.entries()) {
      const [layer, t] = [Math.floor(i / (tokens * topK)), Math.floor((i % (tokens * topK)) / topK)];
      if (e < 0 || e >= experts) continue;
      counted[(layer * sources + Math.floor((t * sources) / tokens)) * experts + e]++;
    }
    expect(difference(found, counted), `${tokens} tokens`).toBeUndefined();
  }
});
