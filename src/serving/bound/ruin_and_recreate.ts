import type { Random } from "../../common/random.ts";
import type { BoundSettings } from "./bound_options.ts";
import type { RoundRequests, Schedule } from "./round_requests.ts";
import { RoundUsage } from "./round_usage.ts";

/** Requests that are taken out at once, at most; and from how many times as many that start next to each other. */
const MOST_OUT = 10;
const SPREAD = 4;
/** Share of the steps that take out requests from anywhere. */
const SCATTERED = 0.1;
/** Share of the fits that are passed over, for a later one. */
const BLINKS = 0.01;
/** Rounds by which an order of starts is disturbed. */
const NOISE = 50;
/** Steps after which the order of the starts is found anew. */
const SORT_EVERY = 1000;

/**
 * A schedule that gets better: a few requests are taken out, most often such as start next to each other, and put back one by one where each fits first, in an
 * order that is drawn. What comes out is kept if it is better, or by chance if it is little worse.
 *
 * @see G. Schrimpf et al., J. Comput. Phys. 159, 2000 (ruin and recreate); J. Christiaens, G. Vanden Berghe, Transp. Sci. 54, 2020 (adjacent requests, blinks).
 */
export class RuinAndRecreate {
  /** Sum of the starts. */
  sum = 0;
  private readonly usage: RoundUsage;
  /** All requests by their starts, as they were at the last sorting. */
  private readonly order: Int32Array;
  private steps = 0;
  // Of the requests that are out, in the order in which they are put back.
  private readonly out: number[] = [];
  private readonly starts: number[] = [];
  private readonly workers: number[] = [];
  private readonly keys: Float64Array;

  /** @param schedule  is changed. It must fit. */
  constructor(
    private readonly requests: RoundRequests,
    private readonly settings: BoundSettings,
    readonly schedule: Schedule,
    private readonly random: Random,
  ) {
    const { count, input, output } = requests;
    const { start, worker } = schedule;
    this.usage = new RoundUsage(settings.workers, settings.kvTokens, settings.slots);
    for (let i = 0; i < count; i++) {
      this.usage.add(worker[i], input[i], output[i], start[i]);
      this.sum += start[i];
    }
    this.order = Int32Array.from({ length: count }, (_, i) => i);
    this.keys = new Float64Array(count);
  }

  /** @param temperature  rounds by which the sum may grow, on average over the draws. */
  step(temperature: number): void {
    const { start } = this.schedule;
    if (this.steps++ % SORT_EVERY === 0) this.order.sort((i, j) => start[i] - start[j] || i - j);
    this.draw();
    this.arrange();
    const most = this.takeOut() - temperature * Math.log(1 - this.random.next());
    const sum = this.putBack(most);
    if (sum > most) this.undo();
    else this.keep();
  }

  /** Who goes out. */
  private draw(): void {
    const { order, out, random } = this;
    const count = order.length;
    const number = Math.min(1 + random.below(MOST_OUT), count);
    const scattered = random.next() < SCATTERED;
    const width = scattered ? count : Math.min(count, number * SPREAD);
    const first = scattered ? 0 : clamp(random.below(count) - (width >> 1), count - width);
    // R. Floyd's sample: of each number of draws all subsets are as likely.
    out.length = 0;
    for (let last = width - number; last < width; last++) {
      const id = order[first + random.below(last + 1)];
      out.push(out.includes(id) ? order[first + last] : id);
    }
  }

  /** In which order they come back: any, by volume, or about as they started. */
  private arrange(): void {
    const { out, random, keys } = this;
    const { volume } = this.requests;
    const { start } = this.schedule;
    const kind = random.below(3);
    if (kind === 0) {
      random.shuffle(out);
      return;
    }
    for (const i of out) keys[i] = kind === 1 ? volume[i] : start[i] + NOISE * random.next();
    out.sort((i, j) => keys[i] - keys[j] || i - j);
  }

  /** @returns the sum of the starts of those that go. */
  private takeOut(): number {
    const { input, output } = this.requests;
    const { start, worker } = this.schedule;
    let sum = 0;
    for (const i of this.out) {
      this.usage.remove(worker[i], input[i], output[i], start[i]);
      sum += start[i];
    }
    return sum;
  }

  /** Until all are back, or the sum of their starts is more than `most`.  @returns this sum. */
  private putBack(most: number): number {
    const { out, starts, workers, usage } = this;
    const { input, output, release } = this.requests;
    const { start } = this.schedule;
    // Memory is free that was not before from here on: who ends earlier would have fitted before.
    const freed = out.reduce((least, i) => Math.min(least, start[i]), Number.POSITIVE_INFINITY);
    starts.length = 0;
    let sum = 0;
    for (let x = 0; x < out.length && sum <= most; x++) {
      const i = out[x];
      const latest = Math.floor(most - sum);
      const k = this.place(x, Math.max(release[i], freed - output[i]), latest + 1);
      sum += k;
      if (k > latest) break;
      starts.push(k);
      usage.add(workers[x], input[i], output[i], k);
    }
    return sum;
  }

  /** Finds the worker on which it fits first from a time on, now and then a later fit. @returns the start; `before` if there is none. */
  private place(x: number, from: number, before: number): number {
    const { usage, random, workers } = this;
    const { input, output } = this.requests;
    const i = this.out[x];
    let best = before;
    for (let g = 0; g < this.settings.workers; g++) {
      let k = usage.earliest(g, input[i], output[i], from, best);
      while (k < best && random.next() < BLINKS) k = usage.earliest(g, input[i], output[i], k + 1, best);
      if (k >= best) continue;
      best = k;
      workers[x] = g;
    }
    return best;
  }

  private keep(): void {
    const { out, starts, workers } = this;
    const { start, worker } = this.schedule;
    for (const [x, i] of out.entries()) {
      this.sum += starts[x] - start[i];
      start[i] = starts[x];
      worker[i] = workers[x];
    }
  }

  private undo(): void {
    const { out, starts, workers, usage } = this;
    const { input, output } = this.requests;
    const { start, worker } = this.schedule;
    for (const [x, k] of starts.entries()) usage.remove(workers[x], input[out[x]], output[out[x]], k);
    for (const i of out) usage.add(worker[i], input[i], output[i], start[i]);
  }
}

const clamp = (first: number, last: number): number => Math.max(0, Math.min(first, last));
