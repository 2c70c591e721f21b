import { chunkContext, type StepTime } from "../step_time.ts";
import { type DrawnLengths, meanOf } from "./drawn_lengths.ts";
import { chunks, tokenSteps } from "./token_steps.ts";

/** Means over requests of what one of them asks of a worker, as `simulate` has it: the last chunk of a prompt makes the first token. */
export interface RequestWork {
  /** E[o]. */
  output: number;
  /** E[n_c + o - 1]: steps that it takes part in, n_c chunks. */
  steps: number;
  /** E[g]. */
  tokenSteps: number;
  /** E[s + s o + o (o - 1) / 2 ...]: KV tokens held before each of its steps, summed. The whole prompt is held from the first on. */
  heldSteps: number;
  /** W, s: by how much it makes steps longer, its own and those of others, in all: c_seq, c_kv, c_pre and c_ctx times what it brings. */
  seconds: number;
  /** The part of W that its prompt brings: c_pre E[s] + c_ctx E[s^2 / 2]. */
  promptSeconds: number;
}

export function requestWork(lengths: DrawnLengths, c: StepTime, chunk: number): RequestWork {
  const steps = meanOf(lengths, (s, o) => chunks(s, chunk) + o - 1);
  const heldSteps = meanOf(lengths, (s, o) => s * (chunks(s, chunk) + o - 1) + (o * (o - 1)) / 2);
  const prompt = meanOf(lengths, (s) => c.perPrefillToken * s + c.perContext * chunkContext(0, s));
  return {
    output: meanOf(lengths, (_, o) => o),
    steps,
    tokenSteps: meanOf(lengths, (s, o) => tokenSteps(s, o, chunk)),
    heldSteps,
    seconds: c.perSequence * steps + c.perKvToken * heldSteps + prompt,
    promptSeconds: prompt,
  };
}
