/** `encode` answers as `balance` does, in buffers of the caller's. */
import { describe, expect, test } from "vitest";
import { createBalancer, DeviceError } from "../../src/index.ts";
import { difference } from "../helpers/arrays.ts";
import { shared, sharedIds } from "../helpers/batches.ts";
import { balancer, bufferOf, buffersFor, device, encodeAll, L, P, read } from "./caller_buffers.ts";

describe("the answer of balance, in the caller's buffers", () => {
  test.each([300, 41, 1])("%i tokens: ids, quotas, shares and ids out of range", async (tokens) => {
    const ids = sharedIds(251 + tokens, tokens);
    const expected = await balancer.balance(ids);
    for (const given of [ids, new Uint32Array(ids.buffer)]) {
      const { rankCounts: _, ...buffers } = buffersFor(given);
      await encodeAll([buffers]);
      expect(difference(await read(buffers.physicalIds), expected.physicalIds)).toBeUndefined();
      expect(difference(await read(buffers.quota), expected.quota)).toBeUndefined();
      expect([...(await read(buffers.outOfRange))]).toEqual([...expected.outOfRange]);
      const shares = new Float32Array((await read(buffers.shares)).buffer);
      const worst = expected.shares().reduce((most, share, i) => Math.max(most, Math.abs(share - shares[i])), 0);
      expect(worst).toBeLessThanOrEqual(4 * 2 ** -23); // division to 2.5 units in the last place, and roundings
      expect(difference(await read(buffers.topkIds), ids)).toBeUndefined(); // read only
    }
  });

  test("parts of larger buffers, at offsets, and nothing outside of them", async () => {
    const ids = sharedIds(252, 50);
    const expected = await balancer.balance(ids);
    const margin = 256; // bytes: minStorageBufferOffsetAlignment
    const inside = (words: number) => bufferOf(new Int32Array(words + (2 * margin) / 4).fill(-7));
    const topkIds = inside(ids.length);
    device.queue.writeBuffer(topkIds, margin, ids as Int32Array<ArrayBuffer>);
    const physicalIds = inside(ids.length);
    const quota = inside(L * P);
    await encodeAll([
      {
        tokens: 50,
        topkIds: { buffer: topkIds, offset: margin },
        physicalIds: { buffer: physicalIds, offset: margin, size: 4 * ids.length },
        quota: { buffer: quota, offset: margin },
      },
    ]);
    const untouched = new Array<number>(margin / 4).fill(-7);
    const framed = (values: Int32Array) => [...untouched, ...values, ...untouched];
    expect(difference(await read(physicalIds), framed(expected.physicalIds))).toBeUndefined();
    expect(difference(await read(quota), framed(expected.quota))).toBeUndefined();
  });

  test("the same buffers at other offsets, as a ring of steps has them", async () => {
    const steps = [0, 1].map((step) => sharedIds(2530 + step, 50));
    const stride = Math.ceil((4 * steps[0].length) / 256) * 256;
    const ring = () => bufferOf(new Int32Array((2 * stride) / 4));
    const [topkIds, physicalIds] = [ring(), ring()];
    for (const [step, ids] of steps.entries()) {
      device.queue.writeBuffer(topkIds, step * stride, ids as Int32Array<ArrayBuffer>);
      const offset = step * stride;
      await encodeAll([
        { tokens: 50, topkIds: { buffer: topkIds, offset }, physicalIds: { buffer: physicalIds, offset } },
      ]);
    }
    const found = await read(physicalIds);
    for (const [step, ids] of steps.entries()) {
      const slots = found.subarray((step * stride) / 4, (step * stride) / 4 + ids.length);
      expect(difference(slots, (await balancer.balance(ids)).physicalIds), `step ${step}`).toBeUndefined();
    }
  });

  test("several batches in one encoder, one submit, in either order of size", async () => {
    const batches = [7, 300, 7, 120].map((tokens, i) => sharedIds(253 + i, tokens));
    const buffers = batches.map((ids) => {
      const { rankCounts: _, ...rest } = buffersFor(ids);
      return rest;
    });
    await encodeAll(buffers);
    for (const [i, ids] of batches.entries()) {
      const expected = await balancer.balance(ids);
      expect(difference(await read(buffers[i].physicalIds), expected.physicalIds), `batch ${i}`).toBeUndefined();
      expect(difference(await read(buffers[i].quota), expected.quota), `batch ${i}`).toBeUndefined();
    }
  });

  test("with the counts of other ranks", async () => {
    const ids = sharedIds(257, 80);
    const before = balancer.count(sharedIds(258, 200));
    const counts = balancer.count(ids).map((tokens, i) => tokens + before[i]);
    const expected = await balancer.balance(ids, { counts, before });
    const buffers = buffersFor(ids);
    await encodeAll([{ ...buffers, rankCounts: { counts: bufferOf(counts), before: bufferOf(before) } }]);
    expect(difference(await read(buffers.physicalIds), expected.physicalIds)).toBeUndefined();
    expect(difference(await read(buffers.quota), expected.quota)).toBeUndefined();
  });

  test("of no tokens: quotas of 0", async () => {
    const quota = bufferOf(new Int32Array(L * P).fill(-7));
    await encodeAll([{ tokens: 0, topkIds: bufferOf(1), physicalIds: bufferOf(1), quota }]);
    expect(difference(await read(quota), new Int32Array(L * P))).toBeUndefined();
  });
});

test("on the CPU there is nothing to encode: a DeviceError", async () => {
  const cpu = await createBalancer({ ...shared, backend: "cpu" });
  const encoder = device.createCommandEncoder();
  expect(() => cpu.encode(encoder, buffersFor(sharedIds(272)))).toThrow(DeviceError);
  await expect(cpu.checkBuffers(buffersFor(sharedIds(272)))).rejects.toThrow(DeviceError);
});
