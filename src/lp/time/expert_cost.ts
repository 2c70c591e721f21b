/**
 * What the tokens of one expert cost a GPU: not in proportion to their number, since a grouped GEMM reads the weights of every expert that has
 * any, computes in whole tiles, and does both at once. Sources: LPLB's README, "Limitations"; METRO, arXiv 2512.09277; arXiv 2605.01280.
 */
import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { MAX_TOKENS, type Numbers, requireNumbers } from "../../common/numbers.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";

/** max(perExpert, perToken x'), or perExpert + perToken x', of x tokens in whole tiles, x' = tile * ceil(x / tile); 0 of none. */
export interface ModelCost {
  model: "roofline" | "affine";
  /** Time to read an expert's weights; >= 0. */
  perExpert: number;
  /** Time of a token's arithmetic; >= 0, and one of the two is not 0. */
  perToken: number;
  /** Tokens of a tile, 1 by default. */
  tile?: number;
}

/** A measured curve: linear between (0, 0) and the points, and beyond the last two. */
export interface CurveCost {
  /** Ascending, >= 0; at least two. */
  tokens: Numbers;
  /** Of so many tokens; >= 0, never falling, 0 of none. */
  time: Numbers;
}

/** Time that an expert's tokens take in one slot, in a unit of the caller's, which base loads are in, too: c(x), with c(0) = 0. */
export type ExpertCost = ModelCost | CurveCost;

export interface Costed {
  /**
   * What the tokens in a slot cost its GPU: then time is balanced instead of tokens. For placements and whole tokens. Base loads are in the
   * caller's time, too: what a GPU does besides its experts.
   */
  cost?: ExpertCost;
}

/** A checked cost. */
export interface Curve {
  /** A copy. */
  readonly given: ExpertCost;
  /** c(x), x whole. */
  time(x: number): number;
  /**
   * The least time of an expert that has tokens, unit = c(1); and where c(x) = unit * ceil(x / tile) for all x, that tile: 1 where c is linear,
   * Infinity where it only counts activated experts. Then balancing is exact.
   */
  readonly unit: number;
  readonly tile: number | undefined;
  /** Ascending points (x, c(x)), x whole and > 0, between which c is linear but for tiles: the first at 1. */
  readonly points: readonly (readonly [x: number, time: number])[];
  /** Beyond the last point. */
  readonly slope: number;
  /** Tokens are counted in whole tiles of so many. */
  readonly rounding: number;
  /** Whether no split of an expert makes it cheaper: c(x + y) <= c(x) + c(y). */
  readonly subadditive: boolean;
}

const modelFields = { model: true, perExpert: true, perToken: true, tile: true } satisfies FieldsOf<ModelCost>;
const curveFields = { tokens: true, time: true } satisfies FieldsOf<CurveCost>;

/** Far enough from the ends of f64 that sums and quotients keep their precision. */
const LEAST = 1e-30;
const MOST = 1e30;

/** @throws {ArgumentError | ShapeError} It is no cost; the field is named. */
export function checkCost(cost: ExpertCost, argument = "cost"): Curve {
  if (typeof cost !== "object" || cost === null) {
    throw new ArgumentError(argument, `{ model, perExpert, perToken } or { tokens, time }`, cost);
  }
  return "model" in cost ? checkModel(cost, argument) : checkCurve(cost, argument);
}

/** The cost given with a problem, or as an option: in both places only if it is the same.  @throws {ArgumentError} They differ. */
export function oneCost(given: ExpertCost | undefined, option: ExpertCost | undefined): ExpertCost | undefined {
  if (given === undefined) return option;
  if (option === undefined) return given;
  requireSameCost(option, checkCost(given), "options.cost", "with the problem");
  return given;
}

/** @throws {ArgumentError} It is another cost, or none. */
export function requireSameCost(cost: ExpertCost, known: Curve | undefined, argument: string, where: string): void {
  const points = ({ given }: Curve) =>
    "model" in given
      ? [given.model, given.perExpert, given.perToken, given.tile ?? 1]
      : [...Array.from(given.tokens), ...Array.from(given.time)];
  const checked = points(checkCost(cost, argument));
  if (known && String(checked) === String(points(known))) return;
  throw new ArgumentError(argument, `none, or the same cost as ${where}`, "another");
}

/** A graph does not say what a slot holds.  @throws {ArgumentError} It has a cost all the same. */
export function refuseCost(graph: object): void {
  const { cost } = graph as Costed;
  if (cost === undefined) return;
  throw new ArgumentError("cost", "none in the edge form", cost, "The replica form says what each slot holds.");
}

