import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { CachePolicy } from "../caching/cache_policy.ts";
import { requireCapacity } from "../caching/cache_trace.ts";
import { type EncoderTime, requireEncoder } from "../caching/encoder_time.ts";
import { lru } from "../caching/lru.ts";
import { requirePolicy } from "../policy_answers.ts";

/** Each worker's cache of embeddings: an image that is not there is encoded first, in the step in which its prompt's prefill begins. */
export interface EmbeddingOptions {
  /** Tokens of images; finite and > 0. */
  capacity: number;
  /** The least recently used goes first by default. */
  policy?: CachePolicy;
  encoder: EncoderTime;
}

/** With defaults. */
export type EmbeddingSettings = Required<EmbeddingOptions>;

const fields = { capacity: true, policy: true, encoder: true } as const satisfies FieldsOf<EmbeddingOptions>;

/** @throws {ArgumentError} Anything that is missing, unknown or out of range; with rounds, whatever it is. */
export function embeddingSettings(options: EmbeddingOptions, rounds: boolean): EmbeddingSettings {
  requireObject("embeddings", options, fields);
  const { capacity, policy = lru(), encoder } = options;
  requireCapacity(capacity, "embeddings.capacity");
  requirePolicy("embeddings.policy", policy);
  requireEncoder("embeddings.encoder", encoder);
  if (rounds)
    throw new ArgumentError("embeddings", 'none with clock "rounds", in which encoding takes no time', options);
  return { capacity, policy, encoder };
}
