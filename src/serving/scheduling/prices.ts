import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { BoundPrices } from "../bound/bound_options.ts";
import { checkPrices, StartCosts } from "../bound/start_costs.ts";
import type { SchedulerOptions, SchedulingPolicy, WorkerView } from "../policy.ts";
import { requireRange } from "../policy_options.ts";
import { FutureCheck } from "./future_check.ts";
import { estimateBy, middle, volume } from "./job.ts";
import { Ordered } from "./ordered.ts";
import { PricedLine } from "./priced_line.ts";

export interface PricesOptions {
  /** Of a token of memory, and of a slot, in each round: those of `latencyBound`. Of several workers each has the same. */
  prices: BoundPrices;
  /** Rounds that a start may cost more than the cheapest later one; 0 by default. */
  tolerance?: number;
}

const fields = { prices: true, tolerance: true } satisfies FieldsOf<PricesOptions>;

/**
 * A request begins when memory is cheap for it: with the prices v of a token and w of a slot a start at k costs a request of prompt s and predicted output o
 *
 *   c(k) = k + sum over t = k + 1 .. k + o of ((s + t - k) v_t + w_t),   good in round k if c(k) <= c(k') + tolerance for every k' > k
 *
 * Of those whose start is good the smallest volume goes first (as by `svf`), while the memory holds all that run until their predicted ends
 * (as by `mcsf`), and none where the one ahead of it does not fit. Where nothing runs, and nobody's start is good, the one whose
 * start is good soonest begins, as memory that nobody uses is worth nothing.
 *
 * For planning: prices are those of a trace that is known, and time is in rounds, clock "rounds". A tolerance of 0.5 to 5 often does better than 0, since prices say when the
 * memory is short, not who of those that are indifferent goes first. Past the last price this is SVF. Nobody is refused.
 *
 * @param options.prices  Copied.
 * @throws {ArgumentError} An option is missing, unknown or out of its range; at the first request without a prediction.
 * @see bid prices: K. Talluri, G. van Ryzin, Manage. Sci. 44(11), 1998; the program whose dual they are: Jaillet et al., arXiv 2502.07115.
 */
export function prices(options: PricesOptions): SchedulingPolicy {
  requireObject("options", options, fields);
  checkPrices(options.prices);
  const { tolerance = 0 } = options;
  requireRange("tolerance", tolerance, "rounds, finite and >= 0", (x) => Number.isFinite(x) && x >= 0);
  const costs = new StartCosts(options.prices);
  const create = ({ kvTokens }: SchedulerOptions) => {
    const check = new FutureCheck(kvTokens);
    return new Priced(check, new PricedLine(costs, tolerance, () => check.idle));
  };
  return { name: "prices", create };
}

const order = { estimate: estimateBy("prices go by it", middle), key: volume };

class Priced extends Ordered {
  constructor(
    check: FutureCheck,
    private readonly priced: PricedLine,
  ) {
    super(order, check, priced);
  }

  override admit(w: WorkerView, now: number, out: Int32Array): number {
    this.priced.now = Math.ceil(now);
    return super.admit(w, now, out);
  }

  /** Nobody; that there is an answer has `admit` asked in every round. */
  rest(): number {
    return 0;
  }
}
