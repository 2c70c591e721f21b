/**
 * The solve of one LP with its topology as part of the text, over any Code: with names of shader values it writes the *specialised* kernel
 * (src/lp/kernels/generate.ts), with numbers it is that kernel's f64 twin. An interior point for each connected component gives x and a cut S;
 * x is rounded to whole tokens, which are moved until max load equals the bound of S exactly.
 *
 * The interior point stops on the dual bound, which needs no sorting.
 */
import type { Code, Variable } from "./field.ts";
import { constants, type Iterate, isOpen, measure, type NewtonShape } from "./newton.ts";
import { step } from "./predictor_corrector.ts";
import { type CapsOf, insideOf, pushRelabel, type WholeTokens } from "./push_relabel.ts";

const { MAX_ITERATIONS, LOAD_FLOOR, START_SLACK } = constants;

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

export interface LpAnswer<S, B> extends WholeTokens<S, B> {
  readonly iterations: S;
}

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
  return { ...pushRelabel(c, shape.experts, alone, tokens, x, member, capsOf), iterations };
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
  const inside = insideOf(c, newton.experts, b, w, inS);
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

/** Loads in tokens in, x in tokens out: shaders/lp/scaling.wgsl and interior_point.wgsl, but for the bound to stop at. */
function interiorPoint<S, B>(
  c: Code<S, B>,
  shape: NewtonShape,
  alone: readonly S[],
  tokens: readonly S[],
): { x: S[][]; y: S[]; iterations: S } {
  const { b, w, some } = scaled(c, shape, alone, tokens);
  const { begin, measured } = startPoint(c, shape, b, w);
  const state = variables(c, begin);
  const best = begin.x.map((row) => row.map((value) => c.variable(value)));
  const top = c.variable(c.constant(1e30));
  const dual = c.variable(c.constant(0));
  const iterations = c.variable(c.whole(0));
  let at = begin;
  let seen = measured;
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
      const open = isOpen(c, top.get(), bound);
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

/** Loads shifted so that none is negative, and scaled so that sum(load) = sum(v) = G; and whether there are any. */
function scaled<S, B>(
  c: Code<S, B>,
  { gpus, speed }: NewtonShape,
  alone: readonly S[],
  tokens: readonly S[],
): { b: S[]; w: S[]; some: B } {
  const zero = c.constant(0);
  const floor = c.constant(LOAD_FLOOR);
  const shift = alone
    .map((load, g) => timesConstant(c, c.sub(zero, load), 1 / speed[g]))
    .reduce((a, b) => c.max(a, b), zero);
  const total = c.sum([...alone, ...tokens, c.mul(shift, c.constant(gpus))]);
  const some = c.less(zero, total);
  const scale = c.select(some, c.div(c.constant(gpus), c.max(total, floor)), zero);
  const b = alone.map((load, g) => c.mul(c.sum([load, timesConstant(c, shift, speed[g])]), scale));
  return { b, w: tokens.map((load) => c.max(c.mul(load, scale), floor)), some };
}

/** Strictly feasible, so that there is no phase 1. */
function startPoint<S, B>(c: Code<S, B>, shape: NewtonShape, b: readonly S[], w: readonly S[]) {
  const { gpus, experts, speed } = shape;
  const evenly = experts.map((gs, e) => timesConstant(c, w[e], 1 / gs.length));
  const price = c.constant(1 / gpus);
  const begin: Iterate<S> = {
    x: experts.map((gs, e) => gs.map(() => evenly[e])),
    z: experts.map((gs) => gs.map(() => price)),
    y: b.map(() => price),
    s: [],
    t: c.constant(0),
  };
  const measured = measure(c, shape, b, w, begin);
  begin.t = c.sum([measured.top, c.constant(START_SLACK)]);
  begin.s = measured.carried.map((load, g) => c.sub(timesConstant(c, begin.t, speed[g]), load));
  return { begin, measured };
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
