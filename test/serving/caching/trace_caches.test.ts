/** What a trace's prompts are to a prefix cache and to a cache of embeddings, by hand. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../../src/common/errors.ts";
import { checkCacheTrace } from "../../../src/serving/caching/cache_trace.ts";
import { embeddingCacheTrace } from "../../../src/serving/caching/trace/embedding_cache_trace.ts";
import { prefixCacheTrace } from "../../../src/serving/caching/trace/prefix_cache_trace.ts";
import { readTrace } from "../../../src/serving/trace/read_trace.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../../helpers/recorded.ts";
import { traceOf } from "../simulator/traces.ts";

const bare = traceOf([0, 0.5, 3], [1025, 512, 600], [5, 1, 2]);
const blocks = { start: Int32Array.of(1, 4, 4, 6), id: Int32Array.of(99, 0, 1, 2, 0, 3), tokens: 512 };
const stepTime = { base: 0.01, perSequence: 0.1, perKvToken: 1, perPrefillToken: 0.25, perContext: 2 ** -10 };

describe("a prefix cache", () => {
  test("is asked for each block, the one before it being its parent", () => {
    const cache = prefixCacheTrace({ ...bare, blocks });
    checkCacheTrace(cache);
    expect(cache).toEqual({
      key: Int32Array.of(0, 1, 2, 0, 3),
      parent: Int32Array.of(-1, 0, 1, -1, 0),
      time: Float64Array.of(0, 0, 0, 3, 3),
      size: new Float64Array(5).fill(512),
      cost: new Float64Array(5).fill(512),
    });
  });

  test("misses that cost seconds: of the tokens that the prompt has in the block, after those before it", () => {
    const { cost, size } = prefixCacheTrace({ ...bare, blocks }, { stepTime });
    const seconds = (tokens: number, pairs: number) => 0.25 * tokens + pairs / 1024;
    // A token's query meets the keys before it and half of its own: 512 x 256, 512 x (512 + 256), and so on.
    expect([...cost]).toEqual([
      seconds(512, 131_072),
      seconds(512, 393_216),
      seconds(1, 1024.5),
      seconds(512, 131_072),
      seconds(88, 88 * 556),
    ]);
    expect(size.every((tokens) => tokens === 512)).toBe(true);
  });

  test("a block after a prompt's end takes no time", () => {
    const more = { start: Int32Array.of(0, 0, 2, 2), id: Int32Array.of(0, 1), tokens: 512 };
    expect(prefixCacheTrace({ ...bare, blocks: more }, { stepTime }).cost[1]).toBe(0);
  });

  test("of a trace without blocks is refused, and so is what is no trace or no step time", () => {
    expect(() => prefixCacheTrace(bare)).toThrow(
      "trace.blocks: expected the prefix blocks of its prompts, got undefined.",
    );
    expect(() => prefixCacheTrace({ ...bare, input: Int32Array.of(1) })).toThrow(ArgumentError);
    const call = (o: object) => () => prefixCacheTrace({ ...bare, blocks }, o);
    expect(call({ stepTime: { ...stepTime, perContext: -1 } })).toThrow(
      "o.stepTime.perContext: expected a number >= 0",
    );
    expect(call({ steptime: stepTime })).toThrow("Did you mean stepTime?");
  });

  test.runIf(recordedDataPresent)(`of Mooncake's conversations ${needsRecordedData}`, async () => {
    const trace = await readTrace(recordedBytes("requests/mooncake_fast25_conversation.jsonl.gz"));
    const cache = prefixCacheTrace(trace);
    checkCacheTrace(cache);
    expect([cache.key.length, new Set(cache.key).size]).toEqual([288_500, 182_790]);
    expect(cache.parent!.filter((parent) => parent < 0)).toHaveLength(12_031);
    // In a chain of hashes a block has always the same parent.
    const parents = new Map<number, number>();
    cache.key.forEach((key, i) => {
      if (!parents.has(key)) parents.set(key, cache.parent![i]);
      if (parents.get(key) !== cache.parent![i]) throw new Error(`block ${key} has two parents`);
    });
    // By seconds the costs of a prompt are those of its whole prefill, c_pre s + c_ctx s^2 / 2.
    const { cost } = prefixCacheTrace(trace, { stepTime });
    const total = cost.reduce((a, b) => a + b);
    const expected = trace.input.reduce((sum, s) => sum + 0.25 * s + s ** 2 / 2048, 0);
    expect(Math.abs(total / expected - 1)).toBeLessThan(1e-12);
  });
});

describe("a cache of embeddings", () => {
  const images = {
    start: Int32Array.of(1, 3, 3, 6),
    id: Int32Array.of(0, 2, 0, 0, 0, 1),
    tokens: Int32Array.of(100, 256, 576),
  };
  const encoder = { base: 0.5, perToken: 0.25 };

  test("is asked for each image, also where a prompt has it twice", () => {
    const cache = embeddingCacheTrace({ ...bare, images }, { encoder });
    checkCacheTrace(cache);
    expect(cache).toEqual({
      key: Int32Array.of(2, 0, 0, 0, 1),
      size: Float64Array.of(576, 100, 100, 100, 256),
      cost: Float64Array.of(144.5, 25.5, 25.5, 25.5, 64.5),
      time: Float64Array.of(0, 0, 3, 3, 3),
    });
  });

  test("of a trace without images is refused, and so is what is no encoder", () => {
    expect(() => embeddingCacheTrace(bare, { encoder })).toThrow(
      "trace.images: expected the images of its prompts, got",
    );
    const call = (o: object) => () => embeddingCacheTrace({ ...bare, images }, o as never);
    expect(call({})).toThrow("o.encoder: expected an object, got undefined.");
    expect(call({ encoder: { base: 1 } })).toThrow("o.encoder.perToken: expected a number >= 0, got undefined.");
    expect(call({ encoder: { base: -1, perToken: 1 } })).toThrow("o.encoder.base: expected a number >= 0, got -1.");
    expect(call({ encoder: { ...encoder, pertoken: 1 } })).toThrow("Did you mean perToken?");
  });

  test.each<[string, Partial<NonNullable<Trace["images"]>>, string]>([
    ["start", { start: Int32Array.of(0, 1) }, "trace.images.start: expected 4 values, got 2."],
    ["start", { start: Int32Array.of(0, 2, 1, 1) }, "trace.images.start[2]: expected an integer from 2 to 6, got 1."],
    ["id", { id: Int32Array.of(0, 2, 0, 0, 3, 1) }, "trace.images.id[4]: expected an integer from 0 to 2, got 3."],
    ["id", { id: [0, 0.5] as never, start: Int32Array.of(0, 1, 2, 2) }, "trace.images.id[1]: expected an integer"],
    [
      "tokens",
      { tokens: Int32Array.of(1, 1, 0) },
      "trace.images.tokens[2]: expected an integer from 1 to 2^31 - 1, got 0.",
    ],
    [
      "more tokens than the prompt",
      { tokens: Int32Array.of(100, 401, 576) },
      "trace.images of request 2: expected at most the 600 tokens of its prompt, got 601.",
    ],
  ])("images that are none: %s", (_, part, message) => {
    const call = () => embeddingCacheTrace({ ...bare, images: { ...images, ...part } }, { encoder });
    expect(call).toThrow(ArgumentError);
    expect(call).toThrow(message);
  });
});
