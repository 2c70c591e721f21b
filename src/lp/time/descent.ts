/**
 * From a split of tokens to one whose last GPU is done sooner. A step is the move that ends the hottest GPU's work soonest, of tokens of one expert
 * from there to another replica; where none helps, a chain of two: onwards from the GPU that the first one went to. Until neither is left.
 *
 * Moved is what makes the two GPUs end together: the giver's time falls with every token and the taker's rises, so a search for where they
 * cross finds the best amount.
 */
import { adjacency, type Topology } from "../topology.ts";

/** Steps at most; ordinary instances take some tens. */
const STEP_LIMIT = 256;
/** Gains below this share of the time are rounding. */
const LEAST_GAIN = 1e-12;

const NONE = -1;

/** Loads and costs of one split, in time. */
export class Descent {
  /** [A] time of each GPU, speeds aside. */
  readonly load: Float64Array;
  /** [R] c(x_r) */
  private readonly cost: Float64Array;
  private x: Float64Array = new Float64Array(0);
  private readonly around: ReturnType<typeof adjacency>;
  /** c(1) */
  private readonly one: number;
  /** The best move. */
  private from = 0;
  private to = 0;
  private amount = 0;
  /** When the later of two GPUs is done after the best split between them. */
  private meeting = 0;

  /**
   * @param topology  of experts with a choice.  @param time  c(x).
   * @param leastGain  Gains below this share of the time do not count.
   */
  constructor(
    private readonly topology: Topology,
    private readonly time: (x: number) => number,
    private readonly leastGain = LEAST_GAIN,
  ) {
    this.load = new Float64Array(topology.gpus);
    this.cost = new Float64Array(topology.replicaGpu.length);
    this.around = adjacency(topology);
    this.one = time(1);
  }

  /** @param alone  [A] time of what has no choice.  @param x  [R] tokens; written from here on.  @returns when the last GPU is done. */
  begin(alone: Float64Array, x: Float64Array): number {
    const { load, cost } = this;
    const { replicaGpu } = this.topology;
    this.x = x;
    load.set(alone);
    for (let r = 0; r < replicaGpu.length; r++) {
      cost[r] = this.time(x[r]);
      load[replicaGpu[r]] += cost[r];
    }
    return this.doneAt(this.hottest());
  }

  /** Descends until the last GPU is done by `goal`, or no step is left.  @returns the steps made. */
  run(goal: number): number {
    for (let step = 0; step < STEP_LIMIT; step++) {
      const hottest = this.hottest();
      if (this.doneAt(hottest) <= goal) return step;
      if (!this.step(hottest, goal)) return step;
    }
    return STEP_LIMIT;
  }

  hottest(): number {
    let hottest = 0;
    for (let g = 1; g < this.load.length; g++) if (this.doneAt(g) > this.doneAt(hottest)) hottest = g;
    return hottest;
  }

  doneAt(g: number): number {
    return this.load[g] / this.topology.speed[g];
  }

  /** The best move off the hottest GPU, or else the first chain of two that gains. */
  private step(hottest: number, goal: number): boolean {
    const now = this.doneAt(hottest);
    const limit = now * (1 - this.leastGain);
    if (this.bestMove(hottest, this.load[hottest], NONE, NONE, hottest, 0, limit)) {
      this.move(this.from, this.to, this.amount);
      return true;
    }
    return this.chain(hottest, ((now + goal) / 2) * this.topology.speed[hottest], limit);
  }

  /**
   * Of all tokens of a replica on the hottest GPU, or of as many as bring it to `halfway`, to another; then the best move from there, to a third GPU or, of
   * another expert, back.
   */
  private chain(hottest: number, halfway: number, limit: number): boolean {
    const { x, cost, load, around, time } = this;
    const { replicaStart, replicaGpu, speed } = this.topology;
    for (let i = around.gpuStart[hottest]; i < around.gpuStart[hottest + 1]; i++) {
      const r = around.gpuReplica[i];
      const left = load[hottest] - cost[r];
      if (!(x[r] > 0) || left / speed[hottest] >= limit) continue;
      const half = this.least(r, left, halfway);
      const e = around.replicaExpert[r];
      for (let k = replicaStart[e]; k < replicaStart[e + 1]; k++) {
        const g = replicaGpu[k];
        if (g === hottest) continue;
        for (const amount of half < x[r] ? [half, x[r]] : [half]) {
          const loadLeft = left + time(x[r] - amount);
          if (loadLeft / speed[hottest] >= limit) continue;
          const loadThere = load[g] - cost[k] + time(x[k] + amount);
          if (!this.bestMove(g, loadThere, k, r, hottest, loadLeft, limit)) continue;
          this.move(r, k, amount);
          this.move(this.from, this.to, this.amount);
          return true;
        }
      }
    }
    return false;
  }

