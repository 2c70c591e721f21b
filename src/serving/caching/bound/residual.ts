import { MinHeap } from "../../min_heap.ts";
import type { Bundles } from "./bundles.ts";

/** How a node was reached: from its right, from its left, or by bundle b, against it (2 b + 1) or along it (2 b). */
const FROM_RIGHT = -1;
const FROM_LEFT = -2;

/**
 * The residual network of a flow of reuses through some gaps, and its potentials. Node k is the stretch of requests between gaps k - 1 and k. A unit of
 * room that no reuse has in gap k flows from node k to k + 1 free of charge; a unit of a reuse from its first node to its last one, for its worth. With
 * potentials pi, mu_k = pi_k - pi_{k+1} >= 0 is the price of gap k, and
 *
 *   a unit kept is worth mu at least, one given up is worth mu at most, and where room is left mu_k = 0
 *
 * so that no change of what is kept costs less than nothing. `relieve` finds room in a gap that is too full by successive shortest paths: from its right
 * side to its left one, each step the giving up or taking up of a reuse or of room, cheapest first, which keeps the three.
 *
 * @see R. Ahuja, T. Magnanti, J. Orlin, Network Flows, 1993, section 9.7.
 */
export class Residual {
  /** Nodes looked at. */
  visited = 0;
  private readonly nodes: number;
  /** [nodes] of a search: what it costs to get there, Infinity before it is seen, and how. */
  private readonly distance: Float64Array;
  private readonly by: Int32Array;
  private readonly seen: Int32Array;
  private seenCount = 0;
  /** Nodes as near as the one looked at, of which most are: a heap is for those beyond. */
  private readonly near: Int32Array;
  private nearCount = 0;
  private readonly beyond = new MinHeap();
  /** Of a search: where it goes, and the least that a way there is known to cost. */
  private target = 0;
  private limit = 0;

  /**
   * @param potential  pi [nodes]; written.
   * @param left  [nodes - 1] units of room that nobody has in each gap, < 0 where it is too full; written.
   */
  constructor(
    private readonly bundles: Bundles,
    private readonly potential: Float64Array,
    private readonly left: Float64Array,
  ) {
    this.nodes = potential.length;
    this.distance = new Float64Array(this.nodes).fill(Number.POSITIVE_INFINITY);
    this.by = new Int32Array(this.nodes);
    this.seen = new Int32Array(this.nodes);
    this.near = new Int32Array(this.nodes);
  }

  /** Until gap k is full at the most. */
  relieve(k: number): void {
    while (this.left[k] < 0) {
      this.search(k + 1, k);
      const amount = this.most(k, k + 1, -this.left[k]);
      this.move(k, k + 1, amount);
      this.left[k] += amount;
      this.raise();
    }
  }

  /** Dijkstra's algorithm. A way there is always known: what is too much in a gap can be given up. */
  private search(source: number, target: number): void {
    this.target = target;
    this.limit = Number.POSITIVE_INFINITY;
    this.reach(source, 0, 0, FROM_LEFT);
    let distance = 0;
    for (;;) {
      while (this.nearCount > 0) {
        this.look(this.near[--this.nearCount], distance);
        if (this.limit === distance) return;
      }
      do {
        if (this.beyond.leastKey >= this.limit) return;
        distance = this.beyond.leastKey;
        this.near[0] = this.beyond.pop();
      } while (this.distance[this.near[0]] !== distance);
      this.nearCount = 1;
    }
  }

  /** Reaches what lies next to a node: last to its left, where most ways go, so that it is looked at next. */
  private look(y: number, distance: number): void {
    const { bundles, potential } = this;
    const { leaving, enteringAt, entering, from, to, givesUp, takesUp } = bundles;
    const here = distance + potential[y];
    this.visited++;
    if (y + 1 < this.nodes) this.reach(y + 1, here - potential[y + 1], distance, FROM_LEFT);
    for (let b = leaving[y]; b < leaving[y + 1]; b++)
      this.reach(to[b], here - potential[to[b]] - takesUp[b], distance, 2 * b);
    for (let i = enteringAt[y]; i < enteringAt[y + 1]; i++) {
      const b = entering[i];
      this.reach(from[b], here - potential[from[b]] + givesUp[b], distance, 2 * b + 1);
    }
    if (y > 0 && this.left[y - 1] > 0) this.reach(y - 1, distance, distance, FROM_RIGHT);
  }

  private reach(z: number, distance: number, here: number, by: number): void {
    const before = this.distance[z];
    if (distance >= before || distance >= this.limit) return;
    if (before === Number.POSITIVE_INFINITY) this.seen[this.seenCount++] = z;
    this.distance[z] = distance;
    this.by[z] = by;
    if (z === this.target) this.limit = distance;
    else if (distance === here) this.near[this.nearCount++] = z;
    else this.beyond.push(distance, z);
  }

  /** Units that fit through the way back from the target. */
  private most(target: number, source: number, wanted: number): number {
    let most = wanted;
    for (let y = target; y !== source; y = this.previous(y)) {
      const by = this.by[y];
      if (by === FROM_RIGHT) most = Math.min(most, this.left[y]);
      else if (by >= 0) most = Math.min(most, by & 1 ? this.bundles.given(by >> 1) : this.bundles.taken(by >> 1));
    }
    return most;
  }

  private move(target: number, source: number, amount: number): void {
    for (let y = target; y !== source; y = this.previous(y)) {
      const by = this.by[y];
      if (by === FROM_RIGHT) this.left[y] -= amount;
      else if (by === FROM_LEFT) this.left[y - 1] += amount;
      else if (by & 1) this.bundles.giveUp(by >> 1, amount);
      else this.bundles.takeUp(by >> 1, amount);
    }
  }

  private previous(y: number): number {
    const by = this.by[y];
    if (by === FROM_RIGHT) return y + 1;
    if (by === FROM_LEFT) return y - 1;
    return by & 1 ? this.bundles.to[by >> 1] : this.bundles.from[by >> 1];
  }

  /** Nodes nearer than the target rise to its distance, all others stay, and the search is forgotten. */
  private raise(): void {
    for (let i = 0; i < this.seenCount; i++) {
      const y = this.seen[i];
      if (this.distance[y] < this.limit) this.potential[y] += this.distance[y] - this.limit;
      this.distance[y] = Number.POSITIVE_INFINITY;
    }
    this.seenCount = 0;
    this.nearCount = 0;
    this.beyond.clear();
  }
}
