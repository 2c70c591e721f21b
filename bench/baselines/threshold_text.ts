/** The threshold search over any Code: the method of threshold.wgsl for one topology, the same to the token. */
import { type Code, reduced } from "../../src/lp/text/field.ts";
import type { Choices } from "./simd_text.ts";
import { EPSILON } from "./threshold.ts";

/** @returns whole tokens. */
export function searchThresholdText<S, B>(
  c: Code<S, B>,
  { gpus, experts }: Choices,
  fixed: readonly S[],
  tokens: readonly S[],
): S[][] {
  const one = c.whole(1);
  const even = experts.map((gs, e) => evenly(c, tokens[e], gs.length));
  const terms = fixed.map((load) => [load]);
  for (const [e, gs] of experts.entries()) for (const [r, g] of gs.entries()) terms[g].push(even[e][r]);
  const load = terms.map((loads) => c.sum(loads));
  const mean = c.quotient(c.sum([...fixed, ...tokens]), c.whole(gpus));
  const low = c.variable(c.sub(c.max(reduced(fixed, c.max), mean), one));
  const high = c.variable(reduced(load, c.max));
  // The last replica has what the others leave.
  const best = even.map((row) => row.slice(1).map((_, r) => c.variable(row[r])));
  let between: S;
  c.loop(
    () => {
      between = c.sub(high.get(), low.get());
      const enough = c.mul(c.real(high.get()), c.constant(EPSILON));
      return c.and(c.less(one, between), c.less(enough, c.real(between)));
    },
    () => {
      // Half of it, rounded down.
      const half = c.round(c.sub(c.mul(c.real(between), c.constant(1 / 2)), c.constant(1 / 4)));
      const middle = c.sum([low.get(), half]);
      const over = load.map((amount) => c.sub(amount, middle));
      const x = spilled(c, experts, even, over);
      const most = reduced(over, c.max);
      c.when(c.less(most, one), () => {
        high.set(middle);
        for (const [e, row] of best.entries()) for (const [r, amount] of row.entries()) amount.set(x[e][r]);
      });
      c.when(c.less(c.whole(0), most), () => low.set(middle));
    },
  );
  return best.map((row, e) => {
    const kept = row.map((amount) => amount.get());
    return [...kept, c.sub(tokens[e], c.sum(kept))];
  });
}

/** Whole tokens, those left over to the first: share k is floor((w + n - 1 - k) / n), whose argument is half of 1 / n from a whole number at least. */
function evenly<S, B>(c: Code<S, B>, tokens: S, n: number): S[] {
  const each = c.mul(c.real(tokens), c.constant(1 / n));
  const shares: S[] = [];
  for (let k = 0; k < n - 1; k++) shares.push(c.round(c.sum([each, c.constant(((n - 1) / 2 - k) / n)])));
  return [...shares, c.sub(tokens, c.sum(shares))];
}

/** @param over  [G] tokens of each GPU above the threshold; changed. */
function spilled<S, B>(
  c: Code<S, B>,
  experts: readonly (readonly number[])[],
  even: readonly (readonly S[])[],
  over: S[],
): S[][] {
  const zero = c.whole(0);
  const x = even.map((row) => [...row]);
  const asked = (from: number, to: number, have: S) =>
    c.max(c.min(c.min(over[from], c.sub(zero, over[to])), have), zero);
  for (const e of sideBySide(experts)) {
    const gs = experts[e];
    const move = (r: number, k: number, amount: S) => {
      x[e][r] = c.sub(x[e][r], amount);
      x[e][k] = c.sum([x[e][k], amount]);
      over[gs[r]] = c.sub(over[gs[r]], amount);
      over[gs[k]] = c.sum([over[gs[k]], amount]);
    };
    if (gs.length === 2) {
      // One of both directions has nothing to move.
      move(0, 1, c.sub(asked(gs[0], gs[1], x[e][0]), asked(gs[1], gs[0], x[e][1])));
      continue;
    }
    for (const r of gs.keys()) {
      for (const k of gs.keys()) if (k !== r) move(r, k, asked(gs[r], gs[k], x[e][r]));
    }
  }
  return x;
}

/** The experts in another order with the same outcome: those that share no GPU with each other side by side, so that a machine may overlap them. */
function sideBySide(experts: readonly (readonly number[])[]): number[] {
  const depthOf = new Map<number, number>();
  const depth = experts.map((gs) => {
    const own = 1 + Math.max(...gs.map((g) => depthOf.get(g) ?? 0));
    for (const g of gs) depthOf.set(g, own);
    return own;
  });
  return [...experts.keys()].sort((a, b) => depth[a] - depth[b] || a - b);
}