  /**
   * Finds the move off GPU g that leaves it and the other one done soonest, before `limit`.
   *
   * @param held  What g holds.
   * @param arrived, origin  The replica that tokens of the first move of a chain came to, and from which: they stay. Else NONE.
   * @param hottest, loadLeft  Where they came from, and what it holds now.
   */
  private bestMove(
    g: number,
    held: number,
    arrived: number,
    origin: number,
    hottest: number,
    loadLeft: number,
    limit: number,
  ): boolean {
    const { x, cost, load, around } = this;
    const { replicaStart, replicaGpu, speed } = this.topology;
    let best = limit;
    for (let i = around.gpuStart[g]; i < around.gpuStart[g + 1]; i++) {
      const s = around.gpuReplica[i];
      const left = held - cost[s];
      if (s === arrived || !(x[s] > 0) || left / speed[g] >= best) continue;
      const e = around.replicaExpert[s];
      for (let to = replicaStart[e]; to < replicaStart[e + 1]; to++) {
        const there = replicaGpu[to];
        if (to === s || to === origin || (there === g && arrived !== NONE)) continue;
        const before = (arrived !== NONE && there === hottest ? loadLeft : load[there]) - cost[to];
        if (there !== g && !this.mayGive(s, to, left, before, best)) continue;
        const amount = there === g ? this.merge(s, to) : this.split(s, to, left, before);
        if (this.meeting >= best) continue;
        best = this.meeting;
        this.from = s;
        this.to = to;
        this.amount = amount;
      }
    }
    return best < limit;
  }

  /** Whether some of r's tokens, if given to k, may leave both GPUs done before `limit`: `left` and `there` is what they hold besides. */
  private mayGive(r: number, k: number, left: number, there: number, limit: number): boolean {
    const { x, time, one } = this;
    const { replicaGpu, speed } = this.topology;
    const taker = speed[replicaGpu[k]];
    if ((there + time(x[k] + 1)) / taker >= limit) return false;
    // All of them, or one that stays costs as much as any.
    return (left + one) / speed[replicaGpu[r]] < limit || (there + time(x[k] + x[r])) / taker < limit;
  }

  /** The fewest tokens that r must give for its GPU, `left` aside, to come to `goal`; all of them where that does not do. */
  private least(r: number, left: number, goal: number): number {
    const { x, time } = this;
    if (left + this.one > goal) return x[r];
    let low = 0;
    let high = x[r];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (left + time(x[r] - middle) <= goal) high = middle;
      else low = middle;
    }
    return high;
  }

  /**
   * How many tokens of r to give to k for the later of the two GPUs to be done soonest, which is then `meeting`.
   *
   * @param left, there  What else the two GPUs hold.
   */
  private split(r: number, k: number, left: number, there: number): number {
    const { x, time } = this;
    const { replicaGpu, speed } = this.topology;
    const giver = speed[replicaGpu[r]];
    const taker = speed[replicaGpu[k]];
    const own = x[r];
    const other = x[k];
    // Fewer than `low` leave the giver later, `high` or more the taker. The search closes in from where straight lines would meet,
    // next to it, and halfway, by turns.
    let low = 0;
    let lowGiver = (left + this.cost[r]) / giver;
    let lowTaker = (there + this.cost[k]) / taker;
    let high = own;
    let highGiver = left / giver;
    let highTaker = (there + time(other + own)) / taker;
    if (highGiver > highTaker) {
      this.meeting = highGiver;
      return own;
    }
    for (let round = 0, middle = 0; high - low > 1; round++) {
      const excess = lowGiver - lowTaker;
      if (round % 3 === 0 && excess > 0) {
        middle = low + Math.ceil((excess / (excess + highTaker - highGiver)) * (high - low));
      } else if (round % 3 === 1) {
        middle = middle === high ? high - 1 : low + 1; // where lines are straight, it is done
      } else {
        middle = Math.floor((low + high) / 2);
      }
      middle = Math.min(high - 1, Math.max(low + 1, middle));
      const atGiver = (left + time(own - middle)) / giver;
      const atTaker = (there + time(other + middle)) / taker;
      if (atGiver <= atTaker) {
        high = middle;
        highGiver = atGiver;
        highTaker = atTaker;
      } else {
        low = middle;
        lowGiver = atGiver;
        lowTaker = atTaker;
      }
    }
    if (low > 0 && lowGiver <= highTaker) {
      this.meeting = lowGiver;
      return low;
    }
    this.meeting = highTaker;
    return high;
  }

  /** The same of two slots on one GPU: all tokens in one, or as even as can be. */
  private merge(r: number, k: number): number {
    const { x, cost, load, time } = this;
    const { replicaGpu, speed } = this.topology;
    const g = replicaGpu[r];
    const after = (d: number) => (load[g] - cost[r] - cost[k] + time(x[r] - d) + time(x[k] + d)) / speed[g];
    const even = Math.max(1, Math.floor((x[r] - x[k]) / 2));
    const amount = after(even) < after(x[r]) ? even : x[r];
    this.meeting = after(amount);
    return amount;
  }

  private move(from: number, to: number, amount: number): void {
    const { x } = this;
    this.set(from, x[from] - amount);
    this.set(to, x[to] + amount);
  }

  private set(r: number, tokens: number): void {
    const { x, cost, load } = this;
    const now = this.time(tokens);
    load[this.topology.replicaGpu[r]] += now - cost[r];
    x[r] = tokens;
    cost[r] = now;
  }
}
