import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  type BalancerOptions,
  createBalancer,
  LoadError,
  Placement,
  ShapeError,
} from "../../src/index.ts";
import type { Kind } from "../helpers/bad_input.ts";

const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });
const other = Placement.fromPhysicalToLogical([0, 1, 1, 0], { gpus: 2 });
const wide = Placement.fromPhysicalToLogical([...new Array(1025).keys()], { gpus: 1 });
const good = { placement, topK: 2, maxTokens: 10, backend: "cpu" } as const;
const most = 2 ** 31 - 1;
const oneMissing = {
  layers: 2,
  baseLoad: [
    [1, 2],
    [undefined, 4],
  ],
};

describe("bad options name themselves", () => {
  test.each<[string, Kind, Partial<Record<keyof BalancerOptions, unknown>>]>([
    ["placement: expected a Placement, or one per layer, got undefined.", ArgumentError, { placement: undefined }],
    ["placement: expected a Placement, or one per layer, got Array of length 0.", ArgumentError, { placement: [] }],
    ["placement[1]: expected a Placement, got 7.", ArgumentError, { placement: [placement, 7] }],
    ["placement[1].logicalExperts: expected 3 as in the first, got 2.", ShapeError, { placement: [placement, other] }],
    [
      "placement: expected one for all layers, or layers = 3, got 2.",
      ShapeError,
      { placement: [placement, placement], layers: 3 },
    ],
    ["placement.logicalExperts: expected at most 1024, got 1025.", ShapeError, { placement: wide }],
    ["layers: expected an integer >= 1, got 0.", ArgumentError, { layers: 0 }],
    ["layers: expected an integer >= 1, got 1.5.", ArgumentError, { layers: 1.5 }],
    ["layers: expected an integer >= 1, got null.", ArgumentError, { layers: null }],
    ["topK: expected an integer >= 1, got undefined.", ArgumentError, { topK: undefined }],
    ["topK: expected an integer >= 1, got 0.", ArgumentError, { topK: 0 }],
    ["maxTokens: expected an integer >= 1, got NaN.", ArgumentError, { maxTokens: Number.NaN }],
    ['maxTokens: expected an integer >= 1, got "10".', ArgumentError, { maxTokens: "10" }],
    [
      `maxTokens: expected at most ${2 ** 30 - 1} with topK = 2, got ${2 ** 30}.`,
      ArgumentError,
      { maxTokens: 2 ** 30 },
    ],
    ['backend: expected "auto", "webgpu" or "cpu", got "gpu".', ArgumentError, { backend: "gpu" }],
    // Whoever answers: here it is the CPU.
    ["adapter: expected one of auto, hardware, software, got 7.", ArgumentError, { adapter: 7 }],
    ["device: expected a GPUDevice, got an object of Promise.", ArgumentError, { device: Promise.resolve() }],
    ["device: expected a GPUDevice, got null.", ArgumentError, { device: null }],
    ['late: expected true or false, got "false".', ArgumentError, { late: "false" }],
    ["recover: expected true or false, got 1.", ArgumentError, { recover: 1 }],
    ["timestamps: expected true or false, got null.", ArgumentError, { timestamps: null }],
    ["skipBelow: expected a finite number >= 0, got -1.", ArgumentError, { skipBelow: -1 }],
    ["skipBelow: expected a finite number >= 0, got Infinity.", ArgumentError, { skipBelow: Infinity }],
    [
      "skipBelow: expected 0 where late is true, got 1.03. A late balancer never waits for a solve.",
      ArgumentError,
      { skipBelow: 1.03, late: true },
    ],
    ["speed: expected gpus = 2 values, got 1.", ShapeError, { speed: [1] }],
    ["speed[1]: expected a number > 0", ArgumentError, { speed: [1, 0] }],
    ["baseLoad: expected an array or TypedArray of numbers, got 3.", ArgumentError, { baseLoad: 3 }],
    ["baseLoad: expected an array or TypedArray of numbers, got null.", ArgumentError, { baseLoad: null }],
    ["baseLoad: expected numbers rather than bigints", ArgumentError, { baseLoad: BigInt64Array.of(1n, 2n) }],
    ["baseLoad: expected G = 2 or L * G = 1 * 2 = 2 values, got 3.", ShapeError, { baseLoad: [1, 2, 3] }],
    ["baseLoad: expected G = 2 or L * G = 3 * 2 = 6 values, got 4.", ShapeError, { layers: 3, baseLoad: [1, 2, 3, 4] }],
    ["baseLoad[1]: expected G = 2 values, got 1.", ShapeError, { layers: 2, baseLoad: [[1, 2], [3]] }],
    [`baseLoad[1]: expected an integer from 0 to ${most}, got -1.`, LoadError, { baseLoad: [0, -1] }],
    [`baseLoad[0]: expected an integer from 0 to ${most}, got 0.5.`, LoadError, { baseLoad: [0.5, 1] }],
    [`baseLoad[1]: expected an integer from 0 to ${most}, got NaN.`, LoadError, { baseLoad: [1, Number.NaN] }],
    [`baseLoad[1]: expected an integer from 0 to ${most}, got Infinity.`, LoadError, { baseLoad: [1, Infinity] }],
    [`baseLoad[0]: expected an integer from 0 to ${most}, got "1".`, LoadError, { baseLoad: ["1", 1] }],
    [`baseLoad[1][0]: expected an integer from 0 to ${most}, got undefined.`, LoadError, oneMissing],
    [`baseLoad[1]: expected an integer from 0 to ${most}, got ${2 ** 31}.`, LoadError, { baseLoad: [0, 2 ** 31] }],
    [`baseLoad: expected a total of at most ${most} in layer 0, got ${2 ** 31}.`, LoadError, { baseLoad: [most, 1] }],
  ])("%s", async (message, kind, change) => {
    const created = createBalancer({ ...good, ...change } as BalancerOptions);
    await expect(created).rejects.toThrow(kind);
    await expect(created).rejects.toThrow(message);
  });

  test.each([undefined, null, 3])("%s instead of options", (options) =>
    expect(createBalancer(options as never)).rejects.toThrow("options: expected an object"),
  );
});

