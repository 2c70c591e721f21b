import { quantile as quantileOf } from "../simulator/spread.ts";

/** A percentile of at least one value, in any order. */
export const quantile = (values: readonly number[], percentile: number): number =>
  quantileOf(Float64Array.from(values).sort(), percentile / 100);
