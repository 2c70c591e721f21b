/** Whose tokens a batch's are: `sourceLoad`, and the checks of it. */
import { ArgumentError, LoadError, ShapeError } from "../../common/errors.ts";
import { flat, MAX_TOKENS, type Rows } from "../../common/numbers.ts";
import type { Pauses } from "../../common/pauses.ts";
import type { Distance } from "../../placement/distance.ts";
import type { Loads } from "../problem.ts";
import type { Topology } from "../topology.ts";

/**
 * A copy of sourceLoad [B, S, E], made before the first pause, and its sums over the sources [B, E].
 *
 * @throws {ArgumentError | ShapeError | LoadError} There are no distances, or a length or value is not as it should be.
 */
export async function checkSourceLoad(
  { experts }: Topology,
  distance: Distance | undefined,
  given: Rows,
  pauses: Pauses,
): Promise<{ sourceLoad: Int32Array; expertLoad: Float64Array }> {
  if (!distance) {
    const remedy = "Give the solver `distance`, or `nodes`.";
    throw new ArgumentError("sourceLoad", "none without distances", given, remedy);
  }
  const { sources } = distance;
  const { values, path } = flat("sourceLoad", given, { S: sources, E: experts });
  const width = sources * experts;
  const batch = values.length / width;
  if (!Number.isInteger(batch) || batch < 1) {
    const expected = `B * S * E values with S = ${sources} as in the distances, E = ${experts} and B >= 1`;
    throw new ShapeError("sourceLoad", expected, values.length);
  }
  const sourceLoad = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value: unknown = values[i];
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > MAX_TOKENS) {
      throw new LoadError(path(i), `an integer from 0 to ${MAX_TOKENS}`, value);
    }
    sourceLoad[i] = value;
  }
  const expertLoad = new Float64Array(batch * experts);
  await pauses.inPieces(batch, width, (first, end) => {
    for (let i = first * width; i < end * width; i++) {
      expertLoad[Math.floor(i / width) * experts + (i % experts)] += sourceLoad[i];
    }
  });
  return { sourceLoad, expertLoad };
}

/** @throws {LoadError | ShapeError} What the sources have does not add up to the experts' loads. */
export function requireSums({ expertLoad, batch }: Loads, sums: Loads): void {
  if (batch !== sums.batch) throw new ShapeError("sourceLoad", `B = ${batch} rows as expertLoad`, sums.batch);
  for (const [i, tokens] of expertLoad.entries()) {
    if (sums.expertLoad[i] === tokens) continue;
    throw new LoadError(`expertLoad[${i}]`, `what the sources have, ${sums.expertLoad[i]} in all`, tokens);
  }
}