function checkModel(cost: ModelCost, argument: string): Curve {
  requireObject(argument, cost, modelFields);
  const { model, perExpert, perToken, tile = 1 } = cost;
  if (model !== "roofline" && model !== "affine") {
    throw new ArgumentError(`${argument}.model`, `"roofline" or "affine"`, model);
  }
  for (const [name, value] of Object.entries({ perExpert, perToken })) {
    if (typeof value === "number" && (value === 0 || (value >= LEAST && value <= MOST))) continue;
    throw new ArgumentError(`${argument}.${name}`, `0, or a number within ${LEAST} to ${MOST}`, value);
  }
  if (perExpert === 0 && perToken === 0) {
    throw new ArgumentError(argument, "perExpert or perToken above 0", "both 0");
  }
  if (!Number.isInteger(tile) || tile < 1 || tile > MAX_TOKENS) {
    throw new ArgumentError(`${argument}.tile`, `an integer from 1 to ${MAX_TOKENS}`, tile);
  }
  const affine = model === "affine";
  const plain = affine
    ? (x: number) => (x > 0 ? perExpert + perToken * x : 0)
    : (x: number) => (x > 0 ? Math.max(perExpert, perToken * x) : 0);
  const time = tile === 1 ? plain : (x: number) => plain(tile * Math.ceil(x / tile));
  // A roofline turns between two whole numbers of tokens.
  const turn = affine || perToken === 0 ? 1 : Math.min(MAX_TOKENS, Math.ceil(perExpert / perToken));
  const onlyTiles = affine ? perExpert === 0 : perExpert <= perToken * tile;
  return {
    given: { model, perExpert, perToken, tile },
    time,
    unit: time(1),
    tile: perToken === 0 ? Infinity : onlyTiles ? tile : undefined,
    points: ascending([1, turn - 1, turn]).map((x) => [x, plain(x)]),
    slope: perToken,
    rounding: tile,
    subadditive: true,
  };
}

/** Each whole number above 0 once. */
function ascending(tokens: readonly number[]): number[] {
  return [...new Set(tokens.filter((x) => x >= 1))].sort((a, b) => a - b);
}

function checkCurve(cost: CurveCost, argument: string): Curve {
  requireObject(argument, cost, curveFields);
  const { tokens, time: measured } = cost;
  requireNumbers(`${argument}.tokens`, tokens);
  requireNumbers(`${argument}.time`, measured);
  if (tokens.length < 2) throw new ShapeError(`${argument}.tokens`, "at least two points", tokens.length);
  if (measured.length !== tokens.length) {
    throw new ShapeError(`${argument}.time`, `as many values as tokens, ${tokens.length}`, measured.length);
  }
  requirePoints(tokens, measured, argument);
  const last = tokens.length - 1;
  if (measured[last] === 0) throw new ArgumentError(`${argument}.time`, "a time above 0", "none");
  const zero = tokens[0] === 0 ? [] : [0];
  const xs = Float64Array.from([...zero, ...Array.from(tokens)]);
  const times = Float64Array.from([...zero, ...Array.from(measured)]);
  const time = (x: number) => interpolated(xs, times, x);
  const points = ascending([1, ...Array.from(tokens).flatMap((x) => [Math.floor(x), Math.ceil(x)])]);
  const pace = measured[last] / tokens[last];
  const linear = Array.from(tokens).every((x, i) => Math.abs(measured[i] - pace * x) <= ROUNDING * pace * x);
  const unit = time(1);
  const flat = unit > 0 && points.every((x) => time(x) === unit) && measured[last] === measured[last - 1];
  return {
    given: { tokens: Array.from(tokens), time: Array.from(measured) },
    time,
    unit,
    tile: linear ? 1 : flat ? Infinity : undefined,
    points: points.map((x) => [x, time(x)]),
    slope: (measured[last] - measured[last - 1]) / (tokens[last] - tokens[last - 1]),
    rounding: 1,
    subadditive: isSubadditive(time, points),
  };
}

function requirePoints(tokens: Numbers, time: Numbers, argument: string): void {
  for (let i = 0; i < tokens.length; i++) {
    const more = i === 0 ? tokens[i] >= 0 : tokens[i] > tokens[i - 1];
    if (typeof tokens[i] !== "number" || !more || !(tokens[i] <= MAX_TOKENS)) {
      const expected = i === 0 ? "a number >= 0" : `a number above tokens[${i - 1}] = ${tokens[i - 1]}`;
      throw new ArgumentError(`${argument}.tokens[${i}]`, `${expected}, at most ${MAX_TOKENS}`, tokens[i]);
    }
    const path = `${argument}.time[${i}]`;
    if (tokens[i] === 0 && time[i] !== 0) throw new ArgumentError(path, "0 of 0 tokens", time[i]);
    const least = i === 0 ? 0 : time[i - 1];
    const known = time[i] === 0 || (time[i] >= LEAST && time[i] <= MOST);
    if (typeof time[i] !== "number" || !known || time[i] < least) {
      const expected = i === 0 ? "0" : `time[${i - 1}] = ${least}, since more tokens never take less time`;
      throw new ArgumentError(path, `a number of at least ${expected}, within ${LEAST} to ${MOST}`, time[i]);
    }
  }
}

/** Linear between ascending points, at least two, and beyond them. */
export function interpolated(xs: Numbers, times: Numbers, x: number): number {
  let low = 0;
  let high = xs.length - 1; // beyond the end: the last two points
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  return x === xs[low] ? times[low] : times[low] + ((x - xs[low]) * (times[high] - times[low])) / (xs[high] - xs[low]);
}

/** Of quotients of two numbers. */
const ROUNDING = 1e-12;

/**
 * Whether c(x + y) <= c(x) + c(y) for all whole x and y > 0. The difference is linear where neither x nor y nor x + y passes one of the points, and
 * beyond the last of them constant: so it is least where two of the three are points.
 */
function isSubadditive(time: (x: number) => number, points: readonly number[]): boolean {
  return points.every((x) =>
    points.every((y) => {
      const cheaper = (a: number, b: number) => time(a) + time(b) < time(a + b) * (1 - ROUNDING);
      return !cheaper(x, y) && !(y > x && cheaper(x, y - x));
    }),
  );
}
