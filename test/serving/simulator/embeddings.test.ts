/** Caches of embeddings in a simulation, by hand: who finds its images begins sooner. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../../src/common/errors.ts";
import type { CachePolicy } from "../../../src/serving/caching/cache_policy.ts";
import { caching } from "../../../src/serving/caching/caching.ts";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { inTurn } from "./policies.ts";
import { traceOf, worker } from "./traces.ts";

/** Image 0 takes the encoder 1.5 s, image 1 takes it 1 s. */
const encoder = { base: 0.5, perToken: 0.01 };
const sent = (requests: Trace, ...images: number[][]): Trace => ({
  ...requests,
  images: {
    start: Int32Array.from([[], ...images], (_, i) => images.slice(0, i).flat().length),
    id: Int32Array.from(images.flat()),
    tokens: Int32Array.of(100, 50),
  },
});
const three = sent(traceOf([0, 10, 20], [200, 200, 200], [2, 2, 2]), [0, 1], [0], [0, 1]);
const steps = worker(4, 2000, { base: 1 });
const options: SimulateOptions = { workers: [steps], clock: "seconds", routing: inTurn };
const ttft = ({ arrival, firstToken }: Awaited<ReturnType<typeof simulate>>) =>
  Array.from(firstToken, (time, i) => Number((time - arrival[i]).toFixed(9)));
const kept = (capacity: number, policy?: CachePolicy) => ({ embeddings: { capacity, encoder, policy } });

describe("a step of 1 s is longer by what is encoded in it", () => {
  /** Admits image 0 alone. */
  const first: CachePolicy = {
    name: "first",
    create: () => ({ hit() {}, admit: (key) => key === 0, victim: () => undefined, removed() {} }),
  };
  test.each<[string, number, CachePolicy | undefined, number[], number]>([
    ["both fit", 150, undefined, [3.5, 1, 1], 250 / 400],
    ["one fits, the last used", 120, undefined, [3.5, 2.5, 2], 100 / 400],
    ["one fits, the first", 120, first, [3.5, 1, 2], 200 / 400],
    ["one fits, the dearest by what is expected", 120, caching.lec(), [3.5, 2.5, 2], 100 / 400],
    ["the large one never fits", 99, undefined, [3.5, 2.5, 2.5], 50 / 400],
    ["none fits", 49, undefined, [3.5, 2.5, 3.5], 0],
  ])("%s", async (_, capacity, policy, expected, hit) => {
    const result = await simulate(three, { ...options, ...kept(capacity, policy) });
    expect(ttft(result)).toEqual(expected);
    expect(Array.from(result.finish, (time, i) => time - result.firstToken[i])).toEqual([1, 1, 1]);
    expect(result.summary.embeddingHit).toBe(hit);
  });

  test("and without such a cache nothing is", async () => {
    const result = await simulate(three, options);
    expect(ttft(result)).toEqual([1, 1, 1]);
    expect(result.summary.embeddingHit).toBeUndefined();
  });

  test("an image twice in a prompt is encoded once; a prompt without images is as ever", async () => {
    const twice = sent(traceOf([0, 5], [200, 200], [1, 1]), [1, 1], []);
    const result = await simulate(twice, { ...options, ...kept(50) });
    expect(ttft(result)).toEqual([2, 1]);
    expect(result.summary.embeddingHit).toBe(0.5);
  });
});

test("in chunks an image is encoded in the step that prefills its prompt's first part", async () => {
  const prompts = sent(traceOf([0, 0, 0], [150, 150, 150], [1, 1, 1]), [0], [1], [0, 1]);
  const result = await simulate(prompts, { ...options, prefill: { chunk: 100 }, ...kept(1000) });
  // 100 of the first; its last 50 and 50 of the second; the second's last 100; 100 of the third; its last.
  expect(Array.from(result.firstToken)).toEqual([2.5 + 2, 4.5 + 1, 7.5]);
});

