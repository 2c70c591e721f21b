import type { Numbers } from "../../common/numbers.ts";
import type { PriceRule } from "./price_rule.ts";

/** Sizes of a value and of the uses: gamma = 1 / sqrt(n) is for 1. */
export interface Scale {
  value: number;
  use: Numbers;
}

/** p_i <- [p_i + gamma (v / u_i) ((a_i x - b_i / n) / u_i)]_+ [Li, Sun, Ye], v and u being the scale. */
export class GradientPrices implements PriceRule {
  readonly price: Float64Array;
  private readonly gamma: number;
  /** b / n */
  private readonly pace: Float64Array;
  private valueSize: number;
  private readonly useSize: Float64Array;
  /** Without a scale: how many values were above 0 so far, and uses of each budget; their means are the sizes. */
  private valued = 0;
  private readonly used: Float64Array;

  constructor(
    budget: Float64Array,
    requests: number,
    private readonly scale: Scale | undefined,
  ) {
    const m = budget.length;
    this.price = new Float64Array(m);
    this.gamma = 1 / Math.sqrt(requests);
    this.pace = budget.map((b) => b / requests);
    this.valueSize = scale?.value ?? 0;
    this.useSize = scale ? Float64Array.from(scale.use) : new Float64Array(m);
    this.used = new Float64Array(m);
  }

  learn(value: number, use: Numbers, wanted: boolean): void {
    if (this.scale === undefined) this.measure(value, use);
    const { price, pace, gamma, valueSize, useSize } = this;
    for (let i = 0; i < price.length; i++) {
      const size = useSize[i];
      if (size === 0) continue; // nobody has used it
      const excess = ((wanted ? use[i] : 0) - pace[i]) / size;
      price[i] = Math.max(0, price[i] + gamma * (valueSize / size) * excess);
    }
  }

  /** A request that uses none of a budget says nothing of the size of its uses. */
  private measure(value: number, use: Numbers): void {
    const { used, useSize } = this;
    if (value > 0) this.valueSize += (value - this.valueSize) / ++this.valued;
    for (let i = 0; i < used.length; i++) {
      if (use[i] > 0) useSize[i] += (use[i] - useSize[i]) / ++used[i];
    }
  }
}
