/** Numbers whose count is not known yet, in a TypedArray that doubles: JavaScript's own arrays would take three times the memory. */
export class Column<A extends Float64Array | Int32Array> {
  length = 0;

  constructor(
    private values: A,
    private readonly larger: (length: number) => A,
  ) {}

  push(value: number): void {
    if (this.length === this.values.length) {
      const grown = this.larger(2 * this.length);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.length++] = value;
  }

  /** The last one; NaN where there is none. */
  get last(): number {
    return this.length > 0 ? this.values[this.length - 1] : Number.NaN;
  }

  at(i: number): number {
    return this.values[i];
  }

  setLast(value: number): void {
    this.values[this.length - 1] = value;
  }

  /** A copy of its own size, so that a trace that is kept holds no room to grow. */
  toArray(): A {
    return this.values.slice(0, this.length) as A;
  }
}

const LEAST = 1024;
export const floats = (): Column<Float64Array> =>
  new Column(new Float64Array(LEAST), (length) => new Float64Array(length));
export const ints = (): Column<Int32Array> => new Column(new Int32Array(LEAST), (length) => new Int32Array(length));
