import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { type Numbers, requireNumbers } from "../../common/numbers.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { checkedBudget } from "./check_numbers.ts";
import { GradientPrices, type Scale } from "./gradient_prices.ts";
import type { PriceRule } from "./price_rule.ts";
import { ResolvedPrices } from "./resolved_prices.ts";

export interface BidPriceOptions {
  /** b [m] > 0. */
  budget: Numbers;
  /** n: how many requests are expected to come for it. */
  requests: number;
  /** "gradient" (default): a step of the prices per request [Li, Sun, Ye]. "resolve": the LP of what has come, now and then [Agrawal, Wang, Ye]. */
  method?: "gradient" | "resolve";
  /** "hard" (default): what does not fit in what is left is refused. "soft": the price alone decides, and `left` may go below 0. */
  capacity?: "hard" | "soft";
  /** Of "gradient": the sizes of a value, and of the uses of each budget, > 0. By default the mean of those above 0 that have come so far. */
  scale?: Scale;
  /** eps of "resolve", in (0, 1): the share of the requests that are refused to learn from them. Default 1/64. */
  epsilon?: number;
}

/** Decides one request after another. */
export interface BidPrices {
  /**
   * @param value  r, finite.  @param use  a [m] finite and >= 0. Read, not kept.
   * @returns whether to accept it.
   * @throws {ArgumentError} A number is out of range.  @throws {ShapeError} There are not m uses.
   */
  decide(value: number, use: Numbers): boolean;
  /** p [m] of one more of each budget, as it is now: to be read, not written. */
  readonly price: Float64Array;
  /** [m] of the budget: to be read, not written. */
  readonly left: Float64Array;
}

const fields: FieldsOf<BidPriceOptions> = {
  ...{ budget: true, requests: true, method: true, capacity: true, scale: true, epsilon: true },
};

const DEFAULT_EPSILON = 1 / 64;

/**
 * Admission by bid prices: a request of value r that takes a_i of budget i is accepted if r > a'p, and fits. Requests come in random order and nothing is known
 * of those to come but their number.
 *
 * - "gradient": p <- [p + gamma (a x - b / n)]_+ after each request, from p = 0, x = 1 if the price accepts it and gamma = 1 / sqrt(n). That step is right
 *   for values and uses of about 1; others are divided by their scale first (v of values, u_i of uses: p_i moves by gamma (v / u_i) (a_i x - b_i / n) / u_i),
 *   so that units do not matter. O(m) per request, and no allocation. Expected loss, and excess of the budgets if these are soft: O(sqrt n).
 * - "resolve": at l = n eps, 2 n eps, 4 n eps, ... the LP of the first l requests within (1 - eps sqrt(n / l)) (l / n) b. Until the first everything is
 *   refused. 1 - O(eps) of the best value for budgets of many requests each.
 *
 * More than n may come: prices go on as they are. How far from the best it was is told by `admissionBound` afterwards.
 *
 * @throws {ArgumentError} An option is missing, unknown, out of range, or of the other method.  @throws {ShapeError} There is no budget, or scale.use has not m.
 * @see X. Li, C. Sun, Y. Ye, Simple and fast algorithm for binary integer and online linear programming, arXiv 2003.02513.
 * @see S. Agrawal, Z. Wang, Y. Ye, A dynamic near-optimal algorithm for online linear programming, Oper. Res. 62(4), 2014 (arXiv 0911.2974).
 */
export function bidPrices(options: BidPriceOptions): BidPrices {
  requireObject("options", options, fields);
  const { requests, method = "gradient", capacity = "hard", scale, epsilon } = options;
  const budget = checkedBudget(options.budget, "finite and > 0", (x) => x > 0);
  if (!(Number.isInteger(requests) && requests >= 1 && requests < 2 ** 31))
    throw new ArgumentError("requests", "an integer from 1 to 2^31 - 1", requests);
  if (capacity !== "hard" && capacity !== "soft") throw new ArgumentError("capacity", '"hard" or "soft"', capacity);
  return new Bidding(budget, capacity === "hard", ruleOf(budget, requests, method, scale, epsilon));
}

function ruleOf(
  budget: Float64Array,
  requests: number,
  method: BidPriceOptions["method"],
  scale: Scale | undefined,
  epsilon: number | undefined,
): PriceRule {
  if (method === "gradient") {
    if (epsilon !== undefined) throw new ArgumentError("epsilon", 'undefined with method "gradient"', epsilon);
    if (scale !== undefined) checkScale(scale, budget.length);
    return new GradientPrices(budget, requests, scale);
  }
  if (method !== "resolve") throw new ArgumentError("method", '"gradient" or "resolve"', method);
  if (scale !== undefined) throw new ArgumentError("scale", 'undefined with method "resolve"', scale);
  const share = epsilon ?? DEFAULT_EPSILON;
  if (!(share > 0 && share < 1)) throw new ArgumentError("epsilon", "a number between 0 and 1", share);
  return new ResolvedPrices(budget, requests, share);
}

function checkScale(scale: Scale, m: number): void {
  requireObject("scale", scale, { value: true, use: true });
  const isSize = (x: number) => Number.isFinite(x) && x > 0;
  if (!isSize(scale.value)) throw new ArgumentError("scale.value", "finite and > 0", scale.value);
  requireNumbers("scale.use", scale.use);
  if (scale.use.length !== m) throw new ShapeError("scale.use", `m = ${m} values`, scale.use.length);
  for (let i = 0; i < m; i++)
    if (!isSize(scale.use[i])) throw new ArgumentError(`scale.use[${i}]`, "finite and > 0", scale.use[i]);
}

class Bidding implements BidPrices {
  readonly left: Float64Array;

  constructor(
    budget: Float64Array,
    private readonly hard: boolean,
    private readonly rule: PriceRule,
  ) {
    this.left = budget.slice();
  }

  get price(): Float64Array {
    return this.rule.price;
  }

  decide(value: number, use: Numbers): boolean {
    const { left, rule, hard } = this;
    this.check(value, use);
    let cost = 0;
    let fits = true;
    for (let i = 0; i < left.length; i++) {
      if (use[i] > 0) cost += use[i] * rule.price[i]; // what is not used costs nothing, at an infinite price neither
      if (hard && use[i] > left[i]) fits = false;
    }
    const wanted = value > cost;
    if (wanted && fits) for (let i = 0; i < left.length; i++) left[i] -= use[i];
    rule.learn(value, use, wanted);
    return wanted && fits;
  }

  private check(value: number, use: Numbers): void {
    if (!Number.isFinite(value)) throw new ArgumentError("value", "a finite number", value);
    requireNumbers("use", use);
    const m = this.left.length;
    if (use.length !== m) throw new ShapeError("use", `m = ${m} values`, use.length);
    for (let i = 0; i < m; i++) {
      if (Number.isFinite(use[i]) && use[i] >= 0) continue;
      throw new ArgumentError(`use[${i}]`, "finite and >= 0", use[i]);
    }
  }
}
