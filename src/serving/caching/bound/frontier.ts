import { MinHeap } from "../../min_heap.ts";

/** One side of a search: nodes by what it costs to get there from where it began, or from there to where it is to end. */
export class Frontier {
  /** All nodes nearer than this have been handed out. */
  now = 0;
  /** [nodes] Infinity before one is reached. */
  readonly distance: Float64Array;
  /** [nodes] the last step that led there. */
  readonly by: Int32Array;
  private readonly reached: Int32Array;
  private count = 0;
  /** Nodes at `now`, of which most are: a heap is for those beyond. */
  private readonly near: Int32Array;
  private nearCount = 0;
  private readonly beyond = new MinHeap();

  constructor(nodes: number) {
    this.distance = new Float64Array(nodes).fill(Number.POSITIVE_INFINITY);
    this.by = new Int32Array(nodes);
    this.reached = new Int32Array(nodes);
    this.near = new Int32Array(nodes);
  }

  /** Whether it is nearer than it was. */
  reach(node: number, distance: number, by: number): boolean {
    const before = this.distance[node];
    if (distance >= before) return false;
    if (before === Number.POSITIVE_INFINITY) this.reached[this.count++] = node;
    this.distance[node] = distance;
    this.by[node] = by;
    if (distance === this.now) this.near[this.nearCount++] = node;
    else this.beyond.push(distance, node);
    return true;
  }

  /** A nearest node that has not been handed out, the latest reached first; -1 where there is none. */
  next(): number {
    if (this.nearCount > 0) return this.near[--this.nearCount];
    while (this.beyond.size > 0) {
      const distance = this.beyond.leastKey;
      const node = this.beyond.pop();
      if (this.distance[node] !== distance) continue; // it has become nearer since
      this.now = distance;
      return node;
    }
    this.now = Number.POSITIVE_INFINITY;
    return -1;
  }

  /** Hands out how much nearer than `radius` nodes are, and forgets them all. */
  clear(radius: number, nearer: (node: number, by: number) => void): void {
    for (let i = 0; i < this.count; i++) {
      const node = this.reached[i];
      if (this.distance[node] < radius) nearer(node, radius - this.distance[node]);
      this.distance[node] = Number.POSITIVE_INFINITY;
    }
    this.count = 0;
    this.nearCount = 0;
    this.beyond.clear();
    this.now = 0;
  }
}
