import { chunkContext, type StepWork } from "../step_time.ts";
import type { BarrierStep } from "./barrier_step.ts";
import type { Encode } from "./embeddings.ts";
import type { Requests } from "./requests.ts";

/** A worker's running requests whose prompts are not prefilled yet, in the order in which they began. */
export class Prefills {
  /** Prompt tokens that are still to be prefilled. */
  tokens = 0;
  private readonly ids: number[] = [];
  /** How many of the first have had a part of it. */
  private begun = 0;
  /** How many of the first the next step completes. */
  private completing = 0;
  private readonly one = { running: 1, held: 0, prefill: 0, context: 0, encoding: 0 };

  constructor(
    private readonly requests: Requests,
    /** Most tokens of a step. */
    private readonly chunk: number,
    private readonly encode: Encode | undefined,
  ) {}

  get count(): number {
    return this.ids.length;
  }

  add(id: number, tokens: number): void {
    this.requests.left[id] = tokens;
    this.requests.base[id] = Number.POSITIVE_INFINITY;
    this.tokens += tokens;
    this.ids.push(id);
  }

  /** It is evicted. */
  remove(id: number): void {
    const at = this.ids.indexOf(id);
    this.ids.splice(at, 1);
    if (at < this.begun) this.begun--;
    this.tokens -= this.requests.left[id];
  }

  /** Adds the part of the next step to its work: from now on it counts as done. Images are encoded in the step of their prompt's first part. */
  plan(work: StepWork, barrier: BarrierStep | undefined, now: number): void {
    const { ids, one } = this;
    const { left } = this.requests;
    work.prefill = 0;
    work.context = 0;
    this.completing = 0;
    let encoding = 0;
    for (let k = 0; k < ids.length; k++) {
      const id = ids[k];
      one.prefill = Math.min(left[id], this.chunk - work.prefill);
      if (one.prefill === 0) break;
      one.held = this.requests.tokensAtStart(id);
      one.context = chunkContext(one.held - left[id], one.prefill);
      one.encoding = k < this.begun || this.encode === undefined ? 0 : this.encode(id, now);
      barrier?.prefills(one);
      work.prefill += one.prefill;
      work.context += one.context;
      encoding += one.encoding;
      left[id] -= one.prefill;
      this.begun = Math.max(this.begun, k + 1);
      if (left[id] === 0) this.completing++;
    }
    work.encoding = encoding;
    this.tokens -= work.prefill;
  }

  /** Those whose last part has been done, which are no longer here. */
  completed(): number[] {
    const done = this.ids.splice(0, this.completing);
    this.begun -= done.length;
    this.completing = 0;
    return done;
  }
}
