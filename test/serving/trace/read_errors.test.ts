/** What does not fit is refused by its line and field. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../../src/common/errors.ts";
import { readTrace } from "../../../src/serving/trace/read_trace.ts";
import { bytes, chunksOf, failedRecord, gzip, record, run } from "./files.ts";

const azure = (...rows: string[]) => ["TIMESTAMP,ContextTokens,GeneratedTokens", ...rows].join("\n");
const burst = (...rows: string[]) => ["Timestamp,Model,Request tokens,Response tokens,Log Type", ...rows].join("\n");
const vidur = (...rows: string[]) => ["arrived_at,num_prefill_tokens,num_decode_tokens", ...rows].join("\n");
const lines = (...records: unknown[]) => records.map((one) => JSON.stringify(one)).join("\n");
const request = { timestamp: 5, input_length: 600, output_length: 7, hash_ids: [1, 2] };
const good = "2023-11-16 18:17:03.9799600,5,6";
const without = (object: object, field: string) =>
  Object.fromEntries(Object.entries(object).filter(([name]) => name !== field));
const integer = "expected an integer from 1 to 2^31 - 1, got";
const time = "expected a finite number >= 0, got";
const stamp = "expected a time such as 2023-11-16 18:17:03.9799600, got";

const refused: [name: string, text: string, message: string][] = [
  ["a word", azure(good, "2023-11-16 18:17:04,5,abc"), `trace, line 3, "GeneratedTokens": ${integer} "abc".`],
  ["a negative length", azure("2023-11-16 18:17:04,-5,6"), `trace, line 2, "ContextTokens": ${integer} "-5".`],
  ["a fraction", azure("2023-11-16 18:17:04,5.5,6"), `trace, line 2, "ContextTokens": ${integer} "5.5".`],
  ["0 tokens", azure("2023-11-16 18:17:04,5,0"), `trace, line 2, "GeneratedTokens": ${integer} "0".`],
  ["NaN", vidur("0,nan,6"), `trace, line 2, "num_prefill_tokens": ${integer} "nan".`],
  ["an empty cell", vidur("0,,6"), `trace, line 2, "num_prefill_tokens": ${integer} "".`],
  ["a hexadecimal number", vidur("0,0x10,6"), `trace, line 2, "num_prefill_tokens": ${integer} "0x10".`],
  ["2^31", vidur("0,1,2147483648"), `trace, line 2, "num_decode_tokens": ${integer} "2147483648".`],
  ["a stamp that is a word", vidur("soon,1,2"), `trace, line 2, "arrived_at": ${time} "soon".`],
  ["a negative stamp", vidur("-1,1,2"), `trace, line 2, "arrived_at": ${time} "-1".`],
  ["an infinite stamp", vidur("Infinity,1,2"), `trace, line 2, "arrived_at": ${time} "Infinity".`],
  ["a stamp that is no date", azure("16/11/2023,5,6"), `trace, line 2, "TIMESTAMP": ${stamp} "16/11/2023".`],
  [
    "a day that is none",
    azure("2023-02-30 18:17:03,5,6"),
    `trace, line 2, "TIMESTAMP": ${stamp} "2023-02-30 18:17:03".`,
  ],
  [
    "an hour that is none",
    azure("2023-02-03 24:17:03,5,6"),
    `trace, line 2, "TIMESTAMP": ${stamp} "2023-02-03 24:17:03".`,
  ],
  [
    "too few cells",
    azure(good, "2023-11-16 18:17:04,5"),
    "trace, line 3: expected 3 cells, as its first line has, got 2.",
  ],
  ["too many cells", azure(good, `${good},7`), "trace, line 3: expected 3 cells, as its first line has, got 4."],
  [
    "an open quote",
    burst('1,"GPT,5,6,API log'),
    "trace, line 2: expected quotes that end with their cell, on the same line",
  ],
  ["more after a quote", burst('1,"GPT"4,5,6,API log'), "trace, line 2: expected quotes that end with their cell"],
  [
    "a missing column",
    "TIMESTAMP,ContextTokens,Generated\n",
    'trace, line 1: expected a column "GeneratedTokens", got "TIMESTAMP',
  ],
  [
    "a column twice",
    "Timestamp,Request tokens,Response tokens,Timestamp\n1,2,3,4",
    'trace, line 1: expected one column "Timestamp", got 2.',
  ],
  ["a header alone", azure(), "trace: expected at least one request, got 0."],
  ["failures alone", burst("1,GPT-4,5,0,API log"), "trace: expected at least one request that did not fail, got 0."],
  ["a prompt of 0 tokens", burst("1,GPT-4,0,5,API log"), `trace, line 2, "Request tokens": ${integer} "0".`],
  [
    "arrivals that go backwards",
    vidur("1,1,1", "", "0.5,1,1"),
    'trace, line 4, "arrived_at": expected no earlier than the request before it, 1, got 0.5. Sort the requests',
  ],
  [
    "stamps that go backwards",
    azure(good, "2023-11-16 18:17:03,5,6"),
    'trace, line 3, "TIMESTAMP": expected no earlier than',
  ],
  ["a number among lengths", "5,6\n7,x", `trace, line 2, "second column": ${integer} "x".`],
  [
    "a line that was cut off",
    `${lines(request)}\n${lines(request).slice(0, 30)}`,
    'trace, line 2: expected a whole JSON object, got "{"timestamp',
  ],
  ["a line that is no object", lines(request, [1]), "trace, line 2: expected a JSON object, got Array of length 1."],
  [
    "a length as a string",
    lines({ ...request, input_length: "600" }),
    `trace, line 1, "input_length": ${integer} "600".`,
  ],
  ["no length", lines(without(request, "output_length")), `trace, line 1, "output_length": ${integer} undefined.`],
  ["no timestamp", lines(request, without(request, "timestamp")), `trace, line 2, "timestamp": ${time} undefined.`],
  ["a timestamp as a string", lines({ ...request, timestamp: "5" }), `trace, line 1, "timestamp": ${time} "5".`],
  [
    "a session that is an object",
    lines({ ...request, session_id: {} }),
    'trace, line 1, "session_id": expected a string or a number',
  ],
  [
    "a negative delay",
    lines({ ...without(request, "timestamp"), session_id: 1, delay: -1 }),
    `trace, line 1, "delay": ${time} -1.`,
  ],
  [
    "backwards in Mooncake",
    lines(request, { ...request, timestamp: 4 }),
    'trace, line 2, "timestamp": expected no earlier than',
  ],
  [
    "ids that are no array",
    lines({ ...request, hash_ids: {} }),
    'trace, line 1, "hash_ids": expected an array of integers, got an object',
  ],
  [
    "ids that are no numbers",
    lines({ ...request, hash_ids: [1, "b"] }),
    'trace, line 1, "hash_ids": expected integers, got "b".',
  ],
  [
    "blocks of another size",
    lines({ ...request, hash_ids: [1, 2, 3] }),
    'trace, line 1, "hash_ids": expected at most ceil(600 / 512) = 2 ids, of blocks of 512 tokens, got 3.',
  ],
  [
    "a run without details",
    lines({ total_input_tokens: 3, completed: 1 }),
    'trace, "input_lens": expected an array, got undefined. vLLM writes',
  ],
  ["a run that was cut off", lines(run).slice(0, -20), 'trace: expected a whole JSON object, got "{"date"'],
  ["two runs", `${lines(run)}\n${lines(run)}`, "A file to which several runs were appended must be split"],
  [
    "fewer outputs than inputs",
    lines({ ...run, output_lens: [1] }),
    'trace, "output_lens": expected as many values as "input_lens" has, 4, got 1.',
  ],
  [
    "an output of 0 that did not fail",
    lines({ ...run, errors: ["", "", "", ""] }),
    `trace, "output_lens"[2]: ${integer} 0.`,
  ],
  ["a start that is null", lines({ ...run, start_times: [1, 2, 3, null] }), `trace, "start_times"[3]: ${time} null.`],
  ["errors of numbers", lines({ ...run, errors: [0, 0, 0, 0] }), 'trace, "errors"[0]: expected a string, got 0.'],
  [
    "a record without a metric",
    lines(record(0, 5, 6, "a"), { ...record(0, 5, 6, "a"), metrics: null }),
    `trace, line 2, "metrics.input_sequence_length.value": ${integer} undefined.`,
  ],
  ["records that failed", lines(failedRecord), "trace: expected at least one request that did not fail, got 0."],
  [
    "a record without a stamp",
    lines({ ...record(0, 5, 6, "a"), metadata: {} }),
    `trace, line 1, "metadata.request_start_ns": ${time} undefined.`,
  ],
];

test.each(refused)("%s", async (_, text, message) => {
  const error = await readTrace(text).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(ArgumentError);
  expect(error.message.slice(0, message.length + 200)).toContain(message);
});

test("what is read by these tests' writers is good where nothing is wrong", async () => {
  for (const text of [azure(good), burst("1,GPT-4,5,6,API log"), vidur("1,1,1"), lines(request), lines(run)]) {
    expect((await readTrace(text)).requests).toBeGreaterThan(0);
  }
});

describe("no known format", () => {
  test.each([
    ["nothing", "", '""'],
    ["blank lines", "\n \r\n", '""'],
    ["prose", "It was a dark night.", '"It was a dark night."'],
    ["another CSV", "name,age\nann,5", '"name,age"'],
    ["three columns without names", "1,2,3", '"1,2,3"'],
    [
      "lengths beside what may be stamps",
      "time,input_tokens,output_tokens\n1,2,3",
      '"time,input_tokens,output_tokens"',
    ],
    ["other JSON", '{"a": 1}', '"{"a": 1}"'],
    ["a JSON array", "[1]", '"[1]"'],
    [
      "Bailian's, whose stamps are seconds",
      '{"chat_id":1,"timestamp":1.5,"input_length":5,"output_length":6}',
      '"{"chat_id"',
    ],
  ])("%s", async (_, text, shown) => {
    const error = await readTrace(text).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error.message).toMatch(/^trace: expected a file of one of these formats: azure \(CSV with TIMESTAMP, /);
    for (const name of ["mooncake", "burstgpt", "vidur", "vllm", "aiperf", "llmservingsim", "lengths"]) {
      expect(error.message).toContain(`; ${name} (`);
    }
    expect(error.message).toContain(`, got ${shown}`);
  });

  test("lengths beside other columns are read where the format is named", async () => {
    const read = await readTrace("time,input_tokens,output_tokens\n1,2,3", { format: "lengths" });
    expect([...read.arrival, ...read.input, ...read.output]).toEqual([0, 2, 3]);
  });
});

test("options and sources", async () => {
  const names = "azure, mooncake, burstgpt, vidur, vllm, aiperf, llmservingsim, lengths";
  await expect(readTrace("1,1", { format: "csv" })).rejects.toThrow(`o.format: expected one of ${names}, got "csv".`);
  await expect(readTrace("1,1", { format: "toString" })).rejects.toThrow(/^o\.format: /);
  await expect(readTrace("1,1", { formt: "azure" } as object)).rejects.toThrow("Did you mean format?");
  const expected = "source: expected a file's content: a string, a Uint8Array, or an async iterable of Uint8Array, got";
  await expect(readTrace(5 as never)).rejects.toThrow(`${expected} 5.`);
  await expect(readTrace(null as never)).rejects.toThrow(`${expected} null.`);
  await expect(readTrace(chunksOf("1,1" as never))).rejects.toThrow(
    "source: expected chunks of bytes, each a Uint8Array",
  );
});

describe("bytes", () => {
  test("that are no UTF-8", async () => {
    const utf16 = Uint8Array.of(0xff, 0xfe, 0x31, 0, 0x2c, 0, 0x31, 0);
    await expect(readTrace(utf16)).rejects.toThrow("trace: expected text in UTF-8");
    await expect(readTrace(bytes("1,1\né").subarray(0, 5))).rejects.toThrow("trace: expected text in UTF-8");
  });

  test("that are no whole gzip", async () => {
    const whole = gzip("1,1\n".repeat(1000));
    const damaged = Uint8Array.from(whole, (byte, i) => (i === whole.length - 5 ? byte ^ 255 : byte));
    for (const data of [whole.subarray(0, 5), whole.subarray(0, whole.length - 4), damaged]) {
      const error = await readTrace(data).catch((thrown) => thrown);
      expect(error).toBeInstanceOf(ArgumentError);
      expect(error.message).toContain("trace: expected whole gzip data");
    }
  });
});
