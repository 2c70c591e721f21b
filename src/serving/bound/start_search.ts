import { ArgumentError } from "../../common/errors.ts";
import type { BoundPrices, BoundSettings } from "./bound_options.ts";
import type { RoundRequests, Schedule } from "./round_requests.ts";
import { RoundUsage } from "./round_usage.ts";
import { StartCosts } from "./start_costs.ts";

/** A term of a sum of f64 is rounded by at most so much of it. */
const EPSILON = 2 ** -52;
/** States that are remembered. */
const MOST_STATES = 2 ** 20;
/** Of requests x rounds: a table of them is kept for each depth of the tree. */
const MOST_VALUES = 2 ** 20;
/** Nodes between two looks at the clock. */
const PIECE = 64;

/** What the requests that have not started cost at least, if the next start is at k: by rows of `rounds` values, one of each request. */
interface Least {
  /** Their cheapest start at k or later at which they fit beside those that have started; and the first such. */
  priced: Float64Array;
  first: Float64Array;
}

/**
 * Branch and bound over starts in the order of time, of equal ones in the order of the requests: of all schedules that go on from those that have started, the sum
 * of starts is at least
 *
 *   sum over started of c_i(k_i)  +  sum over the others of min c_i(k), k where it fits beside the started  -  G M sum v - G B sum w
 *
 * and at least that with prices of 0. Workers on which nothing runs are alike; of two ways to the same state the cheaper goes on; and nobody waits until
 * all have ended, if all have come, since the rest of the schedule could begin a round earlier.
 */
export class StartSearch {
  nodes = 0;
  /** What is known of the least sum of starts where the search has been stopped. */
  open = Number.POSITIVE_INFINITY;
  private sum: number;
  private readonly schedule: Schedule;
  private readonly usage: RoundUsage;
  private readonly costs: StartCosts;
  /** G M sum v + G B sum w. */
  private readonly capacity: number;
  /** By how much sums of costs may be wrong. */
  private readonly rounding: number;
  /** Starts lie in 0 .. rounds - 1. */
  private readonly rounds: number;
  private readonly started: boolean[];
  private readonly ends: number[];
  /** Of the node that is visited: each request's first start. */
  private readonly earliest: Float64Array;
  private readonly tables: Least[] = [];
  private readonly seen = new Map<string, number>();

  /**
   * @param best  a schedule that fits; replaced by better ones.
   * @throws {ArgumentError} Starts may lie too far apart.
   */
  constructor(
    private readonly requests: RoundRequests,
    private readonly settings: BoundSettings,
    readonly best: Schedule,
    prices: BoundPrices,
    private readonly most: number,
  ) {
    const { workers, kvTokens, slots } = settings;
    const { count, release } = requests;
    this.usage = new RoundUsage(workers, kvTokens, slots);
    // Slots without a limit are worth nothing.
    const { kv, slot } = Number.isFinite(slots) ? prices : { kv: prices.kv };
    this.costs = new StartCosts({ kv, slot });
    this.capacity = workers * (kvTokens * total(kv) + (slot ? slots * total(slot) : 0));
    // A cost is made of sums of v and t v over the rounds, each of which is rounded as often.
    const largest = (kvTokens + 3 * kv.length) * total(kv) + total(slot ?? []);
    this.rounding = 1e-9 + EPSILON * kv.length * (count * largest + this.capacity);
    this.sum = best.start.reduce((sum, k) => sum + k, 0);
    this.rounds = latestStart(release, this.sum) + 2;
    if (count * this.rounds > MOST_VALUES) {
      const expected = `starts that lie before round 2^20 / ${count} in every schedule that may be best`;
      throw new ArgumentError("trace", expected, this.rounds - 2);
    }
    this.schedule = { start: new Int32Array(count), worker: new Int32Array(count) };
    this.started = new Array<boolean>(count).fill(false);
    this.earliest = new Float64Array(count);
    this.ends = new Array<number>(workers).fill(0);
  }

  /** Runs to the end, with pauses. */
  *run(): Generator<undefined, void> {
    yield* this.visit(0, 0, -1, 0, 0);
  }

  /** Whether the best is proven to be. */
  get proven(): boolean {
    return this.open >= this.sum;
  }

  /** The least sum of starts, or a bound of it. */
  get bound(): number {
    return Math.min(this.open, this.sum);
  }

  /** All that goes on from the starts that have been made, of which the last is that of request `last` at `now`. */
  private *visit(depth: number, now: number, last: number, sum: number, cost: number): Generator<undefined, void> {
    if (++this.nodes % PIECE === 0) yield;
    const { count, release, input, output } = this.requests;
    if (depth === count) {
      this.improve(sum);
      return;
    }
    const least = this.leastFrom(depth, now, sum);
    if (least === undefined) return;
    const latest = this.latest();
    for (let k = now; k <= latest; k++) {
      const bounds = this.boundsAt(least, k, sum, cost);
      if (this.closes(bounds.priced, bounds.first)) break;
      for (let i = k === now ? last + 1 : 0; i < count; i++) {
        if (this.started[i] || release[i] > k) continue;
        const row = i * this.rounds + k;
        const own = this.costs.cost(input[i], output[i], k);
        if (this.closes(bounds.priced - least.priced[row] + own, bounds.first - least.first[row] + k)) continue;
        for (let g = 0; g < this.settings.workers; g++) {
          if (this.isLikeEarlier(g, k) || !this.usage.fits(g, input[i], output[i], k)) continue;
          if (this.nodes >= this.most) {
            const priced = Math.ceil(bounds.priced - this.rounding);
            this.open = Math.min(this.open, priced > bounds.first ? priced : bounds.first);
            return;
          }
          const ends = this.begin(i, g, k);
          if (this.isNew(k, i, sum + k)) yield* this.visit(depth + 1, k, i, sum + k, cost + own);
          this.takeBack(i, g, k, ends);
        }
      }
    }
  }

