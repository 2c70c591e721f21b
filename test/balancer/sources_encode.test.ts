/** `encode` of balancers that know where tokens are, on a caller's buffers. */
import { describe, expect, test } from "vitest";
import { type BalancerBuffers, createBalancer } from "../../src/index.ts";
import { difference, rowOf } from "../helpers/arrays.ts";
import { shared, sharedIds } from "../helpers/batches.ts";
import { bufferOf, device, E, G, L, P, read } from "./caller_buffers.ts";

const near = await createBalancer({ ...shared, device, nodes: 2 });
const { topK } = shared;

function buffersFor(ids: Int32Array): BalancerBuffers & Record<"physicalIds" | "quota" | "sourceQuota", GPUBuffer> {
  const junk = (words: number) => bufferOf(new Int32Array(words).fill(-7));
  return {
    ...{ tokens: ids.length / (L * topK), topkIds: bufferOf(ids), physicalIds: junk(ids.length) },
    ...{ quota: junk(L * P), sourceQuota: junk(L * G * P) },
  };
}

async function encode(buffers: BalancerBuffers, balancer = near): Promise<void> {
  device.pushErrorScope("validation");
  const encoder = device.createCommandEncoder();
  balancer.encode(encoder, buffers);
  device.queue.submit([encoder.finish()]);
  expect((await device.popErrorScope())?.message).toBeUndefined();
}

test("tokens of all sources: what balance answers", async () => {
  for (const seed of [2160, 2161]) {
    const ids = sharedIds(seed);
    const buffers = buffersFor(ids);
    await near.checkBuffers(buffers, device.createCommandEncoder());
    await encode(buffers);
    const balanced = await near.balance(ids);
    expect(balanced.traffic).toEqual(balanced.trafficBound);
    for (const name of ["physicalIds", "quota", "sourceQuota"] as const) {
      expect(difference(await read(buffers[name]), balanced[name]!), name).toBeUndefined();
    }
  }
});

test.each([0, 3, 7])("rank %i with the counts of all: what balance answers", async (rank) => {
  const ids = sharedIds(2170 + rank);
  const own = near.count(ids);
  const bySource = new Int32Array(L * G * E);
  for (let l = 0; l < L; l++) {
    for (let s = 0; s < G; s++) {
      const counts = rowOf(own, l, E);
      bySource.set(s === rank ? counts : counts.map((count) => Math.floor(count / 2) + s), (l * G + s) * E);
    }
  }
  const buffers = { ...buffersFor(ids), rankCounts: { rank, bySource: bufferOf(bySource) } };
  await near.checkBuffers(buffers);
  await encode(buffers);
  const balanced = await near.balance(ids, { rank, bySource });
  for (const name of ["physicalIds", "quota", "sourceQuota"] as const) {
    expect(difference(await read(buffers[name]), balanced[name]!), name).toBeUndefined();
  }
});

test("one node: the ids of a balancer without distances, of a rank, too", async () => {
  const [equal, blind] = [
    await createBalancer({ ...shared, device, nodes: 1 }),
    await createBalancer({ ...shared, device }),
  ];
  const ids = sharedIds(2180);
  const own = blind.count(ids);
  const bySource = new Int32Array(L * G * E);
  for (let l = 0; l < L; l++) {
    for (let s = 0; s < G; s++) bySource.set(rowOf(own, l, E), (l * G + s) * E);
  }
  const buffers = { ...buffersFor(ids), rankCounts: { rank: 2, bySource: bufferOf(bySource) } };
  await encode(buffers, equal);
  const counts = own.map((count) => G * count);
  const balanced = await blind.balance(ids, { counts, before: own.map((count) => 2 * count) });
  expect(difference(await read(buffers.physicalIds), balanced.physicalIds)).toBeUndefined();
  expect(difference(await read(buffers.quota), balanced.quota)).toBeUndefined();
  for (const one of [equal, blind]) one.destroy();
});

describe("what does not belong there is refused by name", () => {
  const ids = sharedIds(2190);
  const good = buffersFor(ids);
  const counts = bufferOf(L * E);
  const bySource = bufferOf(L * G * E);
  test.each([
    ["rankCounts.counts: expected rank and bySource with distances", { counts, before: counts }],
    ["rankCounts.bySource: expected a GPUBuffer", { rank: 1 }],
    ["rankCounts.rank: expected an integer from 0 to S - 1 = 7", { rank: 8, bySource }],
    ["rankCounts.rank: expected an integer from 0 to S - 1 = 7", { bySource }],
    ["rankCounts.bySource: expected at least 3072 bytes", { rank: 1, bySource: counts }],
  ])("%s", (message, rankCounts) => {
    const encoder = device.createCommandEncoder();
    expect(() => near.encode(encoder, { ...good, rankCounts } as BalancerBuffers)).toThrow(message);
  });

  test("shares in the buffer of the counts", () => {
    const rankCounts = { rank: 1, bySource };
    const encoder = device.createCommandEncoder();
    expect(() => near.encode(encoder, { ...good, shares: bySource, rankCounts })).toThrow(
      "shares: expected a part of another buffer than rankCounts.bySource",
    );
  });

  test("without distances", async () => {
    const blind = await createBalancer({ ...shared, device });
    const encoder = device.createCommandEncoder();
    expect(() => blind.encode(encoder, good)).toThrow("sourceQuota: expected none without distances");
    const { sourceQuota: _, ...rest } = good;
    const rankCounts = { rank: 1, bySource };
    expect(() => blind.encode(encoder, { ...rest, rankCounts })).toThrow(
      "rankCounts.rank: expected counts and before without distances",
    );
    blind.destroy();
  });
});
