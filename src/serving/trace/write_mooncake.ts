import { ArgumentError } from "../../common/errors.ts";
import { msOf } from "./milliseconds.ts";
import { BLOCK_TOKENS } from "./requests.ts";
import type { Trace } from "./trace.ts";

/** @throws {ArgumentError} The blocks are not those of the format; at the call. */
export function mooncakeLines(trace: Trace): Iterable<string> {
  const tokens = trace.blocks?.tokens ?? BLOCK_TOKENS;
  if (tokens !== BLOCK_TOKENS) {
    const remedy = "A trace without blocks is written without them.";
    throw new ArgumentError("trace.blocks.tokens", `${BLOCK_TOKENS}, the blocks of this format`, tokens, remedy);
  }
  return lines(trace);
}

function* lines({ requests, arrival, input, output, session, blocks }: Trace): Generator<string> {
  for (let i = 0; i < requests; i++) {
    const request = {
      timestamp: msOf(arrival[i]),
      input_length: input[i],
      output_length: output[i],
      ...(blocks && { hash_ids: Array.from(blocks.id.subarray(blocks.start[i], blocks.start[i + 1])) }),
      // A string, as AIPerf requires.
      ...(session && session[i] >= 0 && { session_id: String(session[i]) }),
    };
    yield `${JSON.stringify(request)}\n`;
  }
}
