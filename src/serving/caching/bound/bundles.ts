/** What the flow knows of each reuse, by its number. */
export interface FlowState {
  /** [m] requests. */
  first: Int32Array;
  last: Int32Array;
  amount: Float64Array;
  worth: Float64Array;
  /** [m] units kept, from 0 to `amount`. */
  kept: Float64Array;
  /** [m] numbers of reuses, falling in `worth`: the order in which those of a bundle are kept. */
  byWorth: Int32Array;
}

/**
 * Reuses that lead from one node to the same other one differ in worth alone, so that the kept ones are those worth most: of each bundle there is one to
 * give up next and one to take up next, which is all that a search has to see of it.
 */
export class Bundles {
  readonly count: number;
  /** [count] nodes, from < to; ascending in `from`. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** [nodes + 1] bundles that leave each node begin here. */
  readonly leaving: Int32Array;
  /** [nodes + 1] likewise, in `entering`. */
  readonly enteringAt: Int32Array;
  /** [count] bundles by the node that they enter. */
  readonly entering: Int32Array;
  /** [count] worth of what is given up next: Infinity where nothing is kept. */
  readonly givesUp: Float64Array;
  /** [count] worth of what is taken up next: -Infinity where all is kept. */
  readonly takesUp: Float64Array;
  /** Reuses, bundle by bundle, falling in worth; [count + 1] where each begins, and [count] its first that is not all kept. */
  private readonly members: Int32Array;
  private readonly start: Int32Array;
  private readonly edge: Int32Array;

  /** @param nodeOf  of a request. */
  constructor(
    private readonly state: FlowState,
    nodeOf: Int32Array,
    nodes: number,
  ) {
    const { first, last, byWorth } = state;
    const leaves = (j: number) => nodeOf[first[j]];
    const enters = (j: number) => nodeOf[last[j]];
    const crossing = byWorth.filter((j) => leaves(j) < enters(j));
    this.members = sorted(sorted(crossing, enters, nodes), leaves, nodes);
    const begins = this.members.filter((j, i, all) => {
      return i === 0 || leaves(j) !== leaves(all[i - 1]) || enters(j) !== enters(all[i - 1]);
    });
    this.count = begins.length;
    this.from = begins.map(leaves);
    this.to = begins.map(enters);
    this.start = new Int32Array(this.count + 1).fill(this.members.length);
    for (let i = 0, b = 0; b < this.count; i++) if (this.members[i] === begins[b]) this.start[b++] = i;
    this.leaving = starts(this.from, nodes);
    this.enteringAt = starts(this.to, nodes);
    this.entering = sorted(
      Int32Array.from({ length: this.count }, (_, b) => b),
      (b) => this.to[b],
      nodes,
    );
    this.givesUp = new Float64Array(this.count);
    this.takesUp = new Float64Array(this.count);
    this.edge = this.start.slice(0, this.count);
    for (let b = 0; b < this.count; b++) {
      while (this.edge[b] < this.start[b + 1] && this.rest(this.members[this.edge[b]]) === 0) this.edge[b]++;
      this.refresh(b);
    }
  }

  /** Units of what is given up next. */
  given(b: number): number {
    return this.state.kept[this.lastKept(b)];
  }

  /** Units that are missing of what is taken up next. */
  taken(b: number): number {
    return this.rest(this.members[this.edge[b]]);
  }

  giveUp(b: number, amount: number): void {
    const j = this.lastKept(b);
    if (this.rest(j) === 0) this.edge[b]--;
    this.state.kept[j] -= amount;
    this.refresh(b);
  }

  takeUp(b: number, amount: number): void {
    const j = this.members[this.edge[b]];
    this.state.kept[j] += amount;
    if (this.rest(j) === 0) this.edge[b]++;
    this.refresh(b);
  }

  private rest(j: number): number {
    return this.state.amount[j] - this.state.kept[j];
  }

  /** The one at the edge where a part of it is kept, else the one before. */
  private lastKept(b: number): number {
    const at = this.edge[b];
    return at < this.start[b + 1] && this.state.kept[this.members[at]] > 0 ? this.members[at] : this.members[at - 1];
  }

  private refresh(b: number): void {
    const { worth, kept } = this.state;
    const at = this.edge[b];
    const partly = at < this.start[b + 1] && kept[this.members[at]] > 0;
    this.takesUp[b] = at < this.start[b + 1] ? worth[this.members[at]] : Number.NEGATIVE_INFINITY;
    this.givesUp[b] = partly || at > this.start[b] ? worth[this.lastKept(b)] : Number.POSITIVE_INFINITY;
  }
}

/** [buckets + 1] how many have a lower bucket. */
function starts(bucketOf: Int32Array, buckets: number): Int32Array {
  const at = new Int32Array(buckets + 1);
  for (const bucket of bucketOf) at[bucket + 1]++;
  for (let y = 0; y < buckets; y++) at[y + 1] += at[y];
  return at;
}

/** By bucket; those of one keep their order. */
function sorted(items: Int32Array, bucketOf: (item: number) => number, buckets: number): Int32Array {
  const at = starts(items.map(bucketOf), buckets);
  const out = new Int32Array(items.length);
  for (const item of items) out[at[bucketOf(item)]++] = item;
  return out;
}
