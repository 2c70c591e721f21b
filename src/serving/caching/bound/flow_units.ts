import { commonUnit } from "../../../common/exact_sums.ts";
import type { Reuses } from "./reuses.ts";
import { howMany } from "./room.ts";

/** Reuses in whole units of size and of price, in which the flow's arithmetic is exact: all that it adds up stays below 2^53. */
export interface FlowUnits {
  /** The capacity. */
  room: number;
  /** [m] units of size, from 1 to `room`. */
  amount: Float64Array;
  /** [m] units of price per unit of size: at a higher price it is not worth its room. */
  worth: Float64Array;
  /** Price of a unit of size, in the trace's own units, where it is 1. */
  price: number;
}

const MOST = 2 ** 52;

/**
 * Units of size are the common one, so that equal sizes are 1; where there would be too many, parts of the sum. Prices never add up to more than the sum of the
 * costs over the room, since all the room is sold at them: that is 2^52 units at the most, a power of two each, so that whole costs of equal sizes are
 * whole. What is rounded here makes prices a little worse, never untrue.
 */
export function flowUnits({ size, cost }: Reuses, capacity: number): FlowUnits {
  const load = size.reduce((sum, s) => sum + s / capacity, 0);
  const common = commonUnit(size);
  const unit = (capacity / common) * load < MOST ? common : capacity * (load / MOST);
  const room = Math.max(1, howMany(capacity, unit));
  const amount = size.map((s) => Math.min(room, Math.max(1, Math.round(s / unit))));
  const dearest = cost.reduce((most, c) => Math.max(most, c), 0);
  const all = cost.reduce((sum, c) => sum + c / dearest, 0);
  const exponent = Math.ceil(Math.log2(dearest) + Math.log2(all / room)) - 52;
  const step = 2 ** Math.min(900, Math.max(-1000, exponent));
  const worth = cost.map((c, j) => Math.min(MOST, Math.round(c / amount[j] / step)));
  return { room, amount, worth, price: Math.min(Number.MAX_VALUE, step / unit) };
}
