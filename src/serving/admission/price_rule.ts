import type { Numbers } from "../../common/numbers.ts";

/** How prices follow from what has come. */
export interface PriceRule {
  /** p [m] */
  readonly price: Float64Array;
  /** @param wanted  whether the price alone accepted it. */
  learn(value: number, use: Numbers, wanted: boolean): void;
}
