/** What a call asks of WebGPU, and the least that a device must have for it. */
import { describe, expect, test } from "vitest";
import { ArgumentError, createBalancer, requestDevice } from "../../src/index.ts";
import { faults } from "../helpers/balanced.ts";
import { shared, sharedFaults, sharedIds } from "../helpers/batches.ts";
import { plainDevice } from "../helpers/devices.ts";
import { countCalls } from "../helpers/gpu_calls.ts";

const { device } = await requestDevice();

const since = countCalls(device);
/** All that a call without ids asks for, once there is everything for its T. */
const emptyCall = {
  createCommandEncoder: 1,
  "queue.submit": 1,
  "buffer.mapAsync": 1,
  "buffer.getMappedRange": 1,
  "buffer.unmap": 1,
};
const oneCall = { ...emptyCall, "queue.writeBuffer": 1 };

describe("a call", () => {
  test("compiles nothing; after the first of its T it allocates nothing: one upload, one submit, one map", async () => {
    const balancer = await createBalancer({ ...shared, device });
    expect(since()).toMatchObject({ createComputePipelineAsync: 8, createShaderModule: 8 });
    for (const tokens of [300, 17, 0]) {
      await balancer.balance(sharedIds(191, tokens));
      const { createBuffer, createBindGroup, ...rest } = since();
      expect([createBuffer, createBindGroup]).toEqual([1, 8]); // the sizes of a T, bound by each stage
      expect(rest).toEqual({ ...oneCall, "queue.writeBuffer": tokens > 0 ? 2 : 1 });
    }
    for (const tokens of [17, 300, 0, 300]) {
      await balancer.balance(sharedIds(192, tokens));
      expect(since(), `${tokens} tokens`).toEqual(tokens > 0 ? oneCall : emptyCall);
    }
    balancer.destroy();
  });

  test.each([{ late: true }, { skipBelow: 1.1 }, { timestamps: true }])("the same with %o", async (mode) => {
    const balancer = await createBalancer({ ...shared, ...mode, device });
    await balancer.balance(sharedIds(193));
    since();
    await balancer.balance(sharedIds(194));
    expect(since()).toEqual(oneCall);
    balancer.destroy();
  });

  test("of one of several ranks uploads the counts, too", async () => {
    const balancer = await createBalancer({ ...shared, device });
    const ids = sharedIds(195);
    const rank = { counts: balancer.count(ids), before: new Int32Array(3 * 32) };
    await balancer.balance(ids, rank);
    since();
    await balancer.balance(ids, rank);
    expect(since()).toEqual({ ...oneCall, "queue.writeBuffer": 3 });
    balancer.destroy();
  });

  test("uploads base loads of its own, and not those of the options", async () => {
    const balancer = await createBalancer({ ...shared, baseLoad: [1, 2, 3, 4, 5, 6, 7, 8], device });
    const ids = sharedIds(197);
    const baseLoad = [8, 7, 6, 5, 4, 3, 2, 1];
    for (const rank of [undefined, { baseLoad }]) await balancer.balance(ids, rank);
    since();
    await balancer.balance(ids);
    expect(since()).toEqual(oneCall);
    await balancer.balance(ids, { baseLoad });
    expect(since()).toEqual({ ...oneCall, "queue.writeBuffer": 2 });
    balancer.destroy();
  });

  test("of encode asks for nothing once it has seen the buffers, base loads among them", async () => {
    const balancer = await createBalancer({ ...shared, device });
    const tokens = 20;
    const buffer = (words: number) => device.createBuffer({ size: 4 * words, usage: GPUBufferUsage.STORAGE });
    const ids = { topkIds: buffer(3 * tokens * 4), physicalIds: buffer(3 * tokens * 4) };
    const steps = [buffer(3 * 8), buffer(3 * 8)].map((baseLoad) => ({ tokens, ...ids, baseLoad }));
    const encoder = device.createCommandEncoder();
    for (const buffers of steps) balancer.encode(encoder, buffers);
    since();
    for (const buffers of [...steps, ...steps]) balancer.encode(encoder, buffers);
    expect(since()).toEqual({});
    device.queue.submit([encoder.finish()]);
    balancer.destroy();
  });
});

describe("a device of the caller's without features or raised limits", async () => {
  const own = await plainDevice();

  test.each([1, 2])("serves full batches, whatever the number of words read back; %i tokens", async (maxTokens) => {
    // Of one layer and top-1, the words to read back are odd in number with one token, even with two.
    const [placement] = shared.placement;
    const timestamps = true; // which the device has not
    const balancer = await createBalancer({ placement, topK: 1, maxTokens, device: own, timestamps });
    const ids = Int32Array.of(5, 9).subarray(0, maxTokens);
    const balanced = await balancer.balance(ids);
    expect(faults({ placements: [placement], layers: 1, ids }, balanced)).toEqual([]);
    expect(balancer.metrics()).toMatchObject({ batches: 1, timed: 0, stageUs: undefined });
    balancer.destroy();
  });

  test("stays the caller's when a balancer is destroyed", async () => {
    const [first, second] = [
      await createBalancer({ ...shared, device: own }),
      await createBalancer({ ...shared, device: own }),
    ];
    const ids = sharedIds(196);
    await first.balance(ids);
    first.destroy();
    expect(second.device).toBe(own);
    expect(sharedFaults(ids, await second.balance(ids))).toEqual([]);
    second.destroy();
  });
});

describe("a batch that is too large for the device is refused before anything is allocated", () => {
  const [placement] = shared.placement;

  test("by its ids", async () => {
    const own = await plainDevice();
    const most = own.limits.maxStorageBufferBindingSize / 4;
    const options = { placement, layers: 3, topK: 4, maxTokens: Math.floor(most / 12) + 1, device: own };
    const message = `maxTokens * topK: expected at most ${Math.floor(most / 3)} on this device, got ${4 * options.maxTokens}.`;
    await expect(createBalancer(options)).rejects.toThrow(ArgumentError);
    await expect(createBalancer(options)).rejects.toThrow(message);
    own.destroy();
  });

  test("by its layers", async () => {
    const options = { placement, layers: 65_536, topK: 1, maxTokens: 1, device };
    await expect(createBalancer(options)).rejects.toThrow("layers: expected at most 65535 on this device, got 65536.");
  });
});
