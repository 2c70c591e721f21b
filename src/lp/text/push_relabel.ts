/**
 * The exact finish of the *specialised* kernel, over any Code. It works on all GPUs at once, since straight-line code cannot follow a
 * path: levels are the distances to a GPU with room, over experts with tokens there, and tokens move from GPUs that hold too much to any GPU
 * of a lower level (a push-relabel flow with exact labels). GPUs that reach no room are a better cut.
 */
import { type Code, moveOn, reduced, type Variable } from "./field.ts";

/** Rounds, each of which moves tokens or raises the bound; beyond, the CPU finishes. Ordinary instances take at most 8. */
const ROUND_LIMIT = 256;

/** Whole tokens, and the cut that proves them optimal. */
export interface WholeTokens<S, B> {
  /** Per expert and replica: whole tokens. */
  readonly kept: S[][];
  /** [G] 1 on the bottleneck set, 0 elsewhere. */
  readonly member: S[];
  /** Rounds. */
  readonly moves: S;
  /** Whether every load is within the bound of the bottleneck set. */
  readonly closed: B;
}

/** How many whole tokens each GPU may hold by the time that a set of GPUs, `member` [G] of 0 and 1, needs for `inside` tokens. */
export type CapsOf<S> = (inside: S, member: readonly S[]) => S[];

/** One LP. */
interface Problem<S> {
  /** The GPUs of each expert's replicas. */
  readonly experts: readonly (readonly number[])[];
  /** [G] tokens that have no choice. */
  readonly alone: readonly S[];
  readonly capsOf: CapsOf<S>;
}

interface State<S> {
  readonly kept: readonly (readonly Variable<S>[])[];
  /** [G] room left; tokens too many below 0. */
  readonly spare: readonly Variable<S>[];
  readonly member: readonly Variable<S>[];
}

/** Rounds x to whole tokens, and moves tokens until every load is within the bound of `member`, raised where it has to be. */
export function pushRelabel<S, B>(
  c: Code<S, B>,
  experts: readonly (readonly number[])[],
  alone: readonly S[],
  tokens: readonly S[],
  x: readonly (readonly S[])[],
  member: readonly Variable<S>[],
  capsOf: CapsOf<S>,
): WholeTokens<S, B> {
  const zero = c.whole(0);
  const rounded = roundToTokens(c, experts, tokens, x);
  const cut = member.map((m) => m.get());
  const inside = insideOf(c, experts, alone, tokens, cut);
  const held = heldBy(c, experts, alone, rounded);
  const caps = capsOf(inside, cut);
  const spilt = spill(
    c,
    experts,
    rounded,
    caps.map((cap, g) => c.sub(cap, held[g])),
  );
  const kept = spilt.kept.map((row) => row.map((amount) => c.variable(amount)));
  const spare = spilt.room.map((amount) => c.variable(amount));
  const least = () =>
    reduced(
      spare.map((value) => value.get()),
      c.min,
    );
  const rounds = c.variable(zero);
  c.loop(
    () => c.and(c.less(least(), zero), c.less(rounds.get(), c.whole(ROUND_LIMIT))),
    () => {
      rounds.set(c.sum([rounds.get(), c.whole(1)]));
      round(c, { experts, alone, capsOf }, { kept, spare, member });
    },
  );
  return {
    kept: kept.map((row) => row.map((amount) => amount.get())),
    member: member.map((m) => m.get()),
    moves: rounds.get(),
    closed: c.less(c.whole(-1), least()),
  };
}

/** Each expert's tokens, rounded with their sum kept: the last replica has the rest. */
function roundToTokens<S, B>(
  c: Code<S, B>,
  experts: readonly (readonly number[])[],
  tokens: readonly S[],
  x: readonly (readonly S[])[],
): S[][] {
  return experts.map((gs, e) => {
    let left = tokens[e];
    const others = gs.slice(1).map((_, r) => {
      const amount = c.min(left, c.round(x[e][r]));
      left = c.sub(left, amount);
      return amount;
    });
    return [...others, left];
  });
}

/**
 * Moves tokens from GPUs that hold too much to those with room that an expert connects them to: what rounding leaves is mostly that near. Between
 * two replicas, whichever has too much.
 */
function spill<S, B>(
  c: Code<S, B>,
  experts: readonly (readonly number[])[],
  rounded: readonly (readonly S[])[],
  spare: readonly S[],
): { kept: S[][]; room: S[] } {
  const zero = c.whole(0);
  const kept = rounded.map((row) => [...row]);
  const room = [...spare];
  for (const [e, gs] of experts.entries()) {
    for (let r = 1; r < gs.length; r++) {
      const [i, j] = [gs[r - 1], gs[r]];
      const excess = c.sub(zero, room[i]);
      // min(excess, room[j]) where that is above 0, from i to j; max(excess, room[j]) where it is below, back.
      const wanted = c.sum([c.max(c.min(excess, room[j]), zero), c.min(c.max(excess, room[j]), zero)]);
      const amount = moveOn(c, kept[e], r, wanted, zero);
      room[i] = c.sum([room[i], amount]);
      room[j] = c.sub(room[j], amount);
    }
  }
  return { kept, room };
}

