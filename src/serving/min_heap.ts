/** Numbers with keys, of which the least key can be had: a binary heap. Equal keys come in the order of their numbers. */
export class MinHeap {
  private readonly keys: number[] = [];
  private readonly ids: number[] = [];

  get size(): number {
    return this.ids.length;
  }

  /** Infinity where there is none. */
  get leastKey(): number {
    return this.ids.length === 0 ? Number.POSITIVE_INFINITY : this.keys[0];
  }

  /** The number with the least key; there must be one. */
  get least(): number {
    return this.ids[0];
  }

  clear(): void {
    this.keys.length = 0;
    this.ids.length = 0;
  }

  push(key: number, id: number): void {
    this.keys.push(key);
    this.ids.push(id);
    this.up(this.ids.length - 1);
  }

  /** Takes the number with the least key. */
  pop(): number {
    const id = this.ids[0];
    this.removeAt(0);
    return id;
  }

  /** In time that grows with the heap. */
  remove(id: number): void {
    const at = this.ids.indexOf(id);
    if (at >= 0) this.removeAt(at);
  }

  private removeAt(at: number): void {
    const key = this.keys.pop()!;
    const id = this.ids.pop()!;
    if (at === this.ids.length) return;
    this.keys[at] = key;
    this.ids[at] = id;
    this.up(at);
    this.down(at);
  }

  private before(i: number, j: number): boolean {
    return this.keys[i] < this.keys[j] || (this.keys[i] === this.keys[j] && this.ids[i] < this.ids[j]);
  }

  private swap(i: number, j: number): void {
    const { keys, ids } = this;
    const key = keys[i];
    const id = ids[i];
    keys[i] = keys[j];
    ids[i] = ids[j];
    keys[j] = key;
    ids[j] = id;
  }

  private up(i: number): void {
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.before(i, parent)) return;
      this.swap(i, parent);
      i = parent;
    }
  }

  private down(i: number): void {
    for (;;) {
      const left = 2 * i + 1;
      if (left >= this.ids.length) return;
      const right = left + 1;
      const child = right < this.ids.length && this.before(right, left) ? right : left;
      if (!this.before(child, i)) return;
      this.swap(i, child);
      i = child;
    }
  }
}
