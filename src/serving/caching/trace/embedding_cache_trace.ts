import { ArgumentError } from "../../../common/errors.ts";
import { requireObject } from "../../../common/objects.ts";
import { checkTrace, type Trace } from "../../trace/trace.ts";
import type { CacheTrace } from "../cache_trace.ts";
import { type EncoderTime, encodeSeconds, requireEncoder } from "../encoder_time.ts";

export interface EmbeddingCacheTraceOptions {
  encoder: EncoderTime;
}

/**
 * The requests that a trace's prompts are to a cache of embeddings: each image of a prompt, in its order, at the request's arrival.
 *
 *   size  tokens of the image, so that capacities are tokens of embeddings
 *   cost  of a miss, s: base + perToken tokens of the encoder
 *
 * @param trace  Read, not kept.
 * @returns keys are the trace's ids of images.
 * @throws {ArgumentError} The trace has no images, or is none; the encoder's times are none.
 */
export function embeddingCacheTrace(trace: Trace, o: EmbeddingCacheTraceOptions): CacheTrace {
  checkTrace(trace);
  requireObject("o", o, { encoder: true });
  requireEncoder("o.encoder", o.encoder);
  if (!trace.images) throw new ArgumentError("trace.images", "the images of its prompts", undefined);
  const { start, id, tokens } = trace.images;
  const key = id.slice(start[0], start[trace.requests]);
  const time = new Float64Array(key.length);
  for (let i = 0; i < trace.requests; i++) time.fill(trace.arrival[i], start[i] - start[0], start[i + 1] - start[0]);
  const size = Float64Array.from(key, (image) => tokens[image]);
  return { key, size, cost: size.map((own) => encodeSeconds(o.encoder, own)), time };
}
