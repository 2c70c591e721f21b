/** `encode` goes by base loads in a buffer of the caller's, or by the option's. */
import { expect, test } from "vitest";
import { type Balancer, type BufferSlice, createBalancer } from "../../src/index.ts";
import { difference } from "../helpers/arrays.ts";
import { shared, sharedIds } from "../helpers/batches.ts";
import { all, base, expectRight, G, L, other, P } from "./base_loads.ts";
import { bufferOf, device, read } from "./caller_buffers.ts";

const ids = sharedIds(615);
const words = (rows: readonly (readonly number[])[]) => bufferOf(Int32Array.from(rows.flat()));

/** Encodes a batch, with base loads in a buffer where there are some. */
async function encoded(balancer: Balancer, batch: Int32Array, baseLoad?: BufferSlice) {
  const [physicalIds, quota] = [bufferOf(batch.map(() => -7)), bufferOf(new Int32Array(L * P).fill(-7))];
  const tokens = batch.length / (L * shared.topK);
  const buffers = { tokens, topkIds: bufferOf(batch), physicalIds, quota, ...(baseLoad && { baseLoad }) };
  await balancer.checkBuffers(buffers);
  device.pushErrorScope("validation");
  const encoder = device.createCommandEncoder();
  balancer.encode(encoder, buffers);
  device.queue.submit([encoder.finish()]);
  expect(await device.popErrorScope()).toBeNull();
  return { physicalIds: await read(physicalIds), quota: await read(quota) };
}

const create = (extra: object = {}) => createBalancer({ ...shared, backend: "webgpu", device, ...extra });

test("goes by the buffer, else by the option, whatever `balance` was told before", async () => {
  const [plain, option] = [await create(), await create({ baseLoad: base })];
  for (const batch of [ids, sharedIds(608, 41)]) {
    const [withBase, withOther, without] = [
      await plain.balance(batch, { baseLoad: base }),
      await plain.balance(batch, { baseLoad: other }),
      await plain.balance(batch),
    ];
    expect(difference(withBase.quota, withOther.quota)).toBeDefined();
    expect(difference(withOther.quota, without.quota)).toBeDefined();
    const given = words(other);
    const framed = { buffer: words([new Array<number>(64).fill(-7), ...other]), offset: 256 };
    for (const [balancer, binding, expected] of [
      [plain, undefined, without],
      [plain, given, withOther],
      [option, undefined, withBase],
      [option, given, withOther],
      [option, framed, withOther],
      [option, undefined, withBase],
    ] as const) {
      await balancer.balance(batch, { baseLoad: new Int32Array(G).fill(9) });
      const found = await encoded(balancer, batch, binding);
      expect(difference(found.quota, expected.quota)).toBeUndefined();
      expect(difference(found.physicalIds, expected.physicalIds)).toBeUndefined();
    }
    expect([...(await read(given))]).toEqual(other.flat()); // read only
  }
  for (const one of [plain, option]) one.destroy();
});

test("skips by the buffer, and solves late by it", async () => {
  const even = all.map(() => 0);
  const nothing = sharedIds(609, 20, 1);
  const modes = [{ skipBelow: 1.5 }, { late: true }];
  for (const mode of modes) {
    const [one, twin] = [await create(mode), await create(mode)];
    for (const [batch, baseLoad] of [
      [ids, base],
      [nothing, [even, even, even]],
      [ids, other],
      [ids, base],
    ] as const) {
      const expected = await twin.balance(batch, { baseLoad });
      const found = await encoded(one, batch, words(baseLoad));
      expect(difference(found.quota, expected.quota)).toBeUndefined();
      expect(difference(found.physicalIds, expected.physicalIds)).toBeUndefined();
    }
    for (const balancer of [one, twin]) balancer.destroy();
  }
});

test("of dead GPUs it reads nothing, and of the option what is there when one comes back", async () => {
  const balancer = await create({ baseLoad: base });
  const active = all.map((_, g) => g !== 6);
  await balancer.setActive(active);
  const own = other.map((row) => row.with(6, -(2 ** 31)));
  for (const [given, expected] of [
    [words(own), await balancer.balance(ids, { baseLoad: own })],
    [undefined, await balancer.balance(ids)],
  ] as const) {
    expect(difference((await encoded(balancer, ids, given)).quota, expected.quota)).toBeUndefined();
  }
  await balancer.setActive(all);
  const balanced = await balancer.balance(ids);
  await expectRight(ids, balanced, base);
  expect(difference((await encoded(balancer, ids)).quota, balanced.quota)).toBeUndefined();
  balancer.destroy();
});
