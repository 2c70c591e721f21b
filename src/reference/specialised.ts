/**
 * The solve of one LP with its topology as part of the text, over any Code: with numbers it is the f64 twin, with names of shader values
 * it writes the *specialised* kernel. An interior point for each connected component gives x and a cut S; x is rounded to whole
 * tokens and repaired until max load equals the bound of S exactly.
 *
 * The interior point stops on the dual bound, which needs no sorting. The repair works on all GPUs at once, since straight-line code cannot
 * follow a path: levels are the distances to a GPU with room, over experts with tokens there, and tokens move from GPUs that hold too
 * much to any GPU of a lower level (a push-relabel flow with exact labels). GPUs that reach no room are a better cut.
 */
import type { Code, Variable } from "./field.ts";
import { constants, type Iterate, measure, type NewtonShape, step } from "./newton.ts";

const { MAX_ITERATIONS, TOLERANCE, LOAD_FLOOR, START_SLACK } = constants;

/** Rounds of the repair, moves of tokens or raises of the bound; beyond, the CPU finishes. Ordinary instances take 0 to 3. */
export const ROUND_LIMIT = 256;

/** What the text is written for: a topology without its labels. */
export interface LpShape {
  readonly gpus: number;
  /** [G] of mean 1. */
  readonly speed: readonly number[];
  /** GPUs of the replicas of each expert with a choice. No two experts have the same: those are one variable. */
  readonly experts: readonly (readonly number[])[];
  /** Each an LP of its own, but for the most loaded GPU of all. */
  readonly components: readonly Component[];
}

/** GPUs that experts connect. */
export interface Component {
  readonly gpus: readonly number[];
  readonly experts: readonly number[];
  /** The same with GPUs and experts counted from 0. */
  readonly newton: NewtonShape;
}

export interface LpAnswer<S, B> {
  /** Per expert and replica: whole tokens. */
  readonly kept: S[][];
  /** [G] 1 on the bottleneck set, 0 elsewhere. */
  readonly member: S[];
  readonly iterations: S;
  /** Rounds of the repair. */
  readonly moves: S;
  /** Whether every load is within the bound of the bottleneck set. */
  readonly closed: B;
}

/** How many whole tokens each GPU may hold by the time that a set of GPUs, `member` [G] of 0 and 1, needs for `inside` tokens. */
export type CapsOf<S> = (inside: S, member: readonly S[]) => S[];

/**
 * @param alone  [G] whole tokens that have no choice, of any sign.
 * @param tokens  [experts] whole tokens >= 0 of each expert with a choice.
 */
export function solveLp<S, B>(
  c: Code<S, B>,
  shape: LpShape,
  alone: readonly S[],
  tokens: readonly S[],
  capsOf: CapsOf<S>,
): LpAnswer<S, B> {
  const x: S[][] = [];
  const cuts: Cut<S>[] = [];
  let iterations = c.whole(0);
  for (const component of shape.components) {
    const { experts, newton } = component;
    const b = component.gpus.map((g) => c.real(alone[g]));
    const w = experts.map((e) => c.real(tokens[e]));
    const everything = cutOf(
      c,
      shape,
      component,
      b.map(() => c.whole(1)),
      b,
      w,
    );
    if (experts.length === 0) {
      cuts.push(everything);
      continue;
    }
    const solved = interiorPoint(c, newton, b, w);
    for (const [i, e] of experts.entries()) x[e] = solved.x[i];
    iterations = c.max(iterations, solved.iterations);
    cuts.push(better(c, everything, cutOf(c, shape, component, dearest(c, solved.y), b, w)));
  }
  const member = bottleneckOf(c, shape, cuts).map((m) => c.variable(m));
  return { ...repair(c, shape, alone, tokens, x, member, capsOf), iterations };
}

/** A set S of GPUs of one component. */
interface Cut<S> {
  /** inside(S) / speed(S) in tokens, as real numbers tell it. */
  bound: S;
  /** 0 or 1 for each GPU of the component. */
  member: readonly S[];
}

/** The GPUs of the larger prices: near the optimum prices are nearly 0 or the same. */
function dearest<S, B>(c: Code<S, B>, y: readonly S[]): S[] {
  const half = c.mul(
    c.constant(1 / 2),
    y.reduce((a, b) => c.max(a, b)),
  );
  return y.map((price) => c.select(c.less(price, half), c.whole(0), c.whole(1)));
}

function cutOf<S, B>(
  c: Code<S, B>,
  { speed }: LpShape,
  { gpus, newton }: Component,
  member: readonly S[],
  b: readonly S[],
  w: readonly S[],
): Cut<S> {
  const inS = member.map((m) => c.real(m));
  const inside = c.sum([
    ...b.map((load, g) => c.mul(load, inS[g])),
    ...newton.experts.map((gs, e) =>
      c.mul(
        w[e],
        gs.map((g) => inS[g]).reduce((a, i) => c.min(a, i)),
      ),
    ),
  ]);
  const speedInside = c.sum(gpus.map((g, i) => timesConstant(c, inS[i], speed[g])));
  return { bound: c.div(inside, speedInside), member };
}

