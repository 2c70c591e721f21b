import { Bundles, type FlowState } from "./bundles.ts";
import { flowUnits } from "./flow_units.ts";
import { Residual } from "./residual.ts";
import type { Reuses } from "./reuses.ts";

export interface GapPrices {
  /** [n] per unit of size in each gap. */
  prices: Float64Array;
  /** [m] whether a reuse is kept, all of it. */
  kept: Uint8Array;
}

/** Some of the gaps, ascending, and their prices. */
interface Gaps {
  at: Int32Array;
  price: Float64Array;
}

/** Blocks of gaps to begin with. */
const BLOCKS = 16;
/** Work between two reports. */
const PIECE = 2 ** 20;

/**
 * The prices that prove most, of the flow
 *
 *   max sum_j c_j x_j   s.t.   sum of s_j x_j over the reuses j that span gap t  <=  C,   0 <= x_j <= 1
 *
 * which is solved for a few gaps at first, so that all that lies between two of them is one node: everything is kept; of each block of gaps the one that is then the
 * fullest beyond the capacity enters the program and is relieved (`Residual`); and so on with blocks half as wide, until no gap is too full. Of half a million
 * requests some thousand gaps are ever looked at. Equal sizes are kept whole or not at all.
 *
 * @param requests  n, of which the reuses' numbers are.
 * @returns after yielding the share that is done.
 */
export function* gapPrices(reuses: Reuses, requests: number, capacity: number): Generator<number, GapPrices> {
  const { first, last, cost } = reuses;
  const { room, amount, worth, price } = flowUnits(reuses, capacity);
  const byWorth = Int32Array.from(cost, (_, j) => j).sort((i, j) => worth[j] - worth[i] || i - j);
  const state: FlowState = { first, last, amount, worth, kept: amount.slice(), byWorth };
  let gaps: Gaps = { at: new Int32Array(0), price: new Float64Array(0) };
  const rounds = Math.max(1, Math.ceil(Math.log2(requests / BLOCKS)));
  for (let round = 0; ; round++) {
    const used = roomUsed(state, requests);
    const tooFull = fullest(used, room, 2 ** Math.max(0, rounds - round));
    if (tooFull.length === 0) break;
    gaps = joined(gaps, tooFull);
    const from = Math.min(round, rounds) / (rounds + 1);
    yield from;
    for (const share of relieved(state, gaps, used, room)) yield from + share / (rounds + 1);
  }
  const prices = new Float64Array(requests);
  for (const [k, t] of gaps.at.entries()) prices[t] = Math.min(Number.MAX_VALUE, gaps.price[k] * price);
  return { prices, kept: Uint8Array.from(amount, (all, j) => (state.kept[j] === all ? 1 : 0)) };
}

/** [n] units in each gap. */
function roomUsed({ first, last, kept }: FlowState, requests: number): Float64Array {
  const used = new Float64Array(requests);
  for (let j = 0; j < kept.length; j++) {
    used[first[j]] += kept[j];
    used[last[j]] -= kept[j];
  }
  for (let t = 1; t < requests; t++) used[t] += used[t - 1];
  return used;
}

/** Of each block of gaps the first of the fullest ones, if it is too full. */
function fullest(used: Float64Array, room: number, width: number): Int32Array {
  const found: number[] = [];
  for (let block = 0; block < used.length; block += width) {
    let most = room;
    for (let t = block; t < Math.min(used.length, block + width); t++) {
      if (used[t] <= most) continue;
      if (most === room) found.push(t);
      else found[found.length - 1] = t;
      most = used[t];
    }
  }
  return Int32Array.from(found);
}

/** With gaps that are new, and free of charge. */
function joined({ at, price }: Gaps, more: Int32Array): Gaps {
  const both = new Int32Array(at.length + more.length);
  both.set(at);
  both.set(more, at.length);
  const all = { at: both.sort(), price: new Float64Array(both.length) };
  for (let k = 0, old = 0; old < at.length; k++) if (both[k] === at[old]) all.price[k] = price[old++];
  return all;
}

/** Sees to it that no gap of these is too full, and that their prices are those of the program of these gaps. */
function* relieved(state: FlowState, gaps: Gaps, used: Float64Array, room: number): Generator<number> {
  const count = gaps.at.length;
  const nodeOf = new Int32Array(used.length);
  for (let i = 0, k = 0; i < nodeOf.length; i++) {
    if (k < count && gaps.at[k] < i) k++;
    nodeOf[i] = k;
  }
  const potential = new Float64Array(count + 1);
  for (let k = count - 1; k >= 0; k--) potential[k] = potential[k + 1] + gaps.price[k];
  const left = Float64Array.from(gaps.at, (t) => room - used[t]);
  const residual = new Residual(new Bundles(state, nodeOf, count + 1), potential, left);
  let reported = 0;
  for (let k = 0; k < count; k++) {
    residual.relieve(k);
    if (residual.work - reported < PIECE) continue;
    reported = residual.work;
    yield k / count;
  }
  for (let k = 0; k < count; k++) gaps.price[k] = potential[k] - potential[k + 1];
}
