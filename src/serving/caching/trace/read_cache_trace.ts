import type { Format } from "../../trace/format.ts";
import { readInFormat } from "../../trace/read_in_format.ts";
import type { CacheTrace } from "../cache_trace.ts";
import { penalties } from "./penalties.ts";
import { sized } from "./sized.ts";

/** By the names that they are asked for. */
export const cacheFormats = { sized, penalties } as const satisfies Record<string, Format<CacheTrace>>;

export interface ReadCacheTraceOptions {
  /** "sized" or "penalties". Told by content by default. */
  format?: string;
  /** Ends the reading. */
  signal?: AbortSignal;
}

/**
 * Reads requests to a cache from a file's content, one a line, whose format is told by content:
 *
 *   sized      time key size [cost]                                       [AdaptSize, webcachesim]
 *   penalties  s|l hexadecimal-address instructions hit-penalty miss-penalty, e.g. l 0x1fffff58 1 1 100   [Caffeine's simulator]
 *
 * between blanks or tabs. sized: times ascend and are taken for s; a key may be any word, and with another size is another object; the cost
 * of a miss is 1 where there is no fourth column; all lines have as many. penalties: a key is an address, of size 1; cost and hitCost are the
 * penalties; there are no times. Keys are numbered from 0 by first appearance.
 *
 * Prefix caches: `prefixCacheTrace` of what `readTrace` reads.
 *
 * @param source  the content, in UTF-8, as gzip or not; not a path. A stream is read as it comes.
 * @throws {ArgumentError} No such format or source; a line or field that does not fit, by its name.  @throws the signal's reason.
 */
export function readCacheTrace(
  source: string | Uint8Array | AsyncIterable<Uint8Array>,
  o: ReadCacheTraceOptions = {},
): Promise<CacheTrace> {
  return readInFormat(source, cacheFormats, o);
}