function better<S, B>(c: Code<S, B>, one: Cut<S>, other: Cut<S>): Cut<S> {
  const isOther = c.less(one.bound, other.bound);
  return {
    bound: c.max(one.bound, other.bound),
    member: one.member.map((m, g) => c.select(isOther, other.member[g], m)),
  };
}

/** [G] the best of the components' cuts. */
function bottleneckOf<S, B>(c: Code<S, B>, { gpus, components }: LpShape, cuts: readonly Cut<S>[]): S[] {
  const top = cuts.map(({ bound }) => bound).reduce((a, b) => c.max(a, b));
  const member = new Array<S>(gpus);
  let open = c.whole(1); // several may be as good: the first is taken
  for (const [i, cut] of cuts.entries()) {
    const isTop = c.select(c.less(cut.bound, top), c.whole(0), open);
    open = c.sub(open, isTop);
    for (const [k, g] of components[i].gpus.entries()) member[g] = c.min(cut.member[k], isTop);
  }
  return member;
}

/** Loads in tokens in, x in tokens out: shaders/common/scaling.wgsl and interior_point.wgsl, but for the bound to stop at. */
function interiorPoint<S, B>(
  c: Code<S, B>,
  shape: NewtonShape,
  alone: readonly S[],
  tokens: readonly S[],
): { x: S[][]; y: S[]; iterations: S } {
  const { gpus, experts, speed } = shape;
  const zero = c.constant(0);

  // Loads shifted so that none is negative, and scaled so that sum(load) = sum(v) = G.
  const shift = alone
    .map((load, g) => timesConstant(c, c.sub(zero, load), 1 / speed[g]))
    .reduce((a, b) => c.max(a, b), zero);
  const total = c.sum([...alone, ...tokens, c.mul(shift, c.constant(gpus))]);
  const some = c.less(zero, total);
  const scale = c.select(some, c.div(c.constant(gpus), c.max(total, c.constant(LOAD_FLOOR))), zero);
  const b = alone.map((load, g) => c.mul(c.sum([load, timesConstant(c, shift, speed[g])]), scale));
  const w = tokens.map((load) => c.max(c.mul(load, scale), c.constant(LOAD_FLOOR)));

  const perReplica = <T>(of: (e: number, r: number) => T) => experts.map((gs, e) => gs.map((_, r) => of(e, r)));
  const evenly = experts.map((gs, e) => timesConstant(c, w[e], 1 / gs.length));
  const price = c.constant(1 / gpus);
  const begin: Iterate<S> = {
    x: perReplica((e) => evenly[e]),
    z: perReplica(() => price),
    y: b.map(() => price),
    s: [],
    t: zero,
  };
  const start = measure(c, shape, b, w, begin);
  begin.t = c.sum([start.top, c.constant(START_SLACK)]);
  begin.s = start.carried.map((load, g) => c.sub(timesConstant(c, begin.t, speed[g]), load));

  const state = variables(c, begin);
  const best = perReplica((e) => c.variable(evenly[e]));
  const top = c.variable(c.constant(1e30));
  const dual = c.variable(zero);
  const iterations = c.variable(c.whole(0));
  let at = begin;
  let seen = start;
  c.loop(
    () => {
      at = read(state);
      seen = measure(c, shape, b, w, at);
      c.when(c.less(seen.top, top.get()), () => {
        top.set(seen.top);
        for (const [e, row] of best.entries()) for (const [r, x] of row.entries()) x.set(at.x[e][r]);
      });
      const bound = c.max(dual.get(), seen.bound);
      dual.set(bound);
      const allowed = c.mul(c.constant(TOLERANCE), c.max(bound, c.constant(LOAD_FLOOR)));
      const open = c.less(allowed, c.sub(top.get(), bound));
      return c.and(c.and(open, some), c.less(iterations.get(), c.whole(MAX_ITERATIONS)));
    },
    () => {
      write(state, step(c, shape, b, w, at, seen.sumVy));
      iterations.set(c.sum([iterations.get(), c.whole(1)]));
    },
  );
  const perUnit = tokens.map((load, e) => c.div(load, w[e]));
  const x = best.map((row, e) => row.map((value) => c.mul(value.get(), perUnit[e])));
  return { x, y: state.y.map((value) => value.get()), iterations: iterations.get() };
}

