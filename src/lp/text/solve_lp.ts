/**
 * The solve of one LP with its topology as part of the text, over any Code: with names of shader values it writes the *specialised* kernel
 * (src/lp/kernels/generate.ts), with lanes of a WebAssembly module the CPU's *simd*, with names of variables C and CUDA; with numbers it is
 * the f64 twin of them all. Pairwise balancing for each connected component gives x and a cut S; x is rounded to whole tokens, which are moved
 * until max load equals the bound of S exactly.
 */
import { type Code, reduced, timesConstant } from "./field.ts";
import { balancePairs, type PairwiseShape } from "./pairwise.ts";
import { type CapsOf, insideOf, pushRelabel, type WholeTokens } from "./push_relabel.ts";

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
  readonly own: PairwiseShape;
}

export interface LpAnswer<S, B> extends WholeTokens<S, B> {
  /** Of pairwise balancing: the most of any component. */
  readonly sweeps: S;
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
  let sweeps = c.whole(0);
  for (const component of shape.components) {
    const { gpus, experts, own } = component;
    const b = gpus.map((g) => c.real(alone[g]));
    const w = experts.map((e) => c.real(tokens[e]));
    const speed = own.speed.reduce((sum, v) => sum + v);
    const everything = {
      bound: c.mul(c.sum([...b, ...w]), c.constant(1 / speed)),
      member: gpus.map(() => c.whole(1)),
    };
    if (experts.length === 0) {
      cuts.push(everything);
      continue;
    }
    const balanced = balancePairs(c, own, b, w, everything.bound);
    for (const [i, e] of experts.entries()) x[e] = balanced.x[i];
    sweeps = c.max(sweeps, balanced.sweeps);
    const late = latest(c, balanced.time, everything.bound);
    cuts.push(better(c, everything, cutOf(c, component, late, b, w)));
  }
  const member = bottleneckOf(c, shape, cuts).map((m) => c.variable(m));
  return { ...pushRelabel(c, shape.experts, alone, tokens, x, member, capsOf), sweeps };
}

/** A set S of GPUs of one component. */
interface Cut<S> {
  /** inside(S) / speed(S), as real numbers tell it. */
  bound: S;
  /** 0 or 1 for each GPU of the component. */
  member: readonly S[];
}

/** The GPUs nearer to the largest time than to the mean: what a bottleneck cannot give away keeps it there. */
function latest<S, B>(c: Code<S, B>, time: readonly S[], mean: S): S[] {
  const top = reduced(time, c.max);
  const middle = c.min(c.mul(c.sum([top, mean]), c.constant(1 / 2)), top); // rounding may put the mean above the top
  return time.map((t) => c.select(c.less(t, middle), c.whole(0), c.whole(1)));
}

function cutOf<S, B>(
  c: Code<S, B>,
  { own }: Component,
  member: readonly S[],
  b: readonly S[],
  w: readonly S[],
): Cut<S> {
  const inS = member.map((m) => c.real(m));
  const inside = insideOf(c, own.experts, b, w, inS);
  const speeds = own.speed.map((v, g) => timesConstant(c, inS[g], v));
  return { bound: c.div(inside, c.sum(speeds)), member };
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
  const top = reduced(
    cuts.map(({ bound }) => bound),
    c.max,
  );
  const member = new Array<S>(gpus);
  let open = c.whole(1); // several may be as good: the first is taken
  for (const [i, cut] of cuts.entries()) {
    const isTop = c.select(c.less(cut.bound, top), c.whole(0), open);
    open = c.sub(open, isTop);
    for (const [k, g] of components[i].gpus.entries()) member[g] = c.min(cut.member[k], isTop);
  }
  return member;
}
