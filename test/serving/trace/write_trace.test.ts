/** What is written is read again; figures of a run are recomputed from every token. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import type { Simulated } from "../../../src/serving/simulator/simulated.ts";
import { readTrace } from "../../../src/serving/trace/read_trace.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { writeTrace } from "../../../src/serving/trace/write_trace.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../../helpers/recorded.ts";
import { plain, small } from "./files.ts";

async function piecesOf(written: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of written) pieces.push(piece);
  return pieces;
}
const textOf = async (written: AsyncIterable<string>) => (await piecesOf(written)).join("");

const trace: Trace = {
  requests: 4,
  arrival: Float64Array.of(0, 0.5, 0.5, 2.25),
  input: Int32Array.of(600, 20, 30, 40),
  output: Int32Array.of(5, 1, 9, 3),
  session: Int32Array.of(0, -1, 1, 0),
  blocks: { start: Int32Array.of(0, 2, 2, 3, 4), id: Int32Array.of(0, 1, 2, 0), tokens: 512 },
};

/** The third was rejected. */
const result = {
  arrival: trace.arrival,
  start: Float64Array.of(0.25, 0.5, -1, 2.5),
  firstToken: Float64Array.of(0.5, 1.5, -1, 3.25),
  finish: Float64Array.of(2.5, 1.5, -1, 5.25),
  worker: Int32Array.of(0, 0, -1, 0),
  evictions: new Int32Array(4),
} as Simulated;

describe("mooncake", () => {
  test("has a line per request, with what there is", async () => {
    const lines = (await textOf(writeTrace(trace, "mooncake"))).trimEnd().split("\n");
    expect(lines).toEqual([
      '{"timestamp":0,"input_length":600,"output_length":5,"hash_ids":[0,1],"session_id":"0"}',
      '{"timestamp":500,"input_length":20,"output_length":1,"hash_ids":[]}',
      '{"timestamp":500,"input_length":30,"output_length":9,"hash_ids":[2],"session_id":"1"}',
      '{"timestamp":2250,"input_length":40,"output_length":3,"hash_ids":[0],"session_id":"0"}',
    ]);
    const { requests, arrival, input, output } = trace;
    const bare = await textOf(writeTrace({ requests, arrival, input, output }, "mooncake"));
    expect(bare.split("\n")[0]).toBe('{"timestamp":0,"input_length":600,"output_length":5}');
  });

  test("reads back as it was", async () => {
    expect(plain(await readTrace(await textOf(writeTrace(trace, "mooncake"))))).toEqual(plain(trace));
  });

  test.each(small)("reads back $name", async ({ text }) => {
    const read = await readTrace(text);
    expect(plain(await readTrace(await textOf(writeTrace(read, "mooncake"))))).toEqual(plain(read));
  });

  test("keeps arrivals of whole ns to the last bit, any others to one unit in the last place, and their order", async () => {
    const { next: random } = seeded(7);
    const lengths = (n: number) => ({ input: new Int32Array(n).fill(1), output: new Int32Array(n).fill(1) });
    const readBack = async (arrival: Float64Array) => {
      const { length: requests } = arrival;
      const written = writeTrace({ requests, arrival, ...lengths(requests) }, "mooncake");
      return (await readTrace(await textOf(written))).arrival;
    };
    const ns = Float64Array.from({ length: 20_000 }, () => Math.floor(random() * 1e13) / 1e9).sort();
    const any = Float64Array.from({ length: 20_000 }, () => random() * 1e4).sort();
    expect((await readBack(ns)).filter((at, i) => at !== ns[i])).toHaveLength(0);
    const small = Float64Array.of(0, 1e-9, 1e-7, 1.5e-7, 1e-6, 0.001, 3.701853);
    expect(await readBack(small)).toEqual(small);
    const back = await readBack(any);
    expect(back.filter((at, i) => Math.abs(at - any[i]) > 2 ** -52 * any[i])).toHaveLength(0);
    expect(back.filter((at, i) => at !== any[i]).length).toBeLessThan(0.03 * any.length);
  });

  test("refuses blocks of another size", () => {
    const blocks = { ...trace.blocks!, tokens: 16 };
    expect(() => writeTrace({ ...trace, blocks }, "mooncake")).toThrow(
      "trace.blocks.tokens: expected 512, the blocks of this format, got 16.",
    );
  });

  const recorded = test.runIf(recordedDataPresent);
  recorded(`writes Mooncake's conversation as it is published ${needsRecordedData}`, async () => {
    const text = recordedBytes("requests/mooncake_fast25_conversation.jsonl.gz").toString();
    const pieces = await piecesOf(writeTrace(await readTrace(text), "mooncake"));
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(2 ** 18);
    expect(pieces.join("") === `${text.trimEnd().replaceAll(" ", "")}\n`).toBe(true);
  });
});

