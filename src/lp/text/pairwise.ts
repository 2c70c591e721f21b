/**
 * The start of a solve, over any Code: from an even split, two replicas of an expert at a time even out the times of their GPUs, as far as the
 * expert has tokens there.    [edge balancing: DeepSeek, LPLB, pull request 9 (2025)]
 *
 *   moved = over (T_i - T_j) / (1 / v_i + 1 / v_j), within -x_j .. x_i        T_g = load_g / v_g
 *
 * Alone it has no end and no proof. Here it only has to bring x near, and is left once it slows down: the exact finish does the rest.
 * Going farther than even, as successive over-relaxation does, halves the sweeps on tori and hypercubes.    [D. Young, 1954]
 */
import { type Code, moveOn, reduced, timesConstant, type Variable } from "./field.ts";

/** Of what evens two GPUs out. Of 1 to 1.7 this costs the least operations over cubes, hypercubes, tori and EPLB's placements. */
const OVER = 1.4;
/** The first sweeps go just to even, which is where most of the way on a cube ends. */
const EVEN_SWEEPS = 2;
/** Sweeps go on while the largest time falls by this share of its distance from the mean. */
const LEAST_FALL = 1 / 32;
/** Beyond, rounds of the finish are cheaper. Ordinary instances take at most 32: all of them on rings and tori, 3 to 10 on placements. */
const MAX_SWEEPS = 32;
/** Half a token from the mean is rounding. */
const CLOSE = 1 / 2;
const HUGE = 1e30;

export interface Balanced<S> {
  /** Per expert and replica, real tokens; of two replicas for the first alone, as the other has the rest. */
  readonly x: S[][];
  /** [G] load / speed under x. */
  readonly time: S[];
  readonly sweeps: S;
}

/** GPUs that experts connect, counted from 0. */
export interface PairwiseShape {
  /** GPUs of each expert's replicas, two or more. */
  readonly experts: readonly (readonly number[])[];
  /** [G] */
  readonly speed: readonly number[];
}

interface State<S> {
  readonly x: Variable<S>[][];
  readonly time: Variable<S>[];
}

/** @param mean  Of the times: no split has all of them lower. */
export function balancePairs<S, B>(
  c: Code<S, B>,
  shape: PairwiseShape,
  alone: readonly S[],
  tokens: readonly S[],
  mean: S,
): Balanced<S> {
  const { x, time } = evenSplit(c, shape, alone, tokens);
  const sweeps = c.variable(c.whole(0));
  const before = c.variable(c.constant(HUGE));
  const close = c.sum([mean, c.constant(CLOSE)]);
  c.loop(
    () => {
      const top = reduced(read(time), c.max);
      const fallen = c.sub(before.get(), top);
      before.set(top);
      const falls = c.less(c.mul(c.sub(top, mean), c.constant(LEAST_FALL)), fallen);
      return c.and(c.and(falls, c.less(close, top)), c.less(sweeps.get(), c.whole(MAX_SWEEPS)));
    },
    () => {
      const isFirst = c.less(sweeps.get(), c.whole(EVEN_SWEEPS));
      const over = c.select(isFirst, c.constant(1), c.constant(OVER));
      sweep(c, shape, tokens, over, { x, time });
      sweeps.set(c.sum([sweeps.get(), c.whole(1)]));
    },
  );
  return { x: x.map(read), time: read(time), sweeps: sweeps.get() };
}

function evenSplit<S, B>(
  c: Code<S, B>,
  { experts, speed }: PairwiseShape,
  alone: readonly S[],
  tokens: readonly S[],
): State<S> {
  const even = experts.map((gs, e) => c.mul(tokens[e], c.constant(1 / gs.length)));
  const terms = alone.map((load) => [load]);
  for (const [e, gs] of experts.entries()) for (const g of gs) terms[g].push(even[e]);
  return {
    x: experts.map((gs, e) => held(gs).map(() => c.variable(even[e]))),
    time: terms.map((loads, g) => c.variable(timesConstant(c, c.sum(loads), 1 / speed[g]))),
  };
}

/** The replicas of an expert whose tokens are held. */
const held = (gs: readonly number[]) => (gs.length === 2 ? gs.slice(0, 1) : gs);

/** Every expert once, replica after replica. */
function sweep<S, B>(
  c: Code<S, B>,
  { experts, speed }: PairwiseShape,
  tokens: readonly S[],
  over: S,
  state: State<S>,
): void {
  const x = state.x.map(read);
  const time = read(state.time);
  const shares = new Map<number, S>(); // what speeds of two GPUs make of `over`
  const shareOf = (v: number, w: number) => {
    const factor = 1 / (1 / v + 1 / w);
    if (!shares.has(factor)) shares.set(factor, c.mul(over, c.constant(factor)));
    return shares.get(factor)!;
  };
  for (const e of apart(experts)) {
    const gs = experts[e];
    for (let r = 1; r < gs.length; r++) {
      const [i, j] = [gs[r - 1], gs[r]];
      const share = shareOf(speed[i], speed[j]);
      const wanted = c.mul(c.sub(time[i], time[j]), share);
      const moved =
        gs.length === 2 ? moveBetween(c, x[e], wanted, tokens[e]) : moveOn(c, x[e], r, wanted, c.constant(0));
      time[i] = c.sub(time[i], timesConstant(c, moved, 1 / speed[i]));
      time[j] = c.sum([time[j], timesConstant(c, moved, 1 / speed[j])]);
    }
  }
  for (const [g, variable] of state.time.entries()) variable.set(time[g]);
  for (const [e, row] of state.x.entries()) for (const [r, variable] of row.entries()) variable.set(x[e][r]);
}

/** From the first of two replicas to the other, or back; returns how many, below 0 if back. */
function moveBetween<S, B>(c: Code<S, B>, held: S[], wanted: S, tokens: S): S {
  const [before] = held;
  held[0] = c.min(c.max(c.sub(before, wanted), c.constant(0)), tokens);
  return c.sub(before, held[0]);
}

/** The experts in an order in which those that follow each other share no GPU as far as can be, so that a machine may overlap them. */
function apart(experts: readonly (readonly number[])[]): number[] {
  const order: number[] = [];
  for (let left = [...experts.keys()]; left.length > 0; ) {
    const busy = new Set<number>();
    const later: number[] = [];
    for (const e of left) {
      const waits = experts[e].some((g) => busy.has(g));
      if (!waits) for (const g of experts[e]) busy.add(g);
      (waits ? later : order).push(e);
    }
    left = later;
  }
  return order;
}

const read = <S>(variables: readonly Variable<S>[]): S[] => variables.map((variable) => variable.get());
