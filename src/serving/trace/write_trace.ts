import { ArgumentError } from "../../common/errors.ts";
import { Pauses } from "../../common/pauses.ts";
import type { Simulated } from "../simulator/simulated.ts";
import { checkTrace, type Trace } from "./trace.ts";
import { mooncakeLines } from "./write_mooncake.ts";
import { vllmRun } from "./write_vllm.ts";

/** Characters that are handed over at a time, so that a writer is not called for each number. */
const PIECE = 2 ** 16;

/**
 * Writes a trace in a form that others read, in pieces: no string holds all of it.
 *
 *   mooncake  JSON Lines, which load generators replay: timestamp ms, input_length, output_length; hash_ids and session_id where the
 *             trace has them. Classes, values and images have no place there and are left out. `readTrace` gives the same trace again where
 *             sessions and blocks are numbered by first appearance, as it numbers them; arrivals to the last bit if 15 digits say them,
 *             as those of public traces, else to one unit in the last place: a double of ms cannot say every double of s.
 *   vllm      the JSON of `vllm bench serve --save-detailed`, which plot scripts read, of a simulated run: `result` is required. Its
 *             figures are of all requests, as vLLM's are, and not of those after a warm-up, as Summary's are. A simulation keeps no time
 *             of each token: `itls` has output - 1 equal gaps from the first token to the last. Rejected requests have an error, and an
 *             output length of 0, as vLLM's that failed. There is no date, so that equal runs are equal files.
 *
 * @throws {ArgumentError | ShapeError} No such format; no trace; for mooncake, blocks of other than 512 tokens; for vllm, no result, or
 *   one of another trace. Thrown by the call, before anything is read from it.
 */
export function writeTrace(trace: Trace, format: "mooncake" | "vllm", result?: Simulated): AsyncIterable<string> {
  checkTrace(trace);
  switch (format) {
    case "mooncake":
      return inPieces(mooncakeLines(trace));
    case "vllm":
      return inPieces(vllmRun(trace, result));
    default:
      throw new ArgumentError("format", '"mooncake" or "vllm"', format);
  }
}

async function* inPieces(parts: Iterable<string>): AsyncGenerator<string> {
  const pauses = new Pauses();
  let piece = "";
  for (const part of parts) {
    piece += part;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = "";
    if (pauses.due) await pauses.take();
  }
  if (piece !== "") yield piece;
}
