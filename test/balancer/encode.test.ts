import { describe, expect, test } from "vitest";
import { ArgumentError, type BalancerBuffers, createBalancer, DeviceError, requestDevice } from "../../src/index.ts";
import { difference } from "../helpers/arrays.ts";
import { shared, sharedIds } from "../helpers/batches.ts";
import { plainDevice } from "../helpers/devices.ts";

const device = await plainDevice();
const balancer = await createBalancer({ ...shared, device });
const [L, E, P] = [3, 32, shared.placement[0].physicalExperts];
const width = Math.max(...shared.placement.map(({ maxReplicas }) => maxReplicas));
const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;

function bufferOf(words: Int32Array | Uint32Array | number, usage = STORAGE | COPY_SRC | COPY_DST, on = device) {
  const size = 4 * (typeof words === "number" ? words : words.length);
  const buffer = on.createBuffer({ size, usage });
  if (typeof words !== "number") on.queue.writeBuffer(buffer, 0, words as Int32Array<ArrayBuffer>);
  return buffer;
}

/** Buffers for a batch, all that `encode` can take; outputs are filled with what it does not write. */
function buffersFor(ids: Int32Array | Uint32Array) {
  const junk = (words: number) => bufferOf(new Int32Array(words).fill(-7));
  return {
    tokens: ids.length / (L * shared.topK),
    topkIds: bufferOf(ids),
    physicalIds: junk(ids.length),
    rankCounts: { counts: bufferOf(balancer.count(ids)), before: bufferOf(new Int32Array(L * E)) },
    quota: junk(L * P),
    shares: junk(L * E * width),
    outOfRange: junk(L),
  };
}

async function read(buffer: GPUBuffer): Promise<Int32Array> {
  const readback = device.createBuffer({ size: buffer.size, usage: COPY_DST | MAP_READ });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, readback, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await readback.mapAsync(GPUMapMode.READ);
  return new Int32Array(readback.getMappedRange());
}

/** Records and submits, and throws what WebGPU finds wrong with it. */
async function encodeAll(batches: BalancerBuffers[]): Promise<void> {
  device.pushErrorScope("validation");
  const encoder = device.createCommandEncoder();
  for (const buffers of batches) balancer.encode(encoder, buffers);
  device.queue.submit([encoder.finish()]);
  const failure = await device.popErrorScope();
  if (failure) throw new Error(failure.message);
}

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

