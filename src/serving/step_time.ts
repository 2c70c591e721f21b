/**
 * How long a step of a worker lasts, in seconds:
 *
 *   c0 + c_seq n + c_kv K + c_pre p + c_ctx a
 *
 * n running requests that hold K KV tokens before the step, p prompt tokens that it prefills, and a = sum over chunks of
 * (tokens of the chunk) x (tokens of the prompt before it + half of its own): the query-key pairs of their attention.
 */
export interface StepTime {
  /** c0, s. */
  base: number;
  /** c_seq, s per running request. */
  perSequence: number;
  /** c_kv, s per KV token. */
  perKvToken: number;
  /** c_pre, s per prompt token. */
  perPrefillToken: number;
  /** c_ctx, s per query-key pair. */
  perContext: number;
}

export const stepTimeFields = {
  base: true,
  perSequence: true,
  perKvToken: true,
  perPrefillToken: true,
  perContext: true,
} as const satisfies Record<keyof StepTime, true>;

/** What a step of a worker takes: n, K, p and a. */
export interface StepWork {
  running: number;
  held: number;
  prefill: number;
  context: number;
  /** s that encoding images takes besides; 0 by default. */
  encoding?: number;
}

/** c0 + c_seq n + c_kv K + c_pre p + c_ctx a, and what is encoded. */
export function stepSeconds(c: StepTime, { running, held, prefill, context, encoding = 0 }: StepWork): number {
  const { base, perSequence, perKvToken, perPrefillToken, perContext } = c;
  return base + perSequence * running + perKvToken * held + perPrefillToken * prefill + perContext * context + encoding;
}

/** s by which a whole prompt makes steps longer, in as many chunks as may be: c_pre s + c_ctx s^2 / 2. */
export const prefillSeconds = (c: StepTime, tokens: number): number => chunkSeconds(c, 0, tokens);

/** s by which a chunk of `tokens` after `before` tokens of the same prompt makes a step longer. */
export const chunkSeconds = ({ perPrefillToken, perContext }: StepTime, before: number, tokens: number): number =>
  perPrefillToken * tokens + perContext * chunkContext(before, tokens);

/** Query-key pairs of a chunk of `tokens` after `before` tokens of the same prompt. */
export function chunkContext(before: number, tokens: number): number {
  return tokens * (before + tokens / 2);
}
