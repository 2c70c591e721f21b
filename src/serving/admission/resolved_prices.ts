import type { Numbers } from "../../common/numbers.ts";
import { solveAdmission } from "./admission_lp.ts";
import type { PriceRule } from "./price_rule.ts";

/** Prices of the LP of the first l requests, within (1 - h) l / n of the budgets, h = eps sqrt(n / l), at l = n eps 2^k [Agrawal, Wang, Ye]. */
export class ResolvedPrices implements PriceRule {
  /** Infinite until the first n eps are known. */
  readonly price: Float64Array;
  private seen = 0;
  private next: number;
  private values: Float64Array;
  private use: Float64Array;

  constructor(
    private readonly budget: Float64Array,
    private readonly requests: number,
    private readonly epsilon: number,
  ) {
    const m = budget.length;
    this.price = new Float64Array(m).fill(Number.POSITIVE_INFINITY);
    this.next = Math.ceil(requests * epsilon);
    this.values = new Float64Array(this.next);
    this.use = new Float64Array(this.next * m);
  }

  learn(value: number, use: Numbers): void {
    if (this.seen >= this.next) return; // it was the last time
    const m = this.budget.length;
    this.values[this.seen] = value;
    for (let i = 0; i < m; i++) this.use[this.seen * m + i] = use[i];
    this.seen++;
    if (this.seen < this.next) return;
    this.resolve();
    const twice = 2 * this.next;
    if (twice >= this.requests) return;
    this.next = twice;
    this.values = grown(this.values, twice);
    this.use = grown(this.use, twice * m);
  }

  private resolve(): void {
    const { requests, epsilon, seen, values, use } = this;
    const part = (1 - epsilon * Math.sqrt(requests / seen)) * (seen / requests);
    this.price.set(solveAdmission({ values, use, budget: this.budget.map((b) => part * b) }).price);
  }
}

function grown(old: Float64Array, length: number): Float64Array {
  const array = new Float64Array(length);
  array.set(old);
  return array;
}
