import type { StepTime } from "../step_time.ts";

/** Requests of one fleet, in seconds. */
export interface StepRequests {
  /** n. */
  requests: number;
  /** [n] s, when each can begin; in any order. */
  arrival: Float64Array;
  /** [n] s: KV tokens that it begins with. */
  input: Int32Array;
  /** [n] o >= 1: tokens that it makes. */
  output: Int32Array;
  /** [n] s by which its prompt's prefill makes steps longer, at the least. */
  prefill: Float64Array;
}

/** Workers alike. */
export interface StepPool {
  workers: number;
  slots: number;
  kvTokens: number;
  stepTime: StepTime;
}

/** Prices in K windows of the same length, and 0 after them. */
export interface StepPrices {
  /** s: where the windows end that begin at 0. */
  until: number;
  /** [K] m: of a second of a worker's steps. */
  step: Float64Array;
  /** [K] v: of a KV token for a second. */
  kv: Float64Array;
  /** [K] u: of a slot for a second. */
  slot: Float64Array;
}

/**
 * A lower bound of the total latency, in seconds, of every schedule in which a request shares its steps with others, and each makes them longer: a step lasts
 *
 *   L >= c + sum over the requests l that make a token in it of w_l,   w_lj = c_seq + c_kv (s_l + j - 1), and its prefill before the first
 *
 * With prices m of workers' time, v of memory and u of slots, a step costs L (m + sum_l A_l), A_lj = 1 + u + v (s_l + j), the 1 being the latency of l itself.
 * By Cauchy and Schwarz, and since a square is not negative, that is shared out in such a way that no share depends on who else is there:
 *
 *   (c + sum w) (m + sum A) = c sum A + m sum w + m c + sum A sum w  >=  sum_l [ c A_l + m w_l + psi(sqrt(A_l w_l)) ],   psi(x) = max { 2 x sqrt(m c), x^2 }
 *
 * (for X = sum_l x_l, sum A sum w >= X^2, and m c + X^2 >= 2 X sqrt(m c)). So a request by itself costs Q(m, v, u), the sum over its steps, and
 *
 *   D = sum_i min over its start and finish { wait + Q at the lowest prices in between, or, if more, what passes until the finish }
 *       - G sum over the windows of their length (m + B u + M v)   <=   total latency
 *
 * It holds for any prices >= 0, whoever is evicted: what is not of a request's last run, or of the steps in which its tokens came to stay, only costs more.
 * Without prices it is what each takes alone. In f64: to 1e-12 of what is added up.
 */
export class SharedSteps {
  /** [K + 1] seconds of workers' steps, token-seconds of memory and slot-seconds that are used of each window at the cheapest starts and finishes. */
  readonly used: StepPrices;
  private readonly length: number;
  /** [K + 1] the windows' prices, and 0 after them. */
  private readonly step: Float64Array;
  private readonly kv: Float64Array;
  private readonly slot: Float64Array;
  /** Q of a request, and what it changes with each price. */
  private cost = 0;
  private perStep = 0;
  private perKv = 0;
  private perSlot = 0;

  constructor(
    private readonly requests: StepRequests,
    private readonly pool: StepPool,
    prices: StepPrices,
  ) {
    const { until, step, kv, slot } = prices;
    this.length = until / step.length;
    [this.step, this.kv, this.slot] = [step, kv, slot].map((price) => Float64Array.from([...price, 0]));
    const none = () => new Float64Array(step.length + 1);
    this.used = { until, step: none(), kv: none(), slot: none() };
  }

  /** What is taken off for the windows' capacity. */
  get paid(): number {
    const { workers, slots, kvTokens } = this.pool;
    const { step, kv, slot } = this;
    let paid = 0;
    for (let k = 0; k < step.length; k++) paid += step[k] + kvTokens * kv[k] + slots * slot[k];
    return workers * this.length * paid;
  }

  /** What requests `first` to `end` - 1 cost at the least; adds to `used`. */
  add(first: number, end: number): number {
    let total = 0;
    for (let i = first; i < end; i++) total += this.cheapest(i);
    return total;
  }

  private cheapest(i: number): number {
    const { step, kv, slot, length, used } = this;
    const arrival = this.requests.arrival[i];
    const last = step.length - 1;
    const come = Math.min(last, Math.floor(arrival / length));
    let least = Number.POSITIVE_INFINITY;
    let priced = false;
    let [m, v, u, perStep, perKv, perSlot] = [0, 0, 0, 0, 0, 0];
    for (let k = come; k <= last; k++) {
      const wait = Math.max(0, k * length - arrival);
      if (wait >= least) break;
      let [lowM, lowV, lowU] = [k, k, k];
      for (let l = k; l <= last; l++) {
        const passed = l > come ? l * length - arrival : 0;
        if (passed >= least) break;
        if (l > k && step[l] >= step[lowM] && kv[l] >= kv[lowV] && slot[l] >= slot[lowU]) continue;
        if (step[l] < step[lowM]) lowM = l;
        if (kv[l] < kv[lowV]) lowV = l;
        if (slot[l] < slot[lowU]) lowU = l;
        this.costOf(i, step[lowM], kv[lowV], slot[lowU]);
        const cost = wait + this.cost;
        if (Math.max(passed, cost) >= least) continue;
        least = Math.max(passed, cost);
        priced = cost >= passed;
        [m, v, u, perStep, perKv, perSlot] = [lowM, lowV, lowU, this.perStep, this.perKv, this.perSlot];
      }
    }
    if (priced) {
      used.step[m] += perStep;
      used.kv[v] += perKv;
      used.slot[u] += perSlot;
    }
    return least;
  }

  /** Q. Over the steps from the second on, sqrt(A w) is concave in the tokens that are held: its sum is no less than that of the line between its ends. */
  private costOf(i: number, m: number, v: number, u: number): void {
    const { base: c, perSequence, perKvToken: d } = this.pool.stepTime;
    const s = this.requests.input[i];
    const o = this.requests.output[i];
    const prefill = this.requests.prefill[i];
    const a = 1 + u + v * s; // A_j = a + v j
    const b = perSequence + d * (s - 1); // w_j = b + d j
    const sum1 = (o * (o + 1)) / 2;
    const sum2 = (sum1 * (2 * o + 1)) / 3;
    const weights = o * a + v * sum1;
    const work = o * b + d * sum1 + prefill;
    const products = o * a * b + (a * d + v * b) * sum1 + v * d * sum2 + a * prefill;
    const half = (o - 1) / 2;
    const [w1, w2, wo] = [b + d + prefill, b + 2 * d, b + o * d];
    const [x1, x2, xo] = [Math.sqrt(a * w1), Math.sqrt((a + 2 * v) * w2), Math.sqrt((a + o * v) * wo)];
    const roots = x1 + half * (x2 + xo);
    const twice = 2 * Math.sqrt(m * c);
    this.cost = c * weights + m * work;
    if (twice * roots > products) {
      const [r1, r2, ro] = [over(w1, x1), over(w2, x2), over(wo, xo)];
      const ofSlot = r1 + half * (r2 + ro);
      const ofKv = half * (2 * r2 + o * ro);
      this.cost += twice * roots;
      this.perStep = work + Math.sqrt(c / m) * roots;
      this.perSlot = c * o + (twice / 2) * ofSlot;
      this.perKv = c * sum1 + (twice / 2) * ofKv + s * this.perSlot;
    } else {
      this.cost += products;
      this.perStep = work;
      this.perSlot = c * o + work;
      this.perKv = (c + b) * sum1 + d * sum2 + s * this.perSlot;
    }
  }
}

const over = (w: number, x: number) => (x > 0 ? w / x : 0);
