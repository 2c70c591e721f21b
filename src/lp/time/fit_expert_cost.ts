/** The cost of an expert's tokens from measured times. */
import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { MAX_TOKENS } from "../../common/numbers.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { type CurveCost, interpolated } from "./expert_cost.ts";
import { subadditiveHull } from "./subadditive_hull.ts";

/** A measured time of a layer's experts on one GPU. */
export interface CostRow {
  /** Of so many tokens, all of whose experts are there: tokens * topK assignments. A fraction where that is a GPU's share of a batch. */
  tokens: number;
  /** Experts that have any of them, from 1 to tokens * topK. The assignments are spread evenly over these. */
  activated: number;
  /** Experts of a token. */
  topK: number;
  /** In a unit of the caller's, which the cost is in, too; > 0. */
  time: number;
}

/** What measured times say. */
export interface FittedCost {
  /** Never falling; a point for each measured number of tokens. */
  cost: CurveCost;
  /** Subadditive and nowhere above `cost`; the same where that is subadditive. */
  hull: CurveCost;
  /** Leave-one-out: the mean over rows of |predicted - time| / time, each predicted without it. 0.05 is 5 %. */
  error: number;
}

/** A row, checked. */
interface Measured {
  assignments: number;
  activated: number;
  /** Tokens of an activated expert, */
  x: number;
  /** and the time of one. */
  time: number;
}

const rowFields = { tokens: true, activated: true, topK: true, time: true } satisfies FieldsOf<CostRow>;

/** Of time, far enough from the ends of f64; and the most tokens of an expert, each of which the hull looks at. */
const LEAST = 1e-20;
const MOST = 1e25;
const MOST_TOKENS = 2 ** 22;

/** Rows whose experts have so nearly equally many tokens count as one measurement: a slope between them would be noise. */
const SAME = 1.01;

/**
 * The cost curve c that fits measured times best: of all that never fall, the one with the least
 *
 *   sum over rows of | time - activated c(x) |,   x = tokens topK / activated,
 *
 * of several the lowest. Absolute errors let the rows with many activated experts speak: times of a few are mostly the kernel's launch, or
 * those of weights that stay in a cache. Rows within 1 % of each other in x are taken together.
 *
 * Between measured x the curve is linear, beyond the last two as between them. Below the least x it is level down to one token, as the weights are
 * read for any. What is not measured is not known: a table that ends where weights still bound the time says nothing of the arithmetic.
 *
 * `hull` is for whole tokens, and the largest subadditive curve nowhere above cost up to some number of tokens between the last point and
 * twice as many; beyond it a token costs the least that it does anywhere. It is `cost` itself where no split of an expert makes that cheaper.
 *
 * @param rows  of one kernel, one GPU and one shape of experts. Read, never written or kept.
 * @throws {ArgumentError} A row or a field of it is missing or out of range; it is named.
 * @throws {ShapeError} Fewer than two x are measured.
 */
export function fitExpertCost(rows: readonly CostRow[]): FittedCost {
  if (!Array.isArray(rows)) throw new ArgumentError("rows", "an array of { tokens, activated, topK, time }", rows);
  const measured = Array.from(rows, checkRow).sort((a, b) => a.x - b.x);
  const places = byTokens(measured).length;
  if (places < 2) {
    const expected = "rows with at least two numbers of tokens per activated expert, more than 1 % apart";
    throw new ShapeError("rows", expected, places);
  }
  const cost = curveOf(measured);
  return { cost, hull: subadditiveHull(cost), error: leaveOneOut(measured) };
}

function checkRow(row: CostRow, i: number): Measured {
  requireObject(`rows[${i}]`, row, rowFields);
  const require = (field: keyof CostRow, right: (value: number) => boolean, expected: string): number => {
    const value = row[field];
    if (typeof value !== "number" || !right(value)) throw new ArgumentError(`rows[${i}].${field}`, expected, value);
    return value;
  };
  const topK = require("topK", (k) => Number.isInteger(k) && k >= 1, "an integer >= 1");
  const countable = (tokens: number) => tokens * topK >= 1 && tokens * topK <= MAX_TOKENS;
  const assignments = topK * require("tokens", countable, `a number, tokens * topK being 1 to ${MAX_TOKENS}`);
  const shared = (experts: number) => experts >= 1 && experts <= assignments;
  const activated = require("activated", shared, `a number from 1 to tokens * topK = ${assignments}`);
  const x = assignments / activated;
  require("tokens", () => x <= MOST_TOKENS, `at most ${MOST_TOKENS} tokens * topK / activated`);
  const time = require("time", (time) => time >= LEAST && time <= MOST, `a number within ${LEAST} to ${MOST}`);
  return { assignments, activated, x, time: time / activated };
}

/** Ascending rows whose x is taken for the same. */
function byTokens(measured: readonly Measured[]): Measured[][] {
  const groups: Measured[][] = [];
  for (const row of measured) {
    const group = groups[groups.length - 1];
    if (group && row.x <= SAME * group[0].x) group.push(row);
    else groups.push([row]);
  }
  return groups;
}

/**
 * Pools adjacent violators: neighbours whose medians fall become one, with the median of both. Medians of the rows' times, weighted by activated
 * experts, are what the least absolute errors ask for (T. Robertson, F. T. Wright, Ann. Statist. 8, 1980).
 */
function curveOf(measured: readonly Measured[]): CurveCost {
  const pools: { xs: number[]; rows: Measured[]; time: number }[] = [];
  for (const group of byTokens(measured)) {
    let rows = group.slice().sort((a, b) => a.time - b.time);
    let xs = [meanTokens(group)];
    let time = weightedMedian(rows);
    for (let before = pools.at(-1); before && before.time > time; before = pools.at(-1)) {
      pools.pop();
      xs = [...before.xs, ...xs];
      rows = [...before.rows, ...rows].sort((a, b) => a.time - b.time);
      time = weightedMedian(rows);
    }
    pools.push({ xs, rows, time });
  }
  const points = pools.flatMap(({ xs, time }) => xs.map((x) => [x, time]));
  const [first, second] = points;
  if (first[0] > 1) points.unshift([1, first[1]]);
  else if (!second) points.push([2, first[1]]); // a single one says nothing of a slope
  return { tokens: points.map(([x]) => x), time: points.map(([, time]) => time) };
}

function meanTokens(group: readonly Measured[]): number {
  return total(group, "assignments") / total(group, "activated");
}

/** Of times in ascending order; the lower one of two. */
function weightedMedian(rows: readonly Measured[]): number {
  let left = total(rows, "activated") / 2;
  for (const { activated, time } of rows) {
    left -= activated;
    if (left <= 0) return time;
  }
  return rows[rows.length - 1].time;
}

const total = (rows: readonly Measured[], field: "assignments" | "activated") =>
  rows.reduce((sum, row) => sum + row[field], 0);

function leaveOneOut(measured: readonly Measured[]): number {
  const errors = measured.map(({ x, time }, i) => {
    const { tokens, time: times } = curveOf(measured.filter((_, j) => j !== i));
    return Math.abs(interpolated(tokens, times, x) - time) / time;
  });
  return errors.reduce((sum, error) => sum + error, 0) / errors.length;
}