describe("vllm", () => {
  test("has the fields of a detailed run", async () => {
    const run = JSON.parse(await textOf(writeTrace(trace, "vllm", result)));
    expect(run).toMatchObject({
      backend: "evenkeel",
      num_prompts: 4,
      request_rate: 3 / 2.25,
      duration: 5.25,
      completed: 3,
      failed: 1,
      total_input_tokens: 660,
      total_output_tokens: 9,
      request_throughput: 3 / 5.25,
      output_throughput: 9 / 5.25,
      total_token_throughput: 669 / 5.25,
      input_lens: [600, 20, 30, 40],
      output_lens: [5, 1, 0, 3],
      ttfts: [0.5, 1, 0, 1],
      itls: [[0.5, 0.5, 0.5, 0.5], [], [], [1, 1]],
      latencies: [2.5, 1, 0, 3],
      start_times: [0, 0.5, 0.5, 2.25],
      generated_texts: ["", "", "", ""],
    });
    expect(run.errors.map((error: string) => error.slice(0, 8))).toEqual(["", "", "rejected", ""]);
    expect(run).not.toHaveProperty("date");
  });

  test("reads back without the rejected", async () => {
    const read = await readTrace(await textOf(writeTrace(trace, "vllm", result)));
    expect(plain(read)).toEqual({ arrival: [0, 0.5, 2.25], input: [600, 20, 40], output: [5, 1, 3] });
  });

  test("its figures are numpy's, over every token", async () => {
    const { next: random } = seeded(11);
    const { requests, ...many } = drawn(random, 300);
    const run = JSON.parse(await textOf(writeTrace({ requests, ...many.trace }, "vllm", many.result)));
    const { firstToken, finish } = many.result;
    const { arrival, output } = many.trace;
    const done = [...finish.keys()].filter((i) => finish[i] >= 0);
    expect(run.completed).toBe(done.length);
    expect(done.length).toBeLessThan(requests);
    const several = done.filter((i) => output[i] > 1);
    const gap = (i: number) => (finish[i] - firstToken[i]) / (output[i] - 1);
    for (const [name, values] of Object.entries({
      ttft: done.map((i) => firstToken[i] - arrival[i]),
      tpot: several.map(gap),
      itl: several.flatMap((i) => new Array<number>(output[i] - 1).fill(gap(i))),
      e2el: done.map((i) => finish[i] - arrival[i]),
    })) {
      for (const [figure, value] of Object.entries(byHand(values))) {
        expect(run[`${figure}_${name}_ms`] / (1000 * value), `${figure} ${name}`).toBeCloseTo(1, 10);
      }
    }
  });

  test("figures of nothing are 0, as vLLM's", async () => {
    const none = { ...result, finish: new Float64Array(4).fill(-1) };
    const run = JSON.parse(await textOf(writeTrace(trace, "vllm", none)));
    for (const figure of ["duration", "completed", "request_throughput", "mean_ttft_ms", "p99_itl_ms", "std_e2el_ms"]) {
      expect(run[figure], figure).toBe(0);
    }
    const empty = { requests: 0, arrival: new Float64Array(0), input: new Int32Array(0), output: new Int32Array(0) };
    const nothing = { ...result, arrival: empty.arrival, firstToken: new Float64Array(0), finish: new Float64Array(0) };
    expect(JSON.parse(await textOf(writeTrace(empty, "vllm", nothing)))).toMatchObject({ num_prompts: 0, itls: [] });
  });

  test("comes in pieces, those of a long answer too", async () => {
    const long = { ...trace, output: Int32Array.of(500_000, 1, 9, 3) };
    const pieces = await piecesOf(writeTrace(long, "vllm", result));
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(2 ** 18);
    const [first] = JSON.parse(pieces.join("")).itls;
    expect([first.length, first[0], first.at(-1)]).toEqual([499_999, 2 / 499_999, 2 / 499_999]);
  });

  test("needs the result of this trace", () => {
    expect(() => writeTrace(trace, "vllm")).toThrow(
      'result: expected what simulate() answered, for format "vllm", got undefined.',
    );
    const short = { ...result, finish: new Float64Array(3) };
    expect(() => writeTrace(trace, "vllm", short)).toThrow("result.finish: expected trace.requests = 4 values, got 3.");
    const nan = { ...result, finish: Float64Array.of(2.5, Number.NaN, -1, 5.25) };
    expect(() => writeTrace(trace, "vllm", nan)).toThrow("result.finish[1]: expected finite and >= 1.5");
    const early = { ...result, firstToken: Float64Array.of(0.5, 0.25, -1, 3.25) };
    expect(() => writeTrace(trace, "vllm", early)).toThrow("result.firstToken[1]: expected finite and >= 0.5");
  });
});

test("other formats and what is no trace are refused by the call", () => {
  expect(() => writeTrace(trace, "azure" as never)).toThrow('format: expected "mooncake" or "vllm", got "azure".');
  const negative = { ...trace, input: Int32Array.of(1, 2, 3, -4) };
  expect(() => writeTrace(negative, "mooncake")).toThrow("trace.input[3]");
});

/** A run of random times; every tenth request is rejected. */
function drawn(random: () => number, requests: number) {
  const arrival = Float64Array.from({ length: requests }, () => 100 * random()).sort();
  const output = Int32Array.from({ length: requests }, () => 1 + Math.floor(20 * random() ** 3));
  const firstToken = arrival.map((at, i) => (i % 10 === 3 ? -1 : at + random()));
  const finish = firstToken.map((at, i) => (at < 0 ? -1 : at + (output[i] - 1) * random()));
  return {
    requests,
    trace: { arrival, input: new Int32Array(requests).fill(7), output },
    result: { ...result, arrival, firstToken, finish } as Simulated,
  };
}

/** By numpy's definitions, of values that are all there. */
function byHand(values: number[]) {
  const ascending = values.toSorted((a, b) => a - b);
  const mean = values.reduce((sum, value) => sum + value) / values.length;
  const at = (share: number) => {
    const rank = share * (values.length - 1);
    const [low, high] = [ascending[Math.floor(rank)], ascending[Math.ceil(rank)]];
    return low + (rank - Math.floor(rank)) * (high - low);
  };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, median: at(0.5), std: Math.sqrt(variance), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
}
