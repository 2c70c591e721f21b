/**
 * From loads to quotas, over any Code: experts that have replicas on the same GPUs are one expert of the LP, and a replica may have several
 * slots. Around it stands what reads and writes a caller's rows.
 */
import type { Code } from "./field.ts";
import type { CapsOf } from "./push_relabel.ts";
import { type LpAnswer, type LpShape, solveLp } from "./solve_lp.ts";

/** A topology without its labels, and what experts and slots its parts stand for. */
export interface LpForm {
  readonly shape: LpShape;
  /** Per expert of `shape`, and per caller's expert merged into it, slots on each replica. */
  readonly slots: readonly (readonly (readonly number[])[])[];
}

export interface FormAnswer<S, B> extends LpAnswer<S, B> {
  /** Per expert of the shape, caller's expert, replica and slot: whole tokens. */
  readonly quotas: S[][][][];
}

/**
 * @param alone  [G] whole tokens that have no choice, of any sign.
 * @param loads  Per expert of the shape and caller's expert: whole tokens >= 0.
 */
export function solveForm<S, B>(
  c: Code<S, B>,
  { shape, slots }: LpForm,
  alone: readonly S[],
  loads: readonly (readonly S[])[],
  capsOf: CapsOf<S>,
): FormAnswer<S, B> {
  const tokens = loads.map((members) => c.sum(members));
  const answer = solveLp(c, shape, alone, tokens, capsOf);
  const quotas = slots.map((members, e) => toMembers(c, members, loads[e], answer.kept[e]));
  return { ...answer, quotas };
}

/** ceil(inside / size of the cut), the cap of every GPU where all have the same speed. */
export function evenCaps<S, B>(c: Code<S, B>): CapsOf<S> {
  return (inside, member) => {
    const size = c.sum(member);
    const whole = c.quotient(inside, size);
    // A quotient is rounded towards zero: this is the ceiling for either sign.
    const cap = c.sum([whole, c.select(c.less(c.mul(whole, size), inside), c.whole(1), c.whole(0))]);
    return member.map(() => cap);
  };
}

/** Experts that were merged fill the replicas one after the other. */
function toMembers<S, B>(
  c: Code<S, B>,
  members: readonly (readonly number[])[],
  loads: readonly S[],
  kept: readonly S[],
): S[][][] {
  let left = kept;
  return members.map((counts, m) => {
    const isLast = m === members.length - 1;
    const served = isLast ? left : firstOf(c, loads[m], left);
    if (!isLast) left = left.map((amount, r) => c.sub(amount, served[r]));
    return counts.map((count, r) => toSlots(c, served[r], count));
  });
}

/** The first `load` tokens of those that replicas keep. */
function firstOf<S, B>(c: Code<S, B>, load: S, kept: readonly S[]): S[] {
  let unserved = load;
  return kept.map((amount, r) => {
    const taken = c.min(unserved, amount);
    if (r < kept.length - 1) unserved = c.sub(unserved, taken);
    return taken;
  });
}

/** Evenly, whole tokens to the first slots. */
export function toSlots<S, B>(c: Code<S, B>, amount: S, count: number): S[] {
  if (count === 1) return [amount];
  const whole = c.quotient(amount, c.whole(count));
  const rest = c.sub(amount, c.mul(whole, c.whole(count)));
  return Array.from({ length: count }, (_, i) =>
    c.sum([whole, c.select(c.less(c.whole(i), rest), c.whole(1), c.whole(0))]),
  );
}
