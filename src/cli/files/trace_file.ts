import { createReadStream } from "node:fs";
import { ArgumentError } from "../../common/errors.ts";
import { readTrace } from "../../serving/trace/read_trace.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import { nameOf, reasonOf } from "./json_file.ts";

/**
 * Reads a trace in any format that `readTrace` knows, chunk by chunk; "-" is standard input.
 *
 * @throws {ArgumentError} The file cannot be read, or is no trace; line and field are named.  @throws the signal's reason.
 */
export async function readTraceFile(file: string, signal: AbortSignal): Promise<Trace> {
  try {
    return await readTrace(chunksOf(file), { signal });
  } catch (error) {
    if (error instanceof ArgumentError) error.message = inWordsOfCli(file, error.message);
    throw error;
  }
}

async function* chunksOf(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* file === "-" ? process.stdin : createReadStream(file);
  } catch (cause) {
    throw new ArgumentError(nameOf(file), "a file that can be read", reasonOf(cause));
  }
}

/** The library's message about a trace with the names that the reader knows. */
export function inWordsOfCli(file: string, message: string): string {
  const named = message.replace(/^trace(?=[,:.[])/, () => nameOf(file));
  return named.replace('tooLarge: "reject" counts such requests', "--reject counts such requests instead");
}