describe("bad buffers", () => {
  const ids = sharedIds(261);
  const good = buffersFor(ids);
  const bytes = 4 * ids.length;
  const rank = good.rankCounts;
  const uniform = (buffer: GPUBuffer) => bufferOf(buffer.size / 4, GPUBufferUsage.UNIFORM);
  const bad: [message: string, change: () => Partial<Record<keyof BalancerBuffers, unknown>>][] = [
    [
      `topkIds: expected at least ${bytes} bytes from offset 0, got ${bytes - 4}.`,
      () => ({ topkIds: bufferOf(ids.length - 1) }),
    ],
    [
      `topkIds: expected at least ${bytes} bytes from offset 256, got ${bytes - 256}.`,
      () => ({ topkIds: { buffer: good.topkIds, offset: 256 } }),
    ],
    [
      `physicalIds: expected at least ${bytes} bytes from offset 0, got 40.`,
      () => ({ physicalIds: { buffer: good.physicalIds, size: 40 } }),
    ],
    ["quota: expected at least 480 bytes from offset 0, got 4.", () => ({ quota: bufferOf(1) })],
    ["shares: expected at least", () => ({ shares: bufferOf(L * E * width - 1) })],
    ["rankCounts.counts: expected at least 384 bytes", () => ({ rankCounts: { ...rank, counts: bufferOf(95) } })],
    ["rankCounts.before: expected at least 384 bytes", () => ({ rankCounts: { ...rank, before: bufferOf(95) } })],
    ["topkIds.usage: expected GPUBufferUsage.STORAGE", () => ({ topkIds: uniform(good.topkIds) })],
    ["physicalIds.usage: expected GPUBufferUsage.STORAGE", () => ({ physicalIds: uniform(good.physicalIds) })],
    ["shares.usage: expected GPUBufferUsage.STORAGE", () => ({ shares: uniform(good.shares) })],
    ["quota.usage: expected GPUBufferUsage.COPY_DST", () => ({ quota: uniform(good.quota) })],
    ["rankCounts.counts.usage", () => ({ rankCounts: { ...rank, counts: uniform(rank.counts) } })],
    ["rankCounts.before.usage", () => ({ rankCounts: { ...rank, before: uniform(rank.before) } })],
    [
      "topkIds.offset: expected a multiple of 256 bytes, got 4.",
      () => ({ topkIds: { buffer: good.topkIds, offset: 4 } }),
    ],
    [
      "physicalIds.offset: expected a multiple of 256 bytes, got -256.",
      () => ({ physicalIds: { buffer: good.physicalIds, offset: -256 } }),
    ],
    [
      "shares.offset: expected a multiple of 256 bytes, got NaN.",
      () => ({ shares: { buffer: good.shares, offset: Number.NaN } }),
    ],
    ["topkIds: expected a GPUBuffer", () => ({ topkIds: undefined })],
    ["physicalIds: expected a GPUBuffer", () => ({ physicalIds: ids })],
    ["quota: expected a GPUBuffer", () => ({ quota: { buffer: 5 } })],
    ["rankCounts.before: expected a GPUBuffer", () => ({ rankCounts: { counts: rank.counts } })],
    // What is not wanted is undefined, and nothing else: counts taken for missing would make this rank the only one.
    ["rankCounts: expected an object, got null.", () => ({ rankCounts: null })],
    ["quota: expected a GPUBuffer", () => ({ quota: null })],
    ["shares: expected a GPUBuffer", () => ({ shares: 0 })],
    ["outOfRange: expected a GPUBuffer", () => ({ outOfRange: false })],
    ["proof: expected a GPUBuffer", () => ({ proof: null })],
    ["tokens: expected an integer from 0 to maxTokens = 300, got 301.", () => ({ tokens: 301 })],
    ["tokens: expected an integer from 0 to maxTokens = 300, got -1.", () => ({ tokens: -1 })],
    ["tokens: expected an integer from 0 to maxTokens = 300, got undefined.", () => ({ tokens: undefined })],
    ["outOfRange.usage: expected GPUBufferUsage.COPY_DST", () => ({ outOfRange: uniform(good.outOfRange) })],
    ["outOfRange: expected at least 12 bytes", () => ({ outOfRange: bufferOf(2) })],
    // A dispatch cannot read and write one buffer, be it in different parts.
    ["physicalIds: expected a part of another buffer than topkIds", () => ({ physicalIds: good.topkIds })],
    [
      "physicalIds: expected a part of another buffer than topkIds",
      () => {
        const buffer = bufferOf(2 * 64 + ids.length);
        return { tokens: 5, topkIds: { buffer, size: 256 }, physicalIds: { buffer, offset: 256 } };
      },
    ],
    [
      "shares: expected a part of another buffer than rankCounts.counts",
      () => {
        const buffer = bufferOf(9999);
        return { shares: { buffer, offset: 1024 }, rankCounts: { counts: buffer, before: rank.before } };
      },
    ],
  ];

  test.each(bad)("%s", async (message, change) => {
    const buffers = { ...good, ...change() } as BalancerBuffers;
    device.pushErrorScope("validation");
    const encoder = device.createCommandEncoder();
    expect(() => balancer.encode(encoder, buffers)).toThrow(ArgumentError);
    expect(() => balancer.encode(encoder, buffers)).toThrow(message);
    await expect(balancer.checkBuffers(buffers)).rejects.toThrow(message);
    device.queue.submit([encoder.finish()]); // nothing was recorded
    expect(await device.popErrorScope()).toBeNull();
  });
});

