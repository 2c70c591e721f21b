/**
 * The prefix blocks that a worker keeps: those of running requests, which are part of what these hold, and others in memory that nobody holds,
 * of which the least recently used go first. A block goes before the one that it follows, since those of a prompt are let go from its end on.
 */
export class PrefixCache {
  /** Of blocks that running requests use: how many do. */
  private readonly users = new Map<number, number>();
  /** The others, from the least recently used on. */
  private readonly unused = new Map<number, true>();
  /** One and the same, as each new one would have to pass over all that was deleted before. What it gives is removed. */
  private oldest = this.unused.keys();

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
        this.unused.set(blocks[i], true);
      }
    }
  }

  /** Leaves in the memory that nobody holds what fits. */
  trim(freeTokens: number): void {
    const most = Math.max(0, Math.floor(freeTokens / this.tokens));
    while (this.unused.size > most) {
      let { value, done } = this.oldest.next();
      if (done) {
        this.oldest = this.unused.keys();
        value = this.oldest.next().value;
      }
      this.unused.delete(value!);
    }
  }
}
