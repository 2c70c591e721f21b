/** Top-k ids in whatever arrays runtimes have them: the same answers, and what does not fit is named. */
import { expect, test } from "vitest";
import { toIds } from "../../src/balancer/topk_ids.ts";
import { createBalancer, LoadError, measureImbalance, Placement, type TopkIds } from "../../src/index.ts";

const placement = Placement.fromPhysicalToLogical([0, 1, 0, 2, 1, 3], { gpus: 3 });
const plain = [0, 1, 1, 2, 3, 0, 1, 2];
const kinds: Record<string, (ids: number[]) => TopkIds> = {
  Array: (ids) => [...ids],
  Uint8Array: (ids) => Uint8Array.from(ids),
  Uint16Array: (ids) => Uint16Array.from(ids),
  Int32Array: (ids) => Int32Array.from(ids),
  Uint32Array: (ids) => Uint32Array.from(ids),
  BigInt64Array: (ids) => BigInt64Array.from(ids, BigInt),
};

test.each(Object.entries(kinds))("%s", async (_, kind) => {
  const balancer = await createBalancer({ placement, topK: 2, maxTokens: 4, backend: "cpu" });
  const ids = kind(plain);
  const balanced = balancer.balance(ids);
  const first = ids[0];
  ids[0] = (typeof first === "bigint" ? 3n : 3) as never; // copied before: this is for the next batch
  const expected = await balancer.balance(Int32Array.from(plain));
  expect((await balanced).physicalIds).toEqual(expected.physicalIds);
  ids[0] = first as never;
  expect(balancer.count(ids)).toEqual(Int32Array.of(2, 3, 2, 1));
  balancer.destroy();
  const measured = await measureImbalance({ placement, topkIds: ids, topK: 2 }, { backend: "cpu" });
  expect(measured).toEqual(await measureImbalance({ placement, counts: [2, 3, 2, 1] }, { backend: "cpu" }));
});

test("-1 is padding in every signed kind, and ids beyond the experts are counted", async () => {
  for (const topkIds of [[0, -1, 9, 1], BigInt64Array.of(0n, -1n, 9n, 1n), Uint32Array.of(0, 2 ** 32 - 1, 9, 1)]) {
    const { outOfRange, gpuLoad } = await measureImbalance({ placement, topkIds, topK: 1 }, { backend: "cpu" });
    expect([...outOfRange, gpuLoad.reduce((a, b) => a + b)]).toEqual([1, 2]);
  }
  const bytes = { placement, topkIds: Uint8Array.of(0, 255), topK: 1 };
  expect([...(await measureImbalance(bytes, { backend: "cpu" })).outOfRange]).toEqual([1]);
});

test("32 bits are not copied", () => {
  for (const ids of [Int32Array.of(1), Uint32Array.of(1)]) expect(toIds(ids)).toBe(ids);
});

test("ids are checked for both backends", async () => {
  const balancer = await createBalancer({ placement, topK: 2, maxTokens: 4, backend: "webgpu" });
  const { physicalIds } = await balancer.balance(BigInt64Array.from(plain, BigInt));
  expect(physicalIds).toEqual((await balancer.balance(Int32Array.from(plain))).physicalIds);
  await expect(balancer.balance([0, 0.5])).rejects.toThrow("topkIds[1]: ");
  balancer.destroy();
});

test.each<[string, unknown]>([
  ["0.5", [0, 0.5]],
  ["NaN", [0, Number.NaN]],
  ["Infinity", [0, Infinity]],
  ["2147483648", [0, 2 ** 31]],
  ["-2147483649", [0, -(2 ** 31) - 1]],
  ['"7"', [0, "7"]],
  ["null", [0, null]],
  ["undefined", [0, undefined]],
  ["Array of length 1", [0, [7]]],
  ["1n", [0, 1n]],
  ["4294967296n", BigInt64Array.of(0n, 2n ** 32n)],
  ["-2147483649n", BigInt64Array.of(0n, -(2n ** 31n) - 1n)],
])("an id that does not fit is named: %s", async (shown, ids) => {
  const balancer = await createBalancer({ placement, topK: 1, maxTokens: 4, backend: "cpu" });
  const message = `topkIds[1]: expected an expert id, an integer within 32 bits, or -1, got ${shown}.`;
  await expect(balancer.balance(ids as TopkIds)).rejects.toThrow(message);
  await expect(balancer.balance(ids as TopkIds)).rejects.toThrow(LoadError);
  expect(() => balancer.count(ids as TopkIds)).toThrow(message);
  await expect(measureImbalance({ placement, topkIds: ids as TopkIds, topK: 1 })).rejects.toThrow(message);
  balancer.destroy();
});
