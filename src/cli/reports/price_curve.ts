import type { BoundPrices } from "../../serving/bound/bound_options.ts";
import type { MeanBound } from "./mean_bound.ts";
import type { Setting } from "./simulation_setting.ts";

/** Prices that prove a bound, over time: from [1] on, each of a span of `round` s, or rounds. */
export interface PriceCurve extends BoundPrices {
  round: number;
  /** Of a worker: its memory, its slots and its time. Where that is priced. */
  worker?: Float64Array;
}

/** Where memory, or slots, are less of a worker's price, they are none: the search has left something of them. */
const NEGLIGIBLE = 1e-3;

/** @param round  s that a round of "prices" lasts, or 1.  @returns nothing where there are no prices that prove it. */
export function priceCurve(
  { proof, prices, steps }: Pick<MeanBound, "proof" | "prices" | "steps">,
  round: number,
  { slots, kvTokens }: Pick<Setting, "slots" | "kvTokens">,
): PriceCurve | undefined {
  if (proof === "prices") return { ...prices, round };
  if (proof === "alone" || !steps) return undefined;
  const { until, step } = steps;
  const worker = step.map((price, k) => price + kvTokens * steps.kv[k] + slots * steps.slot[k]);
  const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
  const shown = (price: Float64Array, amount: number) =>
    spans(amount * sum(price) < NEGLIGIBLE * sum(worker) ? new Float64Array(price.length) : price);
  return {
    ...{ round: until / step.length, worker: spans(worker) },
    ...{ kv: shown(steps.kv, kvTokens), slot: shown(steps.slot, slots) },
  };
}

const spans = (price: Float64Array) => Float64Array.from([0, ...price]);
