import type { RequestView } from "../policy.ts";
import { requireRange } from "../policy_options.ts";
import { RecentBlocks } from "../recent_blocks.ts";

/** 2^26 characters, SGLang's bound, are so many blocks of 512 tokens with 4 characters each. */
export const DEFAULT_BLOCKS = 2 ** 15;

/** The prefix blocks of a request that waits. */
export interface Prefix {
  blocks: Int32Array;
  /** Tokens of a block. */
  tokens: number;
}

/** Undefined for a request without blocks. Where their size is unknown it is taken to be the least with which the blocks hold the prompt. */
export function keepPrefix({ input, blocks, blockTokens }: RequestView): Prefix | undefined {
  if (blocks === undefined || blocks.length === 0) return undefined;
  return { blocks: blocks.slice(), tokens: blockTokens ?? Math.ceil(input / blocks.length) };
}

/** What workers' prefix caches hold, as far as the router can know: the blocks that it has sent there, the least recent forgotten. */
export class SentPrefixes {
  private readonly workers: SentBlocks[];
  private input = 0;
  private prefix: Prefix | undefined;

  constructor(workers: number, capacity: number) {
    this.workers = Array.from({ length: workers }, () => new SentBlocks(capacity));
  }

  /** The prompt that is spoken of from here on. */
  ask(input: number, prefix: Prefix | undefined): void {
    this.input = input;
    this.prefix = prefix;
  }

  /** Its tokens that worker g does not hold. */
  readonly uncached = (g: number): number => {
    if (this.prefix === undefined) return this.input;
    const held = this.workers[g].holds(this.prefix.blocks) * this.prefix.tokens;
    return Math.max(0, this.input - held); // the last block may be filled in part
  };

  /** It goes to worker g. */
  send(g: number): void {
    if (this.prefix !== undefined) this.workers[g].send(this.prefix.blocks);
  }

  /** Blocks that worker g holds. */
  readonly size = (g: number): number => this.workers[g].size;
}

/** Blocks that have been sent to a worker, at most `capacity`: beyond it the least recently sent go, a leaf always before its parent. */
export class SentBlocks {
  private readonly capacity: number;
  private readonly blocks = new RecentBlocks();

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get size(): number {
    return this.blocks.size;
  }

  /** How many of the first blocks it holds. Who holds one holds those before it, so halving finds the last. */
  holds(blocks: Int32Array): number {
    let low = 0;
    let high = blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.blocks.has(blocks[middle])) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  send(blocks: Int32Array): void {
    for (let i = Math.min(blocks.length, this.capacity) - 1; i >= 0; i--) this.blocks.use(blocks[i]);
    this.blocks.shrink(this.capacity);
  }
}

/** @throws {ArgumentError} No number of blocks. */
export function requireBlocks(blocks: number): void {
  requireRange(
    "options.blocks",
    blocks,
    "an integer from 1 to 2^23",
    (x) => Number.isInteger(x) && x >= 1 && x <= MOST,
  );
}

/** A Set holds 2^24 at most, and for a moment a prompt more than the capacity. */
const MOST = 2 ** 23;