/** [G] tokens on each GPU. */
function heldBy<S, B>(
  c: Code<S, B>,
  experts: readonly (readonly number[])[],
  alone: readonly S[],
  kept: readonly (readonly S[])[],
): S[] {
  const terms = alone.map((load) => [load]);
  for (const [e, gs] of experts.entries()) for (const [r, g] of gs.entries()) terms[g].push(kept[e][r]);
  return terms.map((loads) => c.sum(loads));
}

/** Moves tokens towards room, where every GPU that holds too much reaches some; else raises the bound. */
function round<S, B>(c: Code<S, B>, problem: Problem<S>, state: State<S>): void {
  const { experts } = problem;
  const { kept, spare } = state;
  const zero = c.whole(0);
  const far = c.whole(spare.length);
  const now = kept.map((row) => row.map((amount) => amount.get()));
  const room = spare.map((value) => value.get());
  const level = levels(c, experts, now, room, far);
  const farthest = room.map((value, g) => c.select(c.less(value, zero), level[g], zero));
  const stuck = c.variable(reduced(farthest, c.max));
  c.when(c.less(stuck.get(), far), () => {
    const moved = push(c, experts, now, room, level);
    for (const [e, row] of kept.entries()) for (const [r, amount] of row.entries()) amount.set(moved.kept[e][r]);
    for (const [g, value] of spare.entries()) value.set(moved.room[g]);
  });
  c.when(c.less(c.whole(spare.length - 1), stuck.get()), () => raise(c, problem, state, now, room, level));
}

/** The GPUs that reach no room are a better cut: every token on them belongs to an expert without replicas elsewhere. */
function raise<S, B>(
  c: Code<S, B>,
  { experts, alone, capsOf }: Problem<S>,
  { spare, member }: State<S>,
  now: readonly (readonly S[])[],
  room: readonly S[],
  level: readonly S[],
): void {
  const far = c.whole(spare.length);
  const reached = level.map((value) => c.select(c.less(value, far), c.whole(0), c.whole(1)));
  for (const [g, value] of member.entries()) value.set(reached[g]);
  const load = heldBy(c, experts, alone, now);
  const caps = capsOf(c.sum(load.map((held, g) => c.mul(held, reached[g]))), reached);
  for (const [g, value] of spare.entries()) value.set(c.max(room[g], c.sub(caps[g], load[g])));
}

/** inside(S): loads of the GPUs of S and of experts with every replica there; `member` is 0 or 1, whole or real like the loads. */
export function insideOf<S, B>(
  c: Code<S, B>,
  experts: readonly (readonly number[])[],
  alone: readonly S[],
  tokens: readonly S[],
  member: readonly S[],
): S {
  return c.sum([
    ...alone.map((load, g) => c.mul(load, member[g])),
    ...experts.map((gs, e) =>
      c.mul(
        tokens[e],
        reduced(
          gs.map((g) => member[g]),
          c.min,
        ),
      ),
    ),
  ]);
}

/** Distance of each GPU to one with room, over experts with tokens on it; `far` where there is none. */
function levels<S, B>(
  c: Code<S, B>,
  experts: readonly (readonly number[])[],
  kept: readonly (readonly S[])[],
  room: readonly S[],
  far: S,
): S[] {
  const zero = c.whole(0);
  const level = room.map((value) => c.variable(c.select(c.less(zero, value), zero, far)));
  const changed = c.variable(c.whole(1));
  c.loop(
    () => c.less(zero, changed.get()),
    () => {
      const before = level.map((value) => value.get());
      const after = [...before];
      for (const [e, gs] of experts.entries()) {
        const next = c.sum([
          reduced(
            gs.map((g) => after[g]),
            c.min,
          ),
          c.whole(1),
        ]);
        for (const [r, g] of gs.entries()) {
          after[g] = c.min(after[g], c.select(c.less(zero, kept[e][r]), next, far));
        }
      }
      for (const [g, value] of level.entries()) value.set(after[g]);
      changed.set(c.sub(c.sum(before), c.sum(after)));
    },
  );
  return level.map((value) => value.get());
}

/** Moves tokens from GPUs that hold too much to GPUs of lower levels, and into those with room no more than that. */
function push<S, B>(
  c: Code<S, B>,
  experts: readonly (readonly number[])[],
  kept: readonly (readonly S[])[],
  room: readonly S[],
  level: readonly S[],
): { kept: S[][]; room: S[] } {
  const zero = c.whole(0);
  const left = kept.map((row) => [...row]);
  const spare = [...room];
  for (const [e, gs] of experts.entries()) {
    for (const [r, from] of gs.entries()) {
      for (const [k, to] of gs.entries()) {
        if (k === r) continue;
        const excess = c.max(c.sub(zero, spare[from]), zero);
        const allowed = c.select(c.less(zero, level[to]), excess, c.max(spare[to], zero));
        const amount = c.select(c.less(level[to], level[from]), c.min(c.min(excess, left[e][r]), allowed), zero);
        left[e][r] = c.sub(left[e][r], amount);
        left[e][k] = c.sum([left[e][k], amount]);
        spare[from] = c.sum([spare[from], amount]);
        spare[to] = c.sub(spare[to], amount);
      }
    }
  }
  return { kept: left, room: spare };
}
