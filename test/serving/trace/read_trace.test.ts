/** Every form is read alike as text, bytes, gzip and in chunks cut anywhere. */
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { readTrace } from "../../../src/serving/trace/read_trace.ts";
import { checkTrace } from "../../../src/serving/trace/trace.ts";
import { bytes, chunksOf, gzip, plain, small } from "./files.ts";

describe.each(small)("$name", ({ format, text, trace }) => {
  test("is told by content", async () => {
    const read = await readTrace(text);
    checkTrace(read);
    expect(plain(read)).toEqual(trace);
    expect(read.requests).toBe(trace.input.length);
  });

  test("is read by its name, and from bytes, plain and as gzip", async () => {
    expect(plain(await readTrace(text, { format }))).toEqual(trace);
    expect(plain(await readTrace(bytes(text)))).toEqual(trace);
    expect(plain(await readTrace(gzip(text)))).toEqual(trace);
  });

  test("is read from chunks cut at every byte", async () => {
    for (const whole of [bytes(text), gzip(text)]) {
      for (let at = 0; at <= whole.length; at++) {
        const read = await readTrace(chunksOf(whole.subarray(0, at), new Uint8Array(0), whole.subarray(at)));
        expect(plain(read), `cut at ${at}`).toEqual(trace);
      }
      const single = Array.from(whole, (byte) => Uint8Array.of(byte));
      expect(plain(await readTrace(chunksOf(...single)))).toEqual(trace);
    }
  });

  test("is not taken for another", async () => {
    const others = new Set(small.map((other) => other.format));
    others.delete(format);
    for (const other of others) {
      if (other === "lengths" && ["vidur", "llmservingsim"].includes(format)) continue; // of which lengths are a part
      await expect(readTrace(text, { format: other }), other).rejects.toThrow(/^trace/);
    }
  });
});

test("a trace longer than its arrays' first room, of lines that many chunks hold", async () => {
  const rows = Array.from({ length: 5000 }, (_, i) => `${i / 4},${i + 1},${(i % 7) + 1}`);
  const text = ["arrived_at,num_prefill_tokens,num_decode_tokens", ...rows].join("\r\n");
  const read = await readTrace(bytes(text));
  expect(read.requests).toBe(5000);
  expect([...read.arrival]).toEqual(rows.map((_, i) => i / 4));
  expect([...read.input]).toEqual(rows.map((_, i) => i + 1));
  expect([...read.output]).toEqual(rows.map((_, i) => (i % 7) + 1));
});

test("a line over many pieces", async () => {
  const lens = Array.from({ length: 60_000 }, (_, i) => i + 1);
  const text = JSON.stringify({ input_lens: lens, output_lens: lens, start_times: lens, errors: lens.map(() => "") });
  const read = await readTrace(text);
  expect([read.requests, read.input.at(-1), read.arrival.at(-1)]).toEqual([60_000, 60_000, 59_999]);
});

describe("long reads", () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield bytes("input_tokens,output_tokens\n");
    for (;;) yield bytes("10,20\n".repeat(1000));
  }

  test("leave the event loop to others, and a signal ends them", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const reason = new Error("enough");
    const controller = new AbortController();
    const reading = readTrace(endless(), { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 300);
    await expect(reading).rejects.toBe(reason);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
  });

  test("a signal ends one whose source hangs, and the source is told", async () => {
    let closed = false;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => wait(1e6, undefined, { ref: false }).then(() => ({ done: true as const, value: undefined })),
        return: async () => {
          closed = true;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const reason = new Error("enough");
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 10);
    await expect(readTrace(source, { signal: controller.signal })).rejects.toBe(reason);
    expect(closed).toBe(true);
  });

  test("a signal that was given already lets nothing begin", async () => {
    const reason = new Error("before");
    await expect(readTrace("1,1", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test.each(["plain", "gzip"])("an error ends the source, %s", async (kind) => {
    let closed = false;
    const whole = kind === "gzip" ? gzip(`1,1\n1,x\n${"1,1\n".repeat(9)}`) : bytes("1,1\n1,x\n");
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield whole;
        for (;;) {
          await wait(1);
          yield new Uint8Array(0);
        }
      } finally {
        closed = true;
      }
    }
    // gzip may keep what it has until more comes, and here nothing does: it is ended by the signal.
    const signal = AbortSignal.timeout(500);
    await expect(readTrace(source(), { signal })).rejects.toThrow();
    await wait(20);
    expect(closed).toBe(true);
  });

  test("an error of the source is thrown as it is, through gzip too", async () => {
    const reason = new Error("network");
    async function* source(head: Uint8Array): AsyncGenerator<Uint8Array> {
      yield head;
      throw reason;
    }
    await expect(readTrace(source(bytes("1,1\n")))).rejects.toBe(reason);
    await expect(readTrace(source(gzip("1,1\n".repeat(999)).subarray(0, 20)))).rejects.toBe(reason);
  });
});
