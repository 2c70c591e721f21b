/** Requests to caches as files bring them: small ones worked out by hand, and the public ones whole. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../../src/common/errors.ts";
import { type CacheTrace, checkCacheTrace } from "../../../src/serving/caching/cache_trace.ts";
import { readCacheTrace } from "../../../src/serving/caching/trace/read_cache_trace.ts";
import { needsRecordedData, recordedBytes, recordedDataPresent } from "../../helpers/recorded.ts";
import { bytes, chunksOf, gzip } from "../trace/files.ts";

const plain = (trace: CacheTrace) =>
  Object.fromEntries(Object.entries(trace).map(([name, values]) => [name, Array.from(values as Float64Array)]));

const small = [
  {
    name: "time, key and size, with CRLF, an empty line and no end of the last line",
    format: "sized",
    text: "1 7 68\r\n1 12345678901234567890 7454\r\n\r\n2.5 7 68\r\n3 07 68\r\n3 12345678901234567891 7454",
    trace: { key: [0, 1, 0, 2, 3], size: [68, 7454, 68, 68, 7454], cost: [1, 1, 1, 1, 1], time: [1, 1, 2.5, 3, 3] },
  },
  {
    name: "with costs, tabs, words for keys, and a key of two sizes",
    format: "sized",
    text: "\uFEFF0\ta/b?x=\u00e9\t10\t2.5\n 0  a/b?x=\u00e9 1e1 0 \n10\ta/b?x=\u00e9\t11\t2.5\n10\tc\t10\t1\n11\ta/b?x=\u00e9\t10\t7\n",
    trace: { key: [0, 0, 1, 2, 0], size: [10, 10, 11, 10, 10], cost: [2.5, 0, 2.5, 1, 7], time: [0, 0, 10, 10, 11] },
  },
  {
    name: "penalties",
    format: "penalties",
    text: "s 0x1fffff50 1 1 100\nl 0x1FFFFF58 1 0 10\nl 0x01fffff50 12 2 100\ns 0x0 0 1 10\nl 0x00 3 1 10\n",
    trace: { key: [0, 1, 0, 2, 2], size: [1, 1, 1, 1, 1], cost: [100, 10, 100, 10, 10], hitCost: [1, 0, 2, 1, 1] },
  },
];

describe.each(small)("$name", ({ format, text, trace }) => {
  test("is told by content, and read by its name", async () => {
    const read = await readCacheTrace(text);
    checkCacheTrace(read);
    expect(plain(read)).toEqual(trace);
    expect(plain(await readCacheTrace(text, { format }))).toEqual(trace);
  });

  test("is read from chunks cut at every byte, plain and as gzip", async () => {
    for (const whole of [bytes(text), gzip(text)]) {
      for (let at = 0; at <= whole.length; at++) {
        const read = await readCacheTrace(chunksOf(whole.subarray(0, at), whole.subarray(at)));
        expect(plain(read), `cut at ${at}`).toEqual(trace);
      }
    }
  });

  test("is not taken for another", async () => {
    const other = format === "sized" ? "penalties" : "sized";
    await expect(readCacheTrace(text, { format: other })).rejects.toThrow(/^trace, line 1/);
  });
});

const amount = "expected a finite number >= 0, got";
test.each<[name: string, text: string, message: string]>([
  ["nothing", "", "trace: expected a file of one of these formats: sized (time key size [cost]"],
  [
    "two columns",
    "1 2\n",
    'trace: expected a file of one of these formats: sized (time key size [cost] between blanks or tabs); penalties (s or l, hexadecimal address, instructions, hit penalty, miss penalty between blanks or tabs), got "1 2".',
  ],
  ["a header", "time key size\n1 2 3\n", "trace: expected a file of one of these formats"],
  ["requests of an LLM", "input_tokens,output_tokens\n1,2\n", "trace: expected a file of one of these formats"],
  ["a column less", "1 2 3 4\n1 2 3\n", "trace, line 2: expected 4 columns, got 3."],
  ["a column more", "1 2 3\n\n1 2 3 4\n", "trace, line 3: expected 3 columns, got 4."],
  ["a time that is a word", "1 2 3\nsoon 2 3\n", `trace, line 2, "time": ${amount} "soon".`],
  ["a negative time", "-1 2 3\n", `trace, line 1, "time": ${amount} "-1".`],
  [
    "times that go backwards",
    "1 2 3\n0.5 2 3\n",
    'trace, line 2, "time": expected no earlier than the request before it, 1, got 0.5. Sort',
  ],
  ["a size of 0", "1 2 0\n", 'trace, line 1, "size": expected a finite number > 0, got "0".'],
  ["a size that is none", "1 2 3\n1 2 nan\n", 'trace, line 2, "size": expected a finite number > 0, got "nan".'],
  ["an infinite size", "1 2 1e999\n", 'trace, line 1, "size": expected a finite number > 0, got "1e999".'],
  ["a negative cost", "1 2 3 4\n1 2 3 -4\n", `trace, line 2, "cost": ${amount} "-4".`],
  ["another access", "s 0x1 1 1 1\nx 0x1 1 1 1\n", 'trace, line 2, "access": expected "s" or "l", got "x".'],
  [
    "another address",
    "s 0x1 1 1 1\ns 16 1 1 1\n",
    'trace, line 2, "address": expected one such as 0x1fffff50, got "16".',
  ],
  ["no instructions", "s 0x1 ? 1 1\n", `trace, line 1, "instructions": ${amount} "?".`],
  ["a hit penalty that is none", "s 0x1 1 -1 1\n", `trace, line 1, "hit penalty": ${amount} "-1".`],
  ["a miss penalty that is none", "s 0x1 1 1 1\ns 0x1 1 1 x\n", `trace, line 2, "miss penalty": ${amount} "x".`],
  ["a penalty less", "s 0x1 1 1 1\ns 0x1 1 1\n", "trace, line 2: expected 5 columns, got 4."],
])("%s is refused by line and field", async (_, text, message) => {
  const reading = readCacheTrace(text);
  await expect(reading).rejects.toThrow(ArgumentError);
  await expect(reading).rejects.toThrow(message);
});

test("no such format or source, and a signal", async () => {
  await expect(readCacheTrace("1 2 3", { format: "mooncake" })).rejects.toThrow(
    "o.format: expected one of sized, penalties, got",
  );
  await expect(readCacheTrace("1 2 3", { from: 1 } as never)).rejects.toThrow("o: expected only format, signal");
  await expect(readCacheTrace(5 as never)).rejects.toThrow("source: expected a file's content");
  const reason = new Error("enough");
  await expect(readCacheTrace("1 2 3", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

describe.runIf(recordedDataPresent)(`recorded files ${needsRecordedData}`, () => {
  const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
  const read = async (file: string) => {
    const trace = await readCacheTrace(recordedBytes(`cache/${file}`));
    checkCacheTrace(trace);
    return { trace, keys: new Set(trace.key).size };
  };

  // Requests, objects and sizes: SOURCES.md beside them. Sums and last times: by awk.
  test("AdaptSize's", async () => {
    const { trace, keys } = await read("adaptsize_request_trace.txt.gz");
    expect([trace.key.length, keys]).toEqual([66_987, 40_240]);
    expect([sum(trace.size), trace.time!.at(-1)]).toEqual([485_457_552, 66_987]);
    expect([trace.size.reduce((a, b) => Math.min(a, b)), trace.size.reduce((a, b) => Math.max(a, b))]).toEqual([
      1, 4_092_928,
    ]);
    expect(trace.cost.every((cost) => cost === 1)).toBe(true);
  });

  test("webcachesim's", async () => {
    const { trace, keys } = await read("webcachesim_test.tr");
    expect([trace.key.length, keys, new Set(trace.size).size]).toEqual([10_492, 960, 19]);
    expect([sum(trace.size), trace.time!.at(-1)]).toEqual([19_130, 999_724]);
  });

  test("gcc's with penalties", async () => {
    const { trace, keys } = await read("gcc_penalties_trace.txt.gz");
    expect([trace.key.length, keys, trace.time]).toEqual([515_683, 35_070, undefined]);
    const counts = [100, 10].map((cost) => trace.cost.reduce((n, x) => n + (x === cost ? 1 : 0), 0));
    expect(counts).toEqual([381_181, 134_502]);
    expect(sum(trace.hitCost!)).toBe(515_683);
  });
});