/** Rounds x to whole tokens, and moves tokens until every load is within the bound of `member`, raised where it has to be. */
function repair<S, B>(
  c: Code<S, B>,
  { gpus, experts }: LpShape,
  alone: readonly S[],
  tokens: readonly S[],
  x: readonly (readonly S[])[],
  member: readonly Variable<S>[],
  capsOf: CapsOf<S>,
): Omit<LpAnswer<S, B>, "iterations"> {
  const zero = c.whole(0);
  const one = c.whole(1);
  const far = c.whole(gpus);
  const rounded = experts.map((gs, e) => {
    let left = tokens[e];
    const others = gs.slice(1).map((_, r) => {
      const amount = c.min(left, c.round(x[e][r]));
      left = c.sub(left, amount);
      return amount;
    });
    return [...others, left];
  });
  const heldBy = (kept: readonly (readonly S[])[]) => {
    const terms = alone.map((load) => [load]);
    for (const [e, gs] of experts.entries()) for (const [r, g] of gs.entries()) terms[g].push(kept[e][r]);
    return terms.map((loads) => c.sum(loads));
  };

  const kept = rounded.map((row) => row.map((amount) => c.variable(amount)));
  const cut = member.map((m) => m.get());
  const inside = c.sum([
    ...alone.map((load, g) => c.mul(load, cut[g])),
    ...experts.map((gs, e) =>
      c.mul(
        tokens[e],
        gs.map((g) => cut[g]).reduce((a, m) => c.min(a, m)),
      ),
    ),
  ]);
  const held = heldBy(rounded);
  const spare = capsOf(inside, cut).map((cap, g) => c.variable(c.sub(cap, held[g]))); // room left; tokens too many below 0
  const least = () => spare.map((value) => value.get()).reduce((a, b) => c.min(a, b));
  const rounds = c.variable(zero);

  c.loop(
    () => c.and(c.less(least(), zero), c.less(rounds.get(), c.whole(ROUND_LIMIT))),
    () => {
      rounds.set(c.sum([rounds.get(), one]));
      const now = kept.map((row) => row.map((amount) => amount.get()));
      const room = spare.map((value) => value.get());
      const level = levels(c, experts, now, room, far);
      const farthest = room.map((value, g) => c.select(c.less(value, zero), level[g], zero));
      const stuck = c.variable(farthest.reduce((a, b) => c.max(a, b)));
      c.when(c.less(stuck.get(), far), () => {
        const moved = push(c, experts, now, room, level);
        for (const [e, row] of kept.entries()) for (const [r, amount] of row.entries()) amount.set(moved.kept[e][r]);
        for (const [g, value] of spare.entries()) value.set(moved.room[g]);
      });
      c.when(c.less(c.whole(gpus - 1), stuck.get()), () => {
        // Every token on a GPU that reaches no room belongs to an expert without replicas elsewhere.
        const reached = level.map((value) => c.select(c.less(value, far), zero, one));
        for (const [g, value] of member.entries()) value.set(reached[g]);
        const load = heldBy(now);
        const caps = capsOf(c.sum(load.map((tokensHeld, g) => c.mul(tokensHeld, reached[g]))), reached);
        for (const [g, value] of spare.entries()) value.set(c.max(room[g], c.sub(caps[g], load[g])));
      });
    },
  );
  return {
    kept: kept.map((row) => row.map((amount) => amount.get())),
    member: member.map((m) => m.get()),
    moves: rounds.get(),
    closed: c.less(c.whole(-1), least()),
  };
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
        const next = c.sum([gs.map((g) => after[g]).reduce((a, b) => c.min(a, b)), c.whole(1)]);
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

function timesConstant<S, B>(c: Code<S, B>, value: S, factor: number): S {
  return factor === 1 ? value : c.mul(value, c.constant(factor));
}

type Variables<S> = { readonly [K in "x" | "z"]: Variable<S>[][] } & {
  readonly [K in "y" | "s"]: Variable<S>[];
} & { readonly t: Variable<S> };

function variables<S, B>(c: Code<S, B>, { x, z, y, s, t }: Iterate<S>): Variables<S> {
  const row = (values: readonly S[]) => values.map((value) => c.variable(value));
  return { x: x.map(row), z: z.map(row), y: row(y), s: row(s), t: c.variable(t) };
}

function read<S>({ x, z, y, s, t }: Variables<S>): Iterate<S> {
  const row = (values: readonly Variable<S>[]) => values.map((value) => value.get());
  return { x: x.map(row), z: z.map(row), y: row(y), s: row(s), t: t.get() };
}

function write<S>(state: Variables<S>, { x, z, y, s, t }: Iterate<S>): void {
  const row = (targets: readonly Variable<S>[], values: readonly S[]) => {
    for (const [i, target] of targets.entries()) target.set(values[i]);
  };
  for (const [e, targets] of state.x.entries()) row(targets, x[e]);
  for (const [e, targets] of state.z.entries()) row(targets, z[e]);
  row(state.y, y);
  row(state.s, s);
  state.t.set(t);
}
