import type { Curve } from "../time/expert_cost.ts";

/** The largest time of the table, that of 2^31 tokens, and the most that a token more may take there. */
const LARGEST_TIME = 2 ** 62;
const LARGEST_SLOPE = 2 ** 32 - 1;
const MOST_TOKENS = 2 ** 31;

/** Of cost_curve.wgsl: tokens of a unit where any number is one. */
const ANY = 2 ** 32 - 1;
/** Words before the points. */
const HEAD = 7;

/** A curve as cost_curve.wgsl reads it: points [x, c(x), slope] in whole numbers, and how the caller's time is counted in them. */
export function costTable({ points, slope, time, unit, tile, rounding, subadditive }: Curve): Uint32Array<ArrayBuffer> {
  const slopes = points.map(([x, at], i) => {
    const next = points[i + 1];
    return next ? (next[1] - at) / (next[0] - x) : slope;
  });
  const scale = Math.min(LARGEST_TIME / time(MOST_TOKENS), LARGEST_SLOPE / Math.max(...slopes, Number.MIN_VALUE));
  const table = new Uint32Array(HEAD + 4 * points.length);
  const floats = new Float32Array(table.buffer);
  const exponent = Math.floor(Math.log2(scale));
  table.set([points.length, rounding, tile === undefined ? 0 : Math.min(tile, ANY), subadditive ? 0 : 1]);
  floats[4] = scale / 2 ** exponent;
  table[5] = exponent; // i32
  floats[6] = unit > 0 ? 1 / unit : 0;
  for (const [i, [x, at]] of points.entries()) {
    const whole = Math.round(at * scale);
    const high = Math.floor(whole / 2 ** 32);
    table.set([x, whole - high * 2 ** 32, high, Math.round(slopes[i] * scale)], HEAD + 4 * i);
  }
  return table;
}
