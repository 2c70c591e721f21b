/** Where an integer is: by double hashing in one array it takes one line of memory to look it up, where a Map takes three; with millions of keys that is the time. */
export class IntegerTable {
  /** key, place + 1, key, place + 1, ...: 0 where nothing stands. Linear probing, at most half full. */
  private table = new Int32Array(2 * LEAST);
  private shift = 32 - Math.log2(LEAST);
  private count = 0;

  /** -1 where it has no place. */
  get(key: number): number {
    const { table } = this;
    for (let at = this.home(key); ; at = this.next(at)) {
      if (table[at + 1] === 0) return -1;
      if (table[at] === key) return table[at + 1] - 1;
    }
  }

  /** A key that has none. */
  add(key: number, place: number): void {
    this.count++;
    if (4 * this.count > this.table.length) this.grow();
    this.insert(key, place + 1);
  }

  /** A key that has a place. What stands behind it moves up, so that a search need not pass over holes. */
  delete(key: number): void {
    const { table } = this;
    let hole = this.home(key);
    while (table[hole] !== key || table[hole + 1] === 0) hole = this.next(hole);
    for (let at = this.next(hole); table[at + 1] !== 0; at = this.next(at)) {
      if (this.distance(this.home(table[at]), at) < this.distance(hole, at)) continue;
      table[hole] = table[at];
      table[hole + 1] = table[at + 1];
      hole = at;
    }
    table[hole + 1] = 0;
    this.count--;
  }

  /** Fibonacci hashing (D. Knuth, 6.4). */
  private home(key: number): number {
    return 2 * (Math.imul(key, GOLDEN) >>> this.shift);
  }

  private next(at: number): number {
    return (at + 2) & (this.table.length - 1);
  }

  private distance(from: number, to: number): number {
    return (to - from) & (this.table.length - 1);
  }

  private insert(key: number, entry: number): void {
    const { table } = this;
    let at = this.home(key);
    while (table[at + 1] !== 0) at = this.next(at);
    table[at] = key;
    table[at + 1] = entry;
  }

  private grow(): void {
    const old = this.table;
    this.table = new Int32Array(2 * old.length);
    this.shift--;
    for (let at = 0; at < old.length; at += 2) if (old[at + 1] !== 0) this.insert(old[at], old[at + 1]);
  }
}

/** Pairs, a power of 2. */
const LEAST = 16;
/** 2^32 over the golden ratio. */
const GOLDEN = 0x9e3779b1;