test("behind a barrier all wait for the worker that encodes, as the account says", async () => {
  const workers = [steps, steps];
  const pair = (...images: number[][]) => sent(traceOf([0, 0], [200, 200], [1, 1]), ...images);
  const one = await simulate(pair([0], []), { ...options, workers, barrier: true, ...kept(1000) });
  expect(ttft(one)).toEqual([2.5, 2.5]);
  expect(one.summary).toMatchObject({ stepTime: 2.5, barrierBound: 2.5, stepEven: 1.75, routable: 0 });
  // Each worker has a cache of its own.
  const both = await simulate(pair([1], [0, 1]), { ...options, workers, barrier: true, ...kept(1000) });
  expect(ttft(both)).toEqual([3.5, 3.5]);
  expect(both.summary).toMatchObject({ stepTime: 3.5, stepEven: 1 + (1 + 2.5) / 2, embeddingHit: 0 });
  // Two requests of one worker, of which another could have done one.
  const four = sent(traceOf([0, 0, 0], [200, 200, 200], [1, 1, 1]), [1], [], [0]);
  const crowded = await simulate(four, { ...options, workers, barrier: true, ...kept(1000) });
  expect(crowded.summary).toMatchObject({ stepTime: 3.5, barrierBound: 2.5, stepEven: 2.25 });
});

test("where prompts are prefilled elsewhere images are encoded there, a batch at once", async () => {
  const prompts = sent(traceOf([0, 0, 10], [200, 200, 200], [2, 2, 2]), [0], [1], [0, 1]);
  const prefill = { pool: [worker(2, 1000, { base: 2 })], bandwidth: 200 };
  const result = await simulate(prompts, { ...options, prefill, ...kept(1000) });
  expect(ttft(result)).toEqual([2 + 2.5 + 1, 2 + 2.5 + 1, 2 + 1]);
  expect(result.summary.embeddingHit).toBe(0.5);
});

test("an evicted request looks its images up again when it begins again", async () => {
  // Each holds 21 tokens after a step, and the second has to go; 21 are not free again before the first is done.
  const workers = [worker(2, 43, { base: 1 })];
  const prompts = sent(traceOf([0, 0], [20, 20], [10, 10]), [0], [1]);
  const small = { ...prompts, images: { ...prompts.images!, tokens: Int32Array.of(10, 20) } };
  const found = await simulate(small, { ...options, workers, ...kept(30) });
  const again = await simulate(small, { ...options, workers, ...kept(10) });
  expect(found.evictions).toEqual(Int32Array.of(0, 1));
  expect([found.summary.embeddingHit, again.summary.embeddingHit]).toEqual([20 / 50, 0]);
  expect(again.finish[1] - found.finish[1]).toBeCloseTo(0.5 + 20 * 0.01, 12);
});

test.each<[string, object, string]>([
  ["embeddings", { embeddings: 5 }, "an object, got 5"],
  ["embeddings", { embeddings: { ...kept(10).embeddings, size: 3 } }, "only capacity, policy, encoder"],
  ["embeddings.capacity", kept(0), "a finite number > 0, got 0"],
  ["embeddings.capacity", { embeddings: { encoder } }, "a finite number > 0, got undefined"],
  ["embeddings.policy", kept(10, caching.lru as never), "Call it: it makes a policy."],
  ["embeddings.encoder", { embeddings: { capacity: 10 } }, "an object, got undefined"],
  ["embeddings.encoder.base", { embeddings: { capacity: 10, encoder: { ...encoder, base: -1 } } }, ">= 0, got -1"],
  ["embeddings", { ...kept(10), clock: "rounds" }, 'none with clock "rounds", in which encoding takes no time'],
])("%s %o", async (argument, changes, message) => {
  const error = await simulate(three, { ...options, ...changes }).catch((reason) => reason);
  expect(error).toBeInstanceOf(ArgumentError);
  expect(error.argument).toBe(argument);
  expect(error.message).toContain(message);
});

test("caches of embeddings for a trace without images", async () => {
  const { images: _, ...bare } = three;
  await expect(simulate(bare, { ...options, ...kept(10) })).rejects.toThrow(
    "trace.images: expected the images of its prompts, as there are caches for them, got undefined.",
  );
});
