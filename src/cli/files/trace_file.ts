import { createReadStream } from "node:fs";
import { ArgumentError } from "../../common/errors.ts";
import type { CacheTrace } from "../../serving/caching/cache_trace.ts";
import { cacheFormats } from "../../serving/caching/trace/read_cache_trace.ts";
import type { Format } from "../../serving/trace/format.ts";
import { mooncake } from "../../serving/trace/mooncake.ts";
import { readInFormat } from "../../serving/trace/read_in_format.ts";
import { readTrace } from "../../serving/trace/read_trace.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import { nameOf, reasonOf } from "./json_file.ts";

/**
 * Reads a trace in any format that `readTrace` knows, chunk by chunk; "-" is standard input.
 *
 * @throws {ArgumentError} The file cannot be read, or is no trace; line and field are named.  @throws the signal's reason.
 */
export function readTraceFile(file: string, signal: AbortSignal): Promise<Trace> {
  return readBy(file, (chunks) => readTrace(chunks, { signal }));
}

/** The same of requests to a cache, in any format that `readCacheTrace` knows, or of prompts with prefix blocks. */
export function readCacheTraceFile(file: string, signal: AbortSignal): Promise<CacheTrace | Trace> {
  const formats: Record<string, Format<CacheTrace | Trace>> = { ...cacheFormats, mooncake };
  return readBy(file, (chunks) => readInFormat(chunks, formats, { signal }));
}

async function readBy<T>(file: string, read: (chunks: AsyncGenerator<Uint8Array>) => Promise<T>): Promise<T> {
  try {
    return await read(chunksOf(file));
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
