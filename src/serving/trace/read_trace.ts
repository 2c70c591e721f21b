import { aiperf } from "./aiperf.ts";
import { azureClock } from "./azure_time.ts";
import { csvFormat } from "./csv_format.ts";
import type { Format } from "./format.ts";
import { lengths } from "./lengths.ts";
import { mooncake } from "./mooncake.ts";
import { readInFormat } from "./read_in_format.ts";
import type { Trace } from "./trace.ts";
import { vllm } from "./vllm.ts";

const formats = {
  azure: csvFormat({
    columns: { stamp: "TIMESTAMP", input: "ContextTokens", output: "GeneratedTokens" },
    clock: { perSecond: 1e9, origin: "first" },
    stamps: { expected: "a time such as 2023-11-16 18:17:03.9799600", reader: azureClock },
  }),
  mooncake,
  burstgpt: csvFormat({
    columns: { stamp: "Timestamp", input: "Request tokens", output: "Response tokens", session: "Session ID" },
    clock: { perSecond: 1, origin: "first" },
    failsWithoutOutput: true,
  }),
  vidur: csvFormat({
    columns: { stamp: "arrived_at", input: "num_prefill_tokens", output: "num_decode_tokens" },
    clock: { perSecond: 1, origin: "zero" },
  }),
  vllm,
  aiperf,
  llmservingsim: csvFormat({
    columns: { stamp: "arrival_time_ns", input: "input_toks", output: "output_toks" },
    clock: { perSecond: 1e9, origin: "zero" },
  }),
  lengths,
} as const satisfies Record<string, Format<Trace>>;

export interface ReadTraceOptions {
  /** One of azure, mooncake, burstgpt, vidur, vllm, aiperf, llmservingsim, lengths. Told by content by default. */
  format?: string;
  /** Ends the reading. */
  signal?: AbortSignal;
}

/**
 * Reads a trace of requests from a file's content, whose format is told by content:
 *
 *   azure          CSV: TIMESTAMP (a date, with or without a zone), ContextTokens, GeneratedTokens     [Azure 2023, 2024]
 *   mooncake       JSON Lines: timestamp ms, input_length, output_length, hash_ids of 512-token blocks; session_id, delay ms
 *   burstgpt       CSV: Timestamp s, Request tokens, Response tokens; Session ID                       [BurstGPT]
 *   vidur          CSV: arrived_at s, num_prefill_tokens, num_decode_tokens
 *   vllm           JSON of `vllm bench serve --save-detailed`: input_lens, output_lens, start_times s, errors
 *   aiperf         JSON Lines, profile_export.jsonl: metadata.request_start_ns, metrics.{input,output}_sequence_length.value
 *   llmservingsim  CSV: arrival_time_ns, input_toks, output_toks
 *   lengths        CSV: two columns; all arrive at 0, and the caller says when else
 *
 * Arrivals are seconds from the file's 0 (mooncake, vidur, llmservingsim), or from its first request where stamps are of a calendar or a
 * machine's clock. Requests that have failed are left out: those of burstgpt without response tokens, of vllm with an error, of aiperf
 * with one, cancelled or of the warm-up. Nothing else is: a length of 0 is an error, and so are arrivals that go backwards, except in
 * vllm, in aiperf and in mooncake with sessions, which are sorted, stably. Sessions and blocks are numbered from 0 by first appearance.
 *
 * @param source  the content, in UTF-8, as gzip or not; not a path. A stream is read as it comes, and only vllm's is ever held whole.
 * @throws {ArgumentError} No such format or source; a line or field that does not fit, by its name; no requests.  @throws the signal's reason.
 */
export function readTrace(
  source: string | Uint8Array | AsyncIterable<Uint8Array>,
  o: ReadTraceOptions = {},
): Promise<Trace> {
  return readInFormat(source, formats, o);
}
