import type { Numbers } from "../../common/numbers.ts";
import { solveAdmission } from "./admission_lp.ts";
import type { PriceRule } from "./price_rule.ts";

/** Requests that are kept before there must be more room for them. */
const FIRST_ROOM = 256;

/** Prices of the LP of the first l requests, within (1 - h) l / n of the budgets, h = eps sqrt(n / l), at l = n eps 2^k [Agrawal, Wang, Ye]. */
export class ResolvedPrices implements PriceRule {
  /** Infinite until the first n eps are known. */
  readonly price: Float64Array;
  private seen = 0;
  private next: number;
  private values: Float64Array = new Float64Array(FIRST_ROOM);
  private use: Float64Array;

  constructor(
    private readonly budget: Float64Array,
    private readonly requests: number,
    private readonly epsilon: number,
  ) {
    const m = budget.length;
    this.price = new Float64Array(m).fill(Number.POSITIVE_INFINITY);
    this.next = Math.ceil(requests * epsilon);
    this.use = new Float64Array(FIRST_ROOM * m);
  }

  learn(value: number, use: Numbers): void {
    if (this.seen === this.next) return; // it was the last time
    this.keep(value, use);
    if (this.seen < this.next) return;
    this.resolve();
    if (2 * this.next < this.requests) {
      this.next *= 2;
      return;
    }
    this.values = this.use = new Float64Array(0); // nobody asks for them any more
  }

  private keep(value: number, use: Numbers): void {
    const m = this.budget.length;
    const { seen } = this;
    if (seen === this.values.length) {
      this.values = twice(this.values);
      this.use = twice(this.use);
    }
    this.values[seen] = value;
    for (let i = 0; i < m; i++) this.use[seen * m + i] = use[i];
    this.seen++;
  }

  private resolve(): void {
    const { requests, epsilon, seen, budget } = this;
    const part = (1 - epsilon * Math.sqrt(requests / seen)) * (seen / requests);
    const values = this.values.subarray(0, seen);
    const use = this.use.subarray(0, seen * budget.length);
    this.price.set(solveAdmission({ values, use, budget: budget.map((b) => part * b) }).price);
  }
}

function twice(old: Float64Array): Float64Array {
  const array = new Float64Array(2 * old.length);
  array.set(old);
  return array;
}
