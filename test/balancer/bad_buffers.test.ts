/** Buffers of a caller's that `encode` refuses by name, and what `checkBuffers` finds besides. */
import { describe, expect, test } from "vitest";
import { ArgumentError, type BalancerBuffers, requestDevice } from "../../src/index.ts";
import { difference } from "../helpers/arrays.ts";
import { sharedIds } from "../helpers/batches.ts";
import { plainDevice } from "../helpers/devices.ts";
import { balancer, bufferOf, buffersFor, device, E, L, read, width } from "./caller_buffers.ts";

const { STORAGE, COPY_DST } = GPUBufferUsage;

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
    ["baseLoad: expected at least 96 bytes from offset 0, got 92.", () => ({ baseLoad: bufferOf(23) })],
    ["baseLoad: expected at least 96 bytes", () => ({ baseLoad: bufferOf(8) })], // not [G] for all layers
    ["baseLoad.usage: expected GPUBufferUsage.STORAGE", () => ({ baseLoad: uniform(good.baseLoad) })],
    [
      "baseLoad.offset: expected a multiple of 256 bytes, got 12.",
      () => ({ baseLoad: { buffer: good.baseLoad, offset: 12 } }),
    ],
    ["baseLoad: expected a GPUBuffer", () => ({ baseLoad: [1, 2, 3] })],
    ["baseLoad: expected a GPUBuffer", () => ({ baseLoad: null })],
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
    // Late, the solve comes after what writes these.
    [
      "physicalIds: expected a part of another buffer than baseLoad",
      () => {
        const buffer = bufferOf(64 + ids.length);
        return { physicalIds: { buffer, offset: 256 }, baseLoad: buffer };
      },
    ],
    [
      "shares: expected a part of another buffer than baseLoad",
      () => {
        const buffer = bufferOf(9999);
        return { shares: buffer, baseLoad: { buffer, offset: 9984 * 4 - 256 } };
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

  const parts = [
    ...["topkIds", "physicalIds", "quota", "shares", "outOfRange", "baseLoad"],
    ...["rankCounts.counts", "rankCounts.before"],
  ];
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
