import { describe, expect, test } from "vitest";
import { balanceParams, CHUNK, chunksOf, placementTable } from "../../../src/balancer/kernels/balance_params.ts";
import { compileRemap } from "../../../src/balancer/kernels/remap.ts";
import { apportion } from "../../../src/balancer/twins/apportion.ts";
import { count } from "../../../src/balancer/twins/count.ts";
import { countSources } from "../../../src/balancer/twins/count_sources.ts";
import { offsets } from "../../../src/balancer/twins/offsets.ts";
import * as reference from "../../../src/balancer/twins/remap.ts";
import { sourceStarts } from "../../../src/balancer/twins/source_starts.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import { Placement, requestDevice } from "../../../src/index.ts";
import { difference, rowOf } from "../../helpers/arrays.ts";
import { assignmentCounts, expertCounts, layerPlacements, randomIds } from "../../helpers/batches.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";

const { device } = await requestDevice();

interface Batch {
  /** [L] */
  placements: readonly Placement[];
  /** [L, N] */
  ids: Int32Array | Uint32Array;
  /** [L, P] */
  quota: Int32Array;
  /** [L, E] */
  before: Int32Array;
}

/** Slots [L, N] from the kernel, -1 as 2^32 - 1. */
async function remap({ placements, ids, quota, before }: Batch): Promise<Uint32Array> {
  const table = placementTable(placements);
  const layers = placements.length;
  const assignments = ids.length / layers;
  const chunks = chunksOf(assignments);
  const chunkCounts = new Uint32Array(layers * chunks * table.experts);
  for (let l = 0; l < layers; l++) {
    for (let c = 0; c < chunks; c++) {
      const chunk = rowOf(ids, l, assignments).subarray(c * CHUNK, (c + 1) * CHUNK);
      chunkCounts.set(count(chunk, 1, table.experts).counts, (l * chunks + c) * table.experts);
    }
  }
  offsets(before, chunkCounts, layers, table.experts);
  const arrays = {
    placement: table.data,
    ids,
    offsets: chunkCounts,
    quota,
    start: new Uint32Array(1), // not read
    physical: unwritten(ids.length),
    unserved: new Uint32Array(layers),
    params: balanceParams(table, layers, assignments, 0),
  };
  return (await runKernel(device, await compileRemap(device, table.experts), arrays, [chunks, layers])).physical;
}

function twin({ placements, ids, quota, before }: Batch): Uint32Array {
  const layers = placements.length;
  const physical = new Int32Array(ids.length);
  const rows = [ids.length / layers, quota.length / layers, before.length / layers];
  for (const [l, placement] of placements.entries()) {
    const slots = rowOf(physical, l, rows[0]);
    reference.remap(placement, rowOf(ids, l, rows[0]), rowOf(quota, l, rows[1]), rowOf(before, l, rows[2]), slots);
  }
  return new Uint32Array(physical.buffer);
}

/** A batch whose quotas, in random proportions, add up to its counts, those of ranks before it and those of ranks after it. */
function randomBatch(random: Random, experts: number, layers: number, assignments: number): Batch {
  const placements = layerPlacements(random, layers, experts, Math.min(8, 4 * experts));
  const P = placements[0].physicalExperts;
  const ids = randomIds(random, layers, assignments, experts, 0.1);
  const { counts } = count(ids, layers, experts);
  const others = () => (random.next() < 0.5 ? 0 : random.below(3000));
  const before = Int32Array.from({ length: layers * experts }, others);
  const total = before.map((tokens, i) => tokens + counts[i] + others());
  const quota = new Int32Array(layers * P);
  for (const [l, placement] of placements.entries()) {
    const weights = Array.from({ length: P }, () => (random.next() < 0.3 ? 0 : random.below(1000)));
    apportion(placement, rowOf(total, l, experts), weights, rowOf(quota, l, P));
  }
  return { placements, ids, quota, before };
}

test.each(expertCounts)("%i experts: as the twin, slot by slot", async (experts) => {
  const random = seeded(71);
  for (const assignments of assignmentCounts) {
    const batch = randomBatch(random, experts, 3, assignments);
    expect(difference(await remap(batch), twin(batch)), `N = ${assignments}`).toBeUndefined();
  }
});

describe("planted", () => {
  const pair = Placement.fromPhysicalToLogical([0, 1, 2, 0, 0, 2], { gpus: 2 });
  const none = 2 ** 32 - 1;

  test("by position: expert 0 has 1 token in slot 0, none in 3, 3 in 4", async () => {
    const ids = Int32Array.of(0, 1, -1, 0, 2, 3, 0, 0, 2, -(2 ** 31));
    const batch = { placements: [pair], ids, quota: Int32Array.of(1, 1, 0, 0, 3, 2), before: new Int32Array(3) };
    expect([...(await remap(batch))]).toEqual([0, 1, none, 4, 5, none, 4, 4, 5, none]);
    expect(await remap({ ...batch, ids: new Uint32Array(ids.buffer) })).toEqual(await remap(batch));
  });

  test("tokens of ranks before take the first slots; tokens beyond the quotas go nowhere", async () => {
    const ids = Int32Array.of(0, 0, 0, 0);
    const batch = { placements: [pair], ids, quota: Int32Array.of(2, 0, 0, 2, 1, 0) };
    expect([...(await remap({ ...batch, before: Int32Array.of(1, 0, 0) }))]).toEqual([0, 3, 3, 4]);
    expect([...(await remap({ ...batch, before: Int32Array.of(3, 0, 0) }))]).toEqual([3, 4, none, none]);
    expect([...(await remap({ ...batch, before: Int32Array.of(2 ** 31 - 9, 0, 0) }))]).toEqual(Array(4).fill(none));
  });

  test("one expert with all 20,000 tokens, a slot change inside every block of every chunk", async () => {
    const gpus = 100;
    const placement = Placement.fromPhysicalToLogical(new Array(gpus).fill(0), { gpus });
    const quota = Int32Array.from({ length: gpus }, (_, slot) => (slot % 2 === 0 ? 1 : 399));
    const ids = new Int32Array(20_000);
    const expected = [...quota].flatMap((tokens, slot) => new Array<number>(tokens).fill(slot));
    const found = await remap({ placements: [placement], ids, quota, before: new Int32Array(1) });
    expect(difference(found, expected)).toBeUndefined();
  });
});

