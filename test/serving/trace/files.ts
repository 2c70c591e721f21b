/** Small files in the forms that systems write, and what stands in them, worked out by hand. */
import { gzipSync } from "node:zlib";
import type { Trace } from "../../../src/serving/trace/trace.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const gzip = (text: string): Uint8Array => new Uint8Array(gzipSync(text));

export async function* chunksOf(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

interface Small {
  name: string;
  format: string;
  text: string;
  /** With plain arrays. */
  trace: Plain;
}

interface Plain {
  arrival: number[];
  input: number[];
  output: number[];
  session?: number[];
  blocks?: { start: number[]; id: number[]; tokens: number };
}

export function plain({ arrival, input, output, session, blocks }: Trace): Plain {
  return {
    arrival: [...arrival],
    input: [...input],
    output: [...output],
    ...(session && { session: [...session] }),
    ...(blocks && { blocks: { start: [...blocks.start], id: [...blocks.id], tokens: blocks.tokens } }),
  };
}

const jsonLines = (...records: object[]) => records.map((record) => `${JSON.stringify(record)}\n`).join("");

/** A run as vLLM writes it: the second was sent first, the third failed. */
export const run = {
  date: "20260102-030405",
  backend: "vllm",
  request_rate: "inf",
  duration: 9.5,
  total_input_tokens: 30,
  input_lens: [10, 20, 30, 40],
  output_lens: [5, 1, 0, 7],
  ttfts: [0.5, 0.25, 0, 0.5],
  itls: [[0.25, 0.25, 0.25, 0.25], [], [], [1, 1, 1, 1, 1, 1]],
  start_times: [1001.5, 1000.5, 1001, 1001.5],
  generated_texts: ['a "input_length": é', "b", "", "d"],
  errors: ["", "", "Traceback: timed out", ""],
};

/** A record of AIPerf's: `at` in ns after some time in 2025. */
export function record(at: number, input: number, output: number, session: string, phase = "profiling") {
  return {
    metadata: {
      session_num: 0,
      x_request_id: `r${at}`,
      x_correlation_id: session,
      turn_index: 0,
      request_start_ns: 1_759_813_207 * 1e9 + at,
      request_end_ns: 1_759_813_300 * 1e9,
      benchmark_phase: phase,
      was_cancelled: false,
    },
    metrics: {
      input_sequence_length: { value: input, unit: "tokens" },
      output_sequence_length: { value: output, unit: "tokens" },
      time_to_first_token: { value: 255.9, unit: "ms" },
    },
    error: null,
  };
}

export const failedRecord = {
  metadata: { ...record(0, 1, 1, "x").metadata, was_cancelled: true },
  metrics: { error_isl: { value: 550, unit: "tokens" } },
  error: { code: 499, type: "RequestCancellationError", message: "Request was cancelled after 0.000 seconds" },
};

export const small: Small[] = [
  {
    name: "Azure 2023, with CRLF and no end of the last line",
    format: "azure",
    text:
      "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 23:59:59.9999999,374,44\r\n" +
      "2023-11-17 00:00:00.0000000,396,109\r\n2023-11-17 00:00:00.0000000,91,16\r\n2023-11-17 00:01:00.5000001,1,2",
    trace: { arrival: [0, 1e-7, 1e-7, 60.5000002], input: [374, 396, 91, 1], output: [44, 109, 16, 2] },
  },
  {
    name: "Azure 2024, with zones and a stamp of whole seconds",
    format: "azure",
    text:
      "\uFEFFTIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,2162,5\n" +
      "2024-05-10 00:00:01+00:00,76,15\n2024-05-09 20:00:02.5-04:00,900,3\n\n",
    trace: { arrival: [0, 0.99007, 2.49007], input: [2162, 76, 900], output: [5, 15, 3] },
  },
  {
    name: "Mooncake",
    format: "mooncake",
    text: jsonLines(
      { timestamp: 0, input_length: 1025, output_length: 5, hash_ids: [70, 2 ** 40, 3] },
      { timestamp: 27, input_length: 512, output_length: 1, hash_ids: [70] },
      { timestamp: 3701.853, input_length: 600, output_length: 2, hash_ids: [9, 3] },
    ),
    trace: {
      arrival: [0, 0.027, 3.701853],
      input: [1025, 512, 600],
      output: [5, 1, 2],
      blocks: { start: [0, 3, 4, 6], id: [0, 1, 2, 0, 3, 2], tokens: 512 },
    },
  },
  {
    name: "Mooncake with sessions told one after the other, and delays",
    format: "mooncake",
    text: jsonLines(
      { session_id: "b", timestamp: 100, input_length: 8, output_length: 1, hash_ids: [5] },
      { session_id: "b", delay: 400, input_length: 9, output_length: 2 },
      { session_id: "a", input_length: 10, output_length: 3, hash_ids: [6] },
      { session_id: "a", delay: 100, input_length: 11, output_length: 4, hash_ids: [5] },
      { timestamp: 200, input_length: 12, output_length: 5, hash_ids: [] },
    ),
    trace: {
      arrival: [0, 0.1, 0.1, 0.2, 0.5],
      input: [10, 8, 11, 12, 9],
      output: [3, 1, 4, 5, 2],
      session: [0, 1, 0, -1, 1],
      blocks: { start: [0, 1, 2, 3, 3, 3], id: [0, 1, 1], tokens: 512 },
    },
  },
  {
    name: "BurstGPT, first release, with a failure",
    format: "burstgpt",
    text:
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n" +
      "45,ChatGPT,1087,0,1087,Conversation log\n118,GPT-4,417,276,693,API log\n",
    trace: { arrival: [0, 113], input: [472, 417], output: [18, 276] },
  },
  {
    name: "BurstGPT, second release, with sessions and quotes",
    format: "burstgpt",
    text:
      "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\r\n" +
      '19440110.0,d598-é,43,"GPT-4, ""turbo""",906,446,1352,"Conversation log"\r\n' +
      "19440110.5,,2,ChatGPT,36,29,65,API log\n19440111.0,1722,8,GPT-4,1779,123,1902,Conversation log\n" +
      "19440112.0,d598-é,8,GPT-4,17,12,29,Conversation log\n",
    trace: {
      arrival: [0, 0.5, 1, 2],
      input: [906, 36, 1779, 17],
      output: [446, 29, 123, 12],
      session: [0, -1, 1, 0],
    },
  },
  {
    name: "Vidur, with another column",
    format: "vidur",
    text: "request_id,arrived_at,num_prefill_tokens,num_decode_tokens\na,0.5,3772,54\nb,0.5,2015,156\nc,2.25e0,38,1.0\n",
    trace: { arrival: [0.5, 0.5, 2.25], input: [3772, 2015, 38], output: [54, 156, 1] },
  },
  {
    name: "vLLM's benchmark",
    format: "vllm",
    text: JSON.stringify(run),
    trace: { arrival: [0, 1, 1], input: [20, 10, 40], output: [1, 5, 7] },
  },
  {
    name: "vLLM's benchmark, printed over several lines",
    format: "vllm",
    text: JSON.stringify(run, null, 2),
    trace: { arrival: [0, 1, 1], input: [20, 10, 40], output: [1, 5, 7] },
  },
  {
    name: "AIPerf, by the end of the requests",
    format: "aiperf",
    text: jsonLines(
      record(-5_000_000_000, 1, 1, "warm", "warmup"),
      failedRecord,
      record(1_024_000_000, 550, 9, "u-2"),
      record(0, 600, 10, "u-1"),
      record(1_024_000_000, 700, 11, "u-1"),
    ),
    trace: { arrival: [0, 1.024, 1.024], input: [600, 550, 700], output: [10, 9, 11], session: [0, 1, 0] },
  },
  {
    name: "LLMServingSim",
    format: "llmservingsim",
    text: "arrival_time_ns,input_toks,output_toks\n46926808,2361,532\n347938951,1128,772\n",
    trace: { arrival: [0.046926808, 0.347938951], input: [2361, 1128], output: [532, 772] },
  },
  {
    name: "lengths",
    format: "lengths",
    text: "input_tokens,output_tokens\n632,34\n220,7\n",
    trace: { arrival: [0, 0], input: [632, 220], output: [34, 7] },
  },
  {
    name: "Vidur's lengths",
    format: "lengths",
    text: "num_prefill_tokens,num_decode_tokens,num_total_tokens,pd_ratio\n3772,54,3826,69.85\n",
    trace: { arrival: [0], input: [3772], output: [54] },
  },
  {
    name: "lengths without a header",
    format: "lengths",
    text: "632,34\n220,7\n",
    trace: { arrival: [0, 0], input: [632, 220], output: [34, 7] },
  },
];
