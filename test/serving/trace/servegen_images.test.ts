/** Images of ServeGen's clients that recur, against the power law that they are drawn by. */
import { describe, expect, test } from "vitest";
import { embeddingCacheTrace } from "../../../src/serving/caching/trace/embedding_cache_trace.ts";
import { generateTrace } from "../../../src/serving/trace/generate_trace.ts";
import { checkTrace } from "../../../src/serving/trace/trace.ts";
import { needsRecordedData, recordedDataPresent, recordedJson } from "../../helpers/recorded.ts";
import { generate, own } from "./own_clients.ts";

const catalogue = { distinct: 20, power: 0.9 };
const two = { ...own, clients: { ...own.clients, more: own.clients.images } };

describe("images that recur", () => {
  const without = generate({}, two);
  const trace = generate({ images: catalogue }, two);
  const { start, id, tokens } = trace.images!;
  const ofClient = (client: number) =>
    [...trace.class!].flatMap((k, i) => (k === client ? [...id.subarray(start[i], start[i + 1])] : []));

  test("leave arrivals, outputs, clients and texts as they are without", () => {
    checkTrace(trace);
    expect(without.images).toBeUndefined();
    expect({ ...trace, input: without.input, images: undefined }).toEqual({ ...without, images: undefined });
    for (let i = 0; i < trace.requests; i++) {
      const images = id.subarray(start[i], start[i + 1]);
      if (trace.class![i] === 0) expect([images.length, trace.input[i]]).toEqual([0, without.input[i]]);
      else {
        expect([0, 2]).toContain(images.length); // of its counts
        expect(trace.input[i]).toBe(3 + images.reduce((sum, image) => sum + tokens[image], 0));
        expect(images.length === 0).toBe(without.input[i] === 3);
      }
    }
  });

  test("are a client's own, numbered by first appearance, each with tokens of the client's distribution", () => {
    const [first, second] = [new Set(ofClient(1)), new Set(ofClient(2))];
    expect([first.size, second.size, tokens.length]).toEqual([20, 20, 40]);
    expect([...first].filter((image) => second.has(image))).toEqual([]);
    expect([...new Set(id)]).toEqual(Array.from(tokens, (_, k) => k));
    expect(new Set(tokens)).toEqual(new Set([100, 1000]));
  });

  test("come as often as the power law says, and not as another", () => {
    const chiSquare = (power: number) => {
      const counts = new Map<number, number>();
      for (const image of ofClient(1)) counts.set(image, (counts.get(image) ?? 0) + 1);
      const seen = [...counts.values()].sort((a, b) => b - a);
      const total = seen.reduce((a, b) => a + b);
      const weights = seen.map((_, r) => (r + 1) ** -power);
      const sum = weights.reduce((a, b) => a + b);
      return seen.reduce(
        (x, count, r) => x + (count - (total * weights[r]) / sum) ** 2 / ((total * weights[r]) / sum),
        0,
      );
    };
    // 19 degrees of freedom: above 51 in 1 of 10,000. (Sorting by count makes it smaller, if anything.)
    expect(chiSquare(0.9)).toBeLessThan(51);
    expect(chiSquare(1.1)).toBeGreaterThan(51);
    expect(chiSquare(0.7)).toBeGreaterThan(51);
  });

  test("follow from the seed; images of 0 tokens are none", () => {
    expect(generate({ images: catalogue }, two)).toEqual(trace);
    expect(generate({ images: catalogue, seed: 2 }, two).images).not.toEqual(trace.images);
    const images = { ...own.clients.images.dataset["0"], image_tokens: { "0": 1 } };
    const none = { windowSeconds: 600, clients: { none: { ...own.clients.images, dataset: { "0": images } } } };
    expect(generate({ images: catalogue, requests: 50 }, none).images!.id).toHaveLength(0);
  });

  test("are for ServeGen's clients alone, from a catalogue that is one", () => {
    const lengths = { input: [1], output: [1] };
    expect(() => generate({ images: catalogue, lengths })).toThrow(
      "images: expected undefined: only ServeGen's clients",
    );
    const call = (images: object) => () => generate({ images: images as never });
    expect(call({ distinct: 0, power: 1 })).toThrow("images.distinct: expected an integer from 1 to 2^24, got 0.");
    expect(call({ distinct: 5 })).toThrow("images.power: expected a number >= 0, got undefined.");
    expect(call({ distinct: 5, power: -1 })).toThrow("images.power: expected a number >= 0, got -1.");
    expect(call({ ...catalogue, powers: 1 })).toThrow("Did you mean power?");
  });
});

test.runIf(recordedDataPresent)(`of the recorded clients ${needsRecordedData}`, () => {
  const servegen = recordedJson("requests/servegen_mm_image_clients.json.gz");
  const options = { requests: 20_000, seed: 1, rate: 5, lengths: { servegen } };
  const images = { distinct: 1000, power: 1 };
  const trace = generateTrace({ ...options, images });
  checkTrace(trace);
  expect(trace.arrival).toEqual(generateTrace(options).arrival);
  const cache = embeddingCacheTrace(trace, { encoder: { base: 0.01, perToken: 1e-5 } });
  expect(cache.key).toHaveLength(trace.images!.id.length);
  // Many of the images that are asked for have been asked for before, and not nearly all of a catalogue comes.
  const distinct = trace.images!.tokens.length;
  expect(distinct).toBeLessThan(0.8 * cache.key.length);
  expect(distinct).toBeGreaterThan(1000);
});