test("the same input gives the same output, bit for bit", async () => {
  const batch = randomBatch(seeded(72), 256, 2, 5000);
  const first = await remap(batch);
  for (let i = 0; i < 3; i++) expect(difference(await remap(batch), first)).toBeUndefined();
});

describe("by source: each source's tokens fill its own quotas", () => {
  const [layers, experts, gpus, topK, sources] = [2, 40, 8, 4, 5];

  /** Ids of T tokens per layer, and random quotas [L, S, P] that their counts by source [L, S, E] add up to. */
  function batch(random: Random, tokens: number, placements: readonly Placement[], ids: Int32Array, of: number) {
    const bySource = countSources(ids, layers, experts, topK, of);
    const { physicalExperts } = placements[0];
    const quota = new Int32Array(layers * of * physicalExperts);
    for (let row = 0; row < layers * of; row++) {
      const { logicalToPhysical, replicaCount, maxReplicas } = placements[Math.floor(row / of)];
      for (let e = 0; e < experts; e++) {
        for (let left = bySource[row * experts + e]; left > 0; left--) {
          quota[row * physicalExperts + logicalToPhysical[e * maxReplicas + random.below(replicaCount[e])]]++;
        }
      }
    }
    return { tokens, placements, ids, quota, bySource };
  }

  async function onDevice({ placements, ids, quota, bySource }: ReturnType<typeof batch>, rank?: number, of = sources) {
    const table = placementTable(placements);
    const assignments = ids.length / layers;
    const chunks = chunksOf(assignments);
    const chunkCounts = new Uint32Array(layers * chunks * experts);
    for (let l = 0; l < layers; l++) {
      for (let c = 0; c < chunks; c++) {
        const chunk = rowOf(ids, l, assignments).subarray(c * CHUNK, (c + 1) * CHUNK);
        chunkCounts.set(count(chunk, 1, experts).counts, (l * chunks + c) * experts);
      }
    }
    offsets(new Int32Array(layers * experts), chunkCounts, layers, experts);
    const arrays = {
      ...{ placement: table.data, ids, offsets: chunkCounts, quota, physical: unwritten(ids.length) },
      start: sourceStarts(bySource, layers, of, experts).start,
      unserved: new Uint32Array(layers),
      params: balanceParams(table, layers, assignments, 0, { topK, sources: of, rank }),
    };
    return (await runKernel(device, await compileRemap(device, experts, true), arrays, [chunks, layers])).physical;
  }

  test.each([0, 1, 4, 5, 6, 1500])("%i tokens dealt to them", async (tokens) => {
    const random = seeded(2200 + tokens);
    const placements = layerPlacements(random, layers, experts, gpus);
    const given = batch(random, tokens, placements, randomIds(random, layers, tokens * topK, experts), sources);
    const found = await onDevice(given);
    const expected = new Int32Array(given.ids.length);
    const width = given.quota.length / layers;
    for (const [l, placement] of placements.entries()) {
      const [own, slots] = [given.ids, expected].map((all) => rowOf(all, l, tokens * topK));
      reference.remapBySource(placement, topK, own, rowOf(given.quota, l, width), undefined, slots);
    }
    expect(difference(found, new Uint32Array(expected.buffer))).toBeUndefined();
    const filled = new Int32Array(given.quota.length);
    for (const [i, slot] of expected.entries()) {
      const [l, t] = [Math.floor(i / (tokens * topK)), Math.floor((i % (tokens * topK)) / topK)];
      if (slot >= 0) filled[l * width + Math.floor((t * sources) / tokens) * (width / sources) + slot]++;
    }
    expect(difference(filled, given.quota)).toBeUndefined();
  });

  test("one rank's, with its row alone", async () => {
    const random = seeded(2210);
    const placements = layerPlacements(random, layers, experts, gpus);
    const given = batch(random, 700, placements, randomIds(random, layers, 700 * topK, experts), 1);
    const { physicalExperts } = placements[0];
    // The others' rows are nonsense that nobody should read.
    const quota = new Int32Array(layers * sources * physicalExperts).fill(3);
    for (let l = 0; l < layers; l++)
      quota.set(rowOf(given.quota, l, physicalExperts), (l * sources + 2) * physicalExperts);
    const bySource = new Int32Array(layers * sources * experts).fill(9);
    const found = await onDevice({ ...given, quota, bySource }, 2);
    expect(difference(found, twin({ ...given, before: new Int32Array(layers * experts) }))).toBeUndefined();
  });
});