test("bad ids name what was expected, and are refused before any work", async () => {
  const balancer = await createBalancer({ ...good, layers: 3 });
  const taken =
    "topkIds: expected ids [L, T, k] in one Array or Uint8Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array";
  const bad: [message: string, kind: Kind, ids: unknown][] = [
    [`${taken}, got undefined.`, ArgumentError, undefined],
    [`${taken}, got Float32Array of length 6.`, ArgumentError, new Float32Array(6)],
    [`${taken}, got BigUint64Array of length 6.`, ArgumentError, new BigUint64Array(6)],
    [`${taken}, got an object of ArrayBuffer.`, ArgumentError, new ArrayBuffer(24)],
    ["topkIds: expected a multiple of L * k = 3 * 2 = 6 ids, got 8.", ShapeError, new Int32Array(8)],
    ["topkIds: expected at most maxTokens = 10 tokens, got 11.", ShapeError, new Int32Array(66)],
  ];
  for (const [message, kind, ids] of bad) {
    await expect(balancer.balance(ids as Int32Array)).rejects.toThrow(message);
    await expect(balancer.balance(ids as Int32Array)).rejects.toThrow(kind);
    expect(() => balancer.count(ids as Int32Array)).toThrow(message);
  }
  expect(balancer.metrics().batches).toBe(0);
  expect(balancer.count(new Int32Array(6)).length).toBe(9);
});

test(`the most tokens, ${most} assignments, cost nothing on the CPU until they come`, async () => {
  const balancer = await createBalancer({ ...good, topK: 1, maxTokens: most });
  const { counts, backend } = await balancer.balance(Int32Array.of(0, 1, 1));
  expect([[...counts], backend, balancer.backend, balancer.device]).toEqual([[1, 2, 0], "cpu", "cpu", undefined]);
});
