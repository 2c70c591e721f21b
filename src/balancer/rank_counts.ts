/** What one of several ranks was told of the others, and the checks of it against its own counts. */
import { ArgumentError, LoadError, ShapeError } from "../common/errors.ts";
import { flat, MAX_TOKENS, type Rows } from "../common/numbers.ts";
import type { Distance } from "../placement/distance.ts";
import type { RankCounts } from "./types.ts";

/** Checked and copied. */
export interface CheckedRank {
  /** [L, E] of all ranks, and of those before this one. */
  counts: Int32Array<ArrayBuffer>;
  before: Int32Array<ArrayBuffer>;
  /** Where there are distances: this rank's number, and [L, S, E] the counts of each. */
  source?: { rank: number; bySource: Int32Array<ArrayBuffer> };
}

interface Sizes {
  layers: number;
  experts: number;
  distance: Distance | undefined;
}

/**
 * @param own  [L, E] this rank's counts.
 * @throws {ArgumentError | ShapeError | LoadError} A part is missing or not as it should be, or does not agree with this rank's counts.
 */
export function checkRank(told: Partial<RankCounts>, own: Int32Array, sizes: Sizes): CheckedRank {
  const { layers, experts, distance } = sizes;
  for (const name of distance ? (["rank", "bySource"] as const) : []) {
    if (told[name] !== undefined) continue;
    const remedy = "With distances every rank needs to know who has which tokens.";
    throw new ArgumentError(`rank.${name}`, "both rank and bySource", told[name], remedy);
  }
  for (const name of distance ? [] : (["rank", "bySource"] as const)) {
    if (told[name] !== undefined) throw new ArgumentError(`rank.${name}`, "none without distances", told[name]);
  }
  if (distance) return checkSources(told as Required<RankCounts>, own, distance, sizes);
  const counts = whole("rank.counts", told.counts!, { L: layers, E: experts });
  const before = whole("rank.before", told.before!, { L: layers, E: experts });
  requireTotals("rank.counts", counts, layers);
  for (let i = 0; i < counts.length; i++) {
    if (before[i] + own[i] <= counts[i]) continue;
    const least = `at least rank.before + this rank's own = ${before[i]} + ${own[i]}`;
    throw new LoadError(`rank.counts[${i}]`, least, counts[i]);
  }
  return { counts, before };
}

/** counts and before follow; where they are given all the same, they must be those. */
function checkSources(
  told: RankCounts & { rank: number; bySource: Rows },
  own: Int32Array,
  distance: Distance,
  sizes: Sizes,
) {
  const { layers, experts } = sizes;
  const { sources } = distance;
  const rank = requireRank("rank.rank", told.rank, distance);
  const bySource = whole("rank.bySource", told.bySource, { L: layers, S: sources, E: experts });
  const counts = new Int32Array(layers * experts);
  const before = new Int32Array(layers * experts);
  for (let i = 0; i < bySource.length; i++) {
    const s = Math.floor(i / experts) % sources;
    const at = Math.floor(i / (sources * experts)) * experts + (i % experts);
    if (counts[at] + bySource[i] > MAX_TOKENS) throw tooMany("rank.bySource", Math.floor(at / experts));
    counts[at] += bySource[i];
    if (s < rank) before[at] += bySource[i];
    if (s === rank && bySource[i] !== own[at]) {
      throw new LoadError(`rank.bySource[${i}]`, `this rank's own count, ${own[at]}`, bySource[i]);
    }
  }
  requireTotals("rank.bySource", counts, layers);
  for (const [name, sums] of Object.entries({ counts, before })) {
    const given = told[name as "counts" | "before"];
    const values = given === undefined ? sums : whole(`rank.${name}`, given, { L: layers, E: experts });
    const wrong = values.findIndex((value, i) => value !== sums[i]);
    if (wrong < 0) continue;
    throw new LoadError(`rank.${name}[${wrong}]`, `what bySource adds up to, ${sums[wrong]}`, values[wrong]);
  }
  return { counts, before, source: { rank, bySource } };
}

/** Whose row of the distances it is. */
export function requireRank(argument: string, rank: unknown, { sources }: Distance): number {
  if (typeof rank === "number" && Number.isInteger(rank) && rank >= 0 && rank < sources) return rank;
  throw new ArgumentError(argument, `an integer from 0 to S - 1 = ${sources - 1}, a row of the distances`, rank);
}

function whole(argument: string, given: Rows, axes: Readonly<Record<string, number>>): Int32Array<ArrayBuffer> {
  const { L, ...row } = axes;
  const { values, path } = flat(argument, given, row);
  const length = Object.values(axes).reduce((a, b) => a * b);
  if (values.length !== length) {
    const [names, sizes] = [Object.keys(axes).join(" * "), Object.values(axes).join(" * ")];
    throw new ShapeError(argument, `${names} = ${sizes} = ${length} values`, values.length);
  }
  for (let i = 0; i < length; i++) {
    if (!Number.isInteger(values[i]) || values[i] < 0 || values[i] > MAX_TOKENS) {
      throw new LoadError(path(i), `an integer from 0 to ${MAX_TOKENS}`, values[i]);
    }
  }
  return Int32Array.from(values);
}

function requireTotals(argument: string, counts: Int32Array, layers: number): void {
  const experts = counts.length / layers;
  for (let layer = 0; layer < layers; layer++) {
    let total = 0;
    for (let i = layer * experts; i < (layer + 1) * experts; i++) total += counts[i];
    if (total > MAX_TOKENS) throw tooMany(argument, layer, total);
  }
}

const tooMany = (argument: string, layer: number, total: number = Infinity) =>
  new LoadError(argument, `a total of at most ${MAX_TOKENS} in layer ${layer}`, total);