  private begin(i: number, g: number, k: number): number {
    const { input, output } = this.requests;
    this.usage.add(g, input[i], output[i], k);
    this.started[i] = true;
    this.schedule.start[i] = k;
    this.schedule.worker[i] = g;
    const ends = this.ends[g];
    this.ends[g] = Math.max(ends, k + output[i]);
    return ends;
  }

  private takeBack(i: number, g: number, k: number, ends: number): void {
    const { input, output } = this.requests;
    this.usage.remove(g, input[i], output[i], k);
    this.started[i] = false;
    this.ends[g] = ends;
  }

  private improve(sum: number): void {
    if (sum >= this.sum) return;
    this.sum = sum;
    this.best.start.set(this.schedule.start);
    this.best.worker.set(this.schedule.worker);
  }

  private closes(priced: number, first: number): boolean {
    return first >= this.sum || priced > this.sum - 1 + this.rounding;
  }

  /** The next start is no later: when all have ended and come there is nothing to wait for. */
  private latest(): number {
    const { release } = this.requests;
    let latest = Math.max(...this.ends);
    for (let i = 0; i < release.length; i++) if (!this.started[i]) latest = Math.max(latest, release[i]);
    return Math.min(latest, this.rounds - 2);
  }

  private isLikeEarlier(worker: number, now: number): boolean {
    if (this.ends[worker] > now) return false;
    for (let g = 0; g < worker; g++) if (this.ends[g] <= now) return true;
    return false;
  }

  /** Whether nobody came to the same state with as small a sum: the same have started, and those that run do so since the same times. */
  private isNew(now: number, last: number, sum: number): boolean {
    const { start, worker } = this.schedule;
    const { output } = this.requests;
    const running = this.ends.map(() => "");
    let key = `${now},${last};`;
    for (let i = 0; i < start.length; i++) {
      if (!this.started[i]) key += `${i},`;
      else if (start[i] + output[i] > now) running[worker[i]] += `${i}@${start[i]},`;
    }
    key += running.sort().join("|");
    const before = this.seen.get(key);
    if (before !== undefined && before <= sum) return false;
    if (before !== undefined || this.seen.size < MOST_STATES) this.seen.set(key, sum);
    return true;
  }

  private leastFrom(depth: number, now: number, sum: number): Least | undefined {
    const { rounds, earliest } = this;
    const { count } = this.requests;
    let slack = this.sum - 1 - sum;
    for (let i = 0; i < count; i++) {
      if (this.started[i]) continue;
      earliest[i] = this.earliestFrom(i, now);
      slack -= earliest[i];
    }
    if (slack < 0) return undefined;
    const size = count * rounds;
    this.tables[depth] ??= { priced: new Float64Array(size), first: new Float64Array(size) };
    for (let i = 0; i < count; i++) if (!this.started[i]) this.fill(this.tables[depth], i, now, earliest[i] + slack);
    return this.tables[depth];
  }

  private earliestFrom(i: number, now: number): number {
    const { release, input, output } = this.requests;
    let best = Number.POSITIVE_INFINITY;
    for (let g = 0; g < this.ends.length; g++)
      best = this.usage.earliest(g, input[i], output[i], Math.max(now, release[i]), best);
    return best;
  }

  /** A request's row from `now` on, of starts until `last`. */
  private fill({ priced, first }: Least, i: number, now: number, last: number): void {
    const { rounds, usage, costs, ends, earliest } = this;
    const { input, output } = this.requests;
    const row = i * rounds;
    priced.fill(Number.POSITIVE_INFINITY, row + last + 1, row + rounds);
    first.fill(Number.POSITIVE_INFINITY, row + last + 1, row + rounds);
    let cheapest = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (let k = last; k >= now; k--) {
      let fits = false;
      for (let g = 0; g < ends.length && !fits && k >= earliest[i]; g++) fits = usage.fits(g, input[i], output[i], k);
      if (fits) {
        next = k;
        cheapest = Math.min(cheapest, costs.cost(input[i], output[i], k));
      }
      first[row + k] = next;
      priced[row + k] = cheapest;
    }
  }

  private boundsAt({ priced, first }: Least, k: number, sum: number, cost: number): { priced: number; first: number } {
    const bounds = { priced: cost - this.capacity, first: sum };
    for (let i = 0; i < this.started.length; i++) {
      if (this.started[i]) continue;
      bounds.priced += priced[i * this.rounds + k];
      bounds.first += first[i * this.rounds + k];
    }
    return bounds;
  }
}

/** Of any schedule whose starts add up to less than a sum: all others start at their arrival at the earliest. */
function latestStart(release: Int32Array, sum: number): number {
  let slack = sum;
  let last = 0;
  for (const k of release) {
    slack -= k;
    last = Math.max(last, k);
  }
  return last + slack;
}

const total = (prices: ArrayLike<number>): number => {
  let sum = 0;
  for (let t = 1; t < prices.length; t++) sum += prices[t];
  return sum;
};
