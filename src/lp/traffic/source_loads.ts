/** Whose tokens a batch's are: `sourceLoad`, and the checks of it. */
import { ArgumentError, LoadError, ShapeError } from "../../common/errors.ts";
import { flat, MAX_TOKENS, type Rows } from "../../common/numbers.ts";
import type { Distance } from "../../placement/distance.ts";
import type { Loads } from "../problem.ts";
import type { Topology } from "../topology.ts";

/** What sources have, added up expert by expert: of LPs first to end - 1 into rows of [B, E]. */
export interface SourceSums {
  batch: number;
  /** Values of an LP. */
  width: number;
  /** B * E */
  length: number;
  add(expertLoad: Float64Array, first: number, end: number): void;
}

/**
 * A copy of sourceLoad [B, S, E], and its sums over the sources.
 *
 * @throws {ArgumentError | ShapeError | LoadError} There are no distances, or a length or value is not as it should be.
 */
export function copySourceLoad(
  { experts }: Topology,
  distance: Distance | undefined,
  given: Rows,
): { sourceLoad: Int32Array; sums: SourceSums } {
  if (!distance) {
    const remedy = "Give the solver `distance`, or `nodes`.";
    throw new ArgumentError("sourceLoad", "none without distances", given, remedy);
  }
  const { sources } = distance;
  const width = sources * experts;
  const expected = `B * S * E values with S = ${sources} as in the distances, E = ${experts} and B >= 1`;
  const [row] = Array.isArray(given) ? given : [];
  if (sources > 1 && (row as ArrayLike<number> | undefined)?.length === experts && typeof row[0] === "number") {
    throw new ShapeError(
      "sourceLoad[0]",
      expected,
      experts,
      "Rows of one LP are its S rows: [[...], ...] in another pair of brackets.",
    );
  }
  const { values, path } = flat("sourceLoad", given, { S: sources, E: experts });
  const batch = values.length / width;
  if (!Number.isInteger(batch) || batch < 1) throw new ShapeError("sourceLoad", expected, values.length);
  const sourceLoad = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value: unknown = values[i];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > MAX_TOKENS) {
      throw new LoadError(path(i), `an integer from 0 to ${MAX_TOKENS}`, value);
    }
    sourceLoad[i] = value;
  }
  const add = (expertLoad: Float64Array, first: number, end: number) => {
    for (let row = first * sources; row < end * sources; row++) {
      const at = Math.floor(row / sources) * experts;
      for (let e = 0; e < experts; e++) expertLoad[at + e] += sourceLoad[row * experts + e];
    }
  };
  return { sourceLoad, sums: { batch, width, length: batch * experts, add } };
}

/** @throws {LoadError | ShapeError} What the sources have does not add up to the experts' loads. */
export function requireSums(expertLoad: ArrayLike<number>, sums: Loads): void {
  const { length } = sums.expertLoad;
  if (expertLoad.length !== length)
    throw new ShapeError("expertLoad", `${length} values as sourceLoad`, expertLoad.length);
  for (let i = 0; i < length; i++) {
    if (sums.expertLoad[i] === expertLoad[i]) continue;
    throw new LoadError(`expertLoad[${i}]`, `what the sources have, ${sums.expertLoad[i]} in all`, expertLoad[i]);
  }
}
