import type { Bundles } from "./bundles.ts";
import { Frontier } from "./frontier.ts";

/** Kinds of steps, which are 4 b + kind or 4 k + kind: bundle b is taken up (from its first node to its last) or given up (back), room of gap k is taken
 * (from its right to its left) or freed. */
const TAKE_UP = 0;
const GIVE_UP = 1;
const TAKE_ROOM = 2;
const FREE_ROOM = 3;

/**
 * The residual network of a flow of reuses through some gaps, and its potentials. Node k is the stretch of requests between gaps k - 1 and k. A unit of
 * room that no reuse has in gap k flows from node k to k + 1 for nothing; a unit of a reuse from its first node to its last for its worth. With
 * potentials pi, mu_k = pi_k - pi_{k+1} >= 0 is the price of gap k, and
 *
 *   what is kept is worth its prices at least, what is not at most, and where room is left mu_k = 0
 *
 * so that no step costs less than nothing. `relieve` makes room in a gap that is too full by successive shortest paths from its right side to its left, by
 * Dijkstra's algorithm from both ends, which keeps all that.
 *
 * @see R. Ahuja, T. Magnanti, J. Orlin, Network Flows, 1993, section 9.7.
 */
export class Residual {
  /** Bundles and nodes looked at. */
  work = 0;
  private readonly nodes: number;
  /** From where a search begins, and back from where it is to end; the work of each. */
  private readonly ahead: Frontier;
  private readonly back: Frontier;
  private readonly spent = { ahead: 0, back: 0 };
  /** The least that a way is known to cost, and where its halves meet. */
  private least = 0;
  private meeting = 0;

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
    this.ahead = new Frontier(this.nodes);
    this.back = new Frontier(this.nodes);
  }

  /** Until gap k is full at the most. */
  relieve(k: number): void {
    while (this.left[k] < 0) {
      this.search(k + 1, k);
      const way = this.way(k + 1, k);
      const amount = way.reduce((most, step) => Math.min(most, this.limit(step)), -this.left[k]);
      for (const step of way) this.move(step, amount);
      this.left[k] += amount;
      this.reprice();
    }
  }

  /** There always is a way: what is too much in a gap can be given up. */
  private search(source: number, target: number): void {
    const { ahead, back, spent } = this;
    this.least = Number.POSITIVE_INFINITY;
    spent.ahead = 0;
    spent.back = 0;
    ahead.reach(source, 0, 0);
    back.reach(target, 0, 0);
    while (ahead.now + back.now < this.least) {
      // The cheaper side goes on: one may be small where the other is everything.
      if (spent.ahead <= spent.back) spent.ahead += this.lookAhead(ahead.next());
      else spent.back += this.lookBack(back.next());
    }
    this.work += spent.ahead + spent.back;
  }

  /** Where steps lead from a node; to its left last, where most ways go.  @returns its work. */
  private lookAhead(y: number): number {
    if (y < 0) return 0;
    const { potential, ahead, back, bundles } = this;
    const { leaving, enteringAt, entering, from, to, givesUp, takesUp } = bundles;
    const here = ahead.now + potential[y];
    if (y + 1 < this.nodes) this.reach(ahead, back, y + 1, here - potential[y + 1], 4 * y + FREE_ROOM);
    for (let b = leaving[y]; b < leaving[y + 1]; b++) {
      const z = to[b];
      this.reach(ahead, back, z, here - potential[z] - takesUp[b], 4 * b + TAKE_UP);
    }
    for (let i = enteringAt[y]; i < enteringAt[y + 1]; i++) {
      const b = entering[i];
      const z = from[b];
      this.reach(ahead, back, z, here - potential[z] + givesUp[b], 4 * b + GIVE_UP);
    }
    if (y > 0 && this.left[y - 1] > 0) this.reach(ahead, back, y - 1, ahead.now, 4 * (y - 1) + TAKE_ROOM);
    return 1 + leaving[y + 1] - leaving[y] + enteringAt[y + 1] - enteringAt[y];
  }

  /** From where steps lead to a node. */
  private lookBack(y: number): number {
    if (y < 0) return 0;
    const { potential, ahead, back, bundles } = this;
    const { leaving, enteringAt, entering, from, to, givesUp, takesUp } = bundles;
    const here = back.now - potential[y];
    if (y > 0) this.reach(back, ahead, y - 1, here + potential[y - 1], 4 * (y - 1) + FREE_ROOM);
    for (let b = leaving[y]; b < leaving[y + 1]; b++) {
      const z = to[b];
      this.reach(back, ahead, z, here + potential[z] + givesUp[b], 4 * b + GIVE_UP);
    }
    for (let i = enteringAt[y]; i < enteringAt[y + 1]; i++) {
      const b = entering[i];
      const z = from[b];
      this.reach(back, ahead, z, here + potential[z] - takesUp[b], 4 * b + TAKE_UP);
    }
    if (y + 1 < this.nodes && this.left[y] > 0) this.reach(back, ahead, y + 1, back.now, 4 * y + TAKE_ROOM);
    return 1 + leaving[y + 1] - leaving[y] + enteringAt[y + 1] - enteringAt[y];
  }

  private reach(side: Frontier, other: Frontier, z: number, distance: number, step: number): void {
    if (distance >= this.least || !side.reach(z, distance, step)) return;
    if (distance + other.distance[z] >= this.least) return;
    this.least = distance + other.distance[z];
    this.meeting = z;
  }

  /** The steps of the way that was found, in no order. */
  private way(source: number, target: number): number[] {
    const steps: number[] = [];
    for (let y = this.meeting; y !== source; y = this.tail(this.ahead.by[y])) steps.push(this.ahead.by[y]);
    for (let y = this.meeting; y !== target; y = this.head(this.back.by[y])) steps.push(this.back.by[y]);
    return steps;
  }

  private tail(step: number): number {
    const at = step >> 2;
    const kind = step & 3;
    if (kind === TAKE_UP) return this.bundles.from[at];
    if (kind === GIVE_UP) return this.bundles.to[at];
    return kind === TAKE_ROOM ? at + 1 : at;
  }

  private head(step: number): number {
    const at = step >> 2;
    const kind = step & 3;
    if (kind === TAKE_UP) return this.bundles.to[at];
    if (kind === GIVE_UP) return this.bundles.from[at];
    return kind === TAKE_ROOM ? at : at + 1;
  }

  /** Units that a step has room for. */
  private limit(step: number): number {
    const at = step >> 2;
    const kind = step & 3;
    if (kind === TAKE_UP) return this.bundles.taken(at);
    if (kind === GIVE_UP) return this.bundles.given(at);
    return kind === TAKE_ROOM ? this.left[at] : Number.POSITIVE_INFINITY;
  }

  private move(step: number, amount: number): void {
    const at = step >> 2;
    const kind = step & 3;
    if (kind === TAKE_UP) this.bundles.takeUp(at, amount);
    else if (kind === GIVE_UP) this.bundles.giveUp(at, amount);
    else this.left[at] += kind === TAKE_ROOM ? -amount : amount;
  }

  /** Makes what the way cost its price: each end's potentials move by what it lies nearer than its part of the way, which has been searched. */
  private reprice(): void {
    const { ahead, back, potential, least } = this;
    const part = Math.min(ahead.now, least);
    ahead.clear(part, (y, nearer) => {
      potential[y] -= nearer;
    });
    back.clear(least - part, (y, nearer) => {
      potential[y] += nearer;
    });
  }
}
