import { ArgumentError } from "../../common/errors.ts";
import { type CacheDecisions, type CachePolicy, decisionsOf } from "../caching/cache_policy.ts";
import { chunkSeconds, type StepTime } from "../step_time.ts";
import { BlockStates } from "./block_states.ts";

/** What the state of a block adds up: whether the policy counts it as there, and 2 for each running request that uses it. */
const KEPT = 1;
const USED = 2;

export interface PrefixCacheOptions {
  policy: CachePolicy;
  /** Tokens of a block. */
  blockTokens: number;
  /** The worker's KV memory. */
  kvTokens: number;
  /** Undefined with rounds, where a block costs its tokens. */
  stepTime: StepTime | undefined;
  seed: number;
}

/**
 * The prefix blocks that a worker keeps: those of running requests, which are part of what these hold, and others in memory that nobody holds,
 * of which the policy says what goes. It is told of a prompt's blocks when its request ends, from the first on, each the parent of the next.
 * What it lets go while somebody uses it stays until then, and is offered to it again.
 */
export class PrefixCache {
  private readonly states = new BlockStates();
  /** Blocks that nobody uses. */
  private unused = 0;
  /** Admitted last. */
  private newest = -1;
  private readonly decisions: CacheDecisions;
  private readonly tokens: number;

  constructor(private readonly o: PrefixCacheOptions) {
    this.tokens = o.blockTokens;
    this.decisions = decisionsOf(o.policy, { capacity: o.kvTokens, seed: o.seed }, "caching.create()");
  }

  /** Tokens from the prompt's beginning on that need no prefill. */
  held(blocks: Int32Array): number {
    let known = 0;
    while (known < blocks.length && this.states.of(blocks[known]) > 0) known++;
    return known * this.tokens;
  }

  /** For a request that begins. */
  use(blocks: Int32Array): void {
    const { states } = this;
    for (let i = 0; i < blocks.length; i++) {
      if (states.add(blocks[i], USED) === KEPT + USED) this.unused--;
    }
  }

  /** For a request that ends, of so many prompt tokens. */
  release(blocks: Int32Array, input: number, now: number): void {
    const { states, decisions } = this;
    let kept = true;
    for (let i = 0; i < blocks.length; i++) {
      let left = states.add(blocks[i], -USED);
      if (left & KEPT) decisions.hit(blocks[i], now);
      else if (kept && this.admit(blocks, i, input, now)) left = states.add(blocks[i], KEPT);
      kept = (left & KEPT) > 0;
      if (left === KEPT) this.unused++;
    }
  }

  /** A block whose parent is kept. */
  private admit(blocks: Int32Array, i: number, input: number, now: number): boolean {
    const { tokens } = this;
    const { stepTime } = this.o;
    const before = i * tokens;
    const cost = stepTime ? chunkSeconds(stepTime, before, Math.max(0, Math.min(tokens, input - before))) : tokens;
    const admitted = this.decisions.admit(blocks[i], tokens, cost, now, i === 0 ? undefined : blocks[i - 1]);
    if (admitted) this.newest = blocks[i];
    return admitted;
  }

  /** Leaves in the memory that nobody holds what fits. */
  trim(freeTokens: number): void {
    const most = Math.max(0, Math.floor(freeTokens / this.tokens));
    while (this.unused > most) this.drop();
  }

  private drop(): void {
    const block = this.decisions.victim() ?? this.newest;
    const state = typeof block === "number" && Number.isInteger(block) ? this.states.of(block) : 0;
    if ((state & KEPT) === 0) {
      const method = `policy ${this.o.policy.name}: victim()`;
      throw new ArgumentError(method, "a block that is kept, as there are some", block);
    }
    this.decisions.removed(block);
    this.states.add(block as number, -KEPT);
    if (state === KEPT) this.unused--; // else somebody uses it
  }
}
