import { commonUnit, doubleBelow, mostPlaces, multiple } from "../../../common/exact_sums.ts";
import type { Reuses } from "./reuses.ts";

/** What misses cost if these reuses are kept, in exact arithmetic, rounded down to a double; undefined where they do not fit. */
export function planCost(costs: Float64Array, reuses: Reuses, capacity: number, kept: Uint8Array): number | undefined {
  const { first, last, size, cost } = reuses;
  const unit = commonUnit(size);
  const change = new Float64Array(costs.length + 1); // whole units: exact below 2^53
  let total = 0;
  for (let j = 0; j < size.length; j++) {
    if (kept[j] === 0) continue;
    change[first[j]] += size[j] / unit;
    change[last[j]] -= size[j] / unit;
    total += size[j] / unit;
  }
  if (total > Number.MAX_SAFE_INTEGER) return undefined;
  let used = 0;
  for (const one of change) {
    used += one;
    if (used * unit > capacity) return undefined; // rounded once, as the sum is
  }
  const places = mostPlaces(costs);
  let sum = costs.reduce((all, c) => all + multiple(c, places), 0n);
  for (let j = 0; j < cost.length; j++) if (kept[j] === 1) sum -= multiple(cost[j], places);
  return doubleBelow(sum, places);
}