test("no encoder, or no buffers at all, are named", async () => {
  const buffers = buffersFor(sharedIds(262));
  for (const none of [undefined, device]) {
    expect(() => balancer.encode(none as never, buffers)).toThrow(/^encoder: expected a GPUCommandEncoder, got /);
  }
  const encoder = device.createCommandEncoder();
  expect(() => balancer.encode(encoder, undefined as never)).toThrow("buffers: expected an object, got undefined.");
  await expect(balancer.checkBuffers(undefined as never)).rejects.toThrow("buffers: expected an object");
});

describe("checkBuffers", () => {
  const ids = sharedIds(271);

  test("passes what encode takes, and changes nothing", async () => {
    const { rankCounts, ...buffers } = buffersFor(ids);
    await balancer.checkBuffers(buffers);
    await balancer.checkBuffers({ ...buffers, rankCounts });
    await balancer.checkBuffers({ tokens: 0, topkIds: buffers.topkIds, physicalIds: buffers.physicalIds });
    for (const part of [buffers.physicalIds, buffers.quota, buffers.shares, buffers.outOfRange]) {
      expect((await read(part)).every((word) => word === -7)).toBe(true);
    }
    expect(difference(await read(buffers.topkIds), ids)).toBeUndefined();
  });

  const parts = ["topkIds", "physicalIds", "quota", "shares", "outOfRange", "rankCounts.counts", "rankCounts.before"];
  const partOf = (buffers: ReturnType<typeof buffersFor>, name: string) =>
    name.startsWith("rankCounts.")
      ? buffers.rankCounts[name.slice("rankCounts.".length) as "counts"]
      : (buffers[name as "quota"] as GPUBuffer);

  test.each(parts)("a destroyed buffer: %s", async (name) => {
    const buffers = buffersFor(ids);
    partOf(buffers, name).destroy();
    await expect(balancer.checkBuffers(buffers)).rejects.toThrow(ArgumentError);
    await expect(balancer.checkBuffers(buffers)).rejects.toThrow(new RegExp(`^${name}: expected a live buffer`));
    await balancer.balance(ids); // the balancer is none the worse
  });

  test.each(parts)("another device's buffer: %s", async (name) => {
    const foreign = (await requestDevice()).device;
    const buffers = buffersFor(ids);
    const buffer = bufferOf(partOf(buffers, name).size / 4, STORAGE | COPY_DST, foreign);
    const other = name.startsWith("rankCounts.")
      ? { rankCounts: { ...buffers.rankCounts, [name.slice("rankCounts.".length)]: buffer } }
      : { [name]: buffer };
    await expect(balancer.checkBuffers({ ...buffers, ...other })).rejects.toThrow(new RegExp(`^${name}: expected`));
    foreign.destroy();
  });

  test("another device's encoder: at once where the device is one of ours, else here", async () => {
    const buffers = buffersFor(ids);
    const foreign = (await requestDevice()).device;
    const encoder = foreign.createCommandEncoder();
    expect(() => balancer.encode(encoder, buffers)).toThrow(ArgumentError);
    expect(() => balancer.encode(encoder, buffers)).toThrow(
      /^encoder: expected a GPUCommandEncoder of the device that is/,
    );
    foreign.pushErrorScope("validation");
    foreign.queue.submit([encoder.finish()]); // nothing was recorded
    expect(await foreign.popErrorScope()).toBeNull();
    foreign.destroy();
    const raw = (await plainDevice()).createCommandEncoder();
    await expect(balancer.checkBuffers(buffers, raw)).rejects.toThrow(
      /^encoder: expected a GPUCommandEncoder of the device/,
    );
    await balancer.checkBuffers(buffers, device.createCommandEncoder());
  });
});

test("on the CPU there is nothing to encode: a DeviceError", async () => {
  const cpu = await createBalancer({ ...shared, backend: "cpu" });
  const encoder = device.createCommandEncoder();
  expect(() => cpu.encode(encoder, buffersFor(sharedIds(272)))).toThrow(DeviceError);
  await expect(cpu.checkBuffers(buffersFor(sharedIds(272)))).rejects.toThrow(DeviceError);
});
