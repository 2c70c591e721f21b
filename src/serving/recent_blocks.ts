/** Prefix blocks in the order of their last use. The blocks of a prompt are used from its last to its first, so that a leaf is always older than its parent. */
export class RecentBlocks {
  private readonly blocks = new Set<number>();
  // Kept, since a new iterator would pass again over all that has been deleted. What it yields is deleted, and what is used again moves
  // behind it: it always stands before the oldest.
  private readonly oldest = this.blocks.values();

  get size(): number {
    return this.blocks.size;
  }

  has(block: number): boolean {
    return this.blocks.has(block);
  }

  use(block: number): void {
    this.blocks.delete(block);
    this.blocks.add(block);
  }

  delete(block: number): void {
    this.blocks.delete(block);
  }

  /** Lets the oldest go, until so many are left. */
  shrink(most: number): void {
    while (this.blocks.size > most) this.blocks.delete(this.oldest.next().value as number);
  }
}
