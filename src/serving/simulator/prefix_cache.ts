import { RecentBlocks } from "../recent_blocks.ts";

/**
 * The prefix blocks that a worker keeps: those of running requests, which are part of what these hold, and others in memory that nobody holds,
 * of which the least recently used go first, a leaf always before its parent.
 */
export class PrefixCache {
  /** Of blocks that running requests use: how many do. */
  private readonly users = new Map<number, number>();
  private readonly unused = new RecentBlocks();

  /** @param tokens  of a block. */
  constructor(private readonly tokens: number) {}

  /** Tokens from the prompt's beginning on that need no prefill. */
  held(blocks: Int32Array): number {
    let known = 0;
    while (known < blocks.length && (this.users.has(blocks[known]) || this.unused.has(blocks[known]))) known++;
    return known * this.tokens;
  }

  /** For a request that begins. */
  use(blocks: Int32Array): void {
    for (const block of blocks) {
      const before = this.users.get(block) ?? 0;
      if (before === 0) this.unused.delete(block);
      this.users.set(block, before + 1);
    }
  }

  /** For a request that ends. */
  release(blocks: Int32Array): void {
    for (let i = blocks.length - 1; i >= 0; i--) {
      const others = this.users.get(blocks[i])! - 1;
      if (others > 0) {
        this.users.set(blocks[i], others);
      } else {
        this.users.delete(blocks[i]);
        this.unused.use(blocks[i]);
      }
    }
  }

  /** Leaves in the memory that nobody holds what fits. */
  trim(freeTokens: number): void {
    this.unused.shrink(Math.max(0, Math.floor(freeTokens / this.tokens)));
  }
}
