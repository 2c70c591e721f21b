import type { Pauses } from "../common/pauses.ts";
import type { Distance } from "../placement/distance.ts";
import type { Placement } from "../placement/placement.ts";
import type { Graph, Loads, TokenMode } from "./problem.ts";
import type { RawSolution } from "./solution.ts";
import type { Topology } from "./topology.ts";

/** How LPs are stated, and what is said of them besides the parts that all solutions have: `edgeForm` or `replicaForm`. */
export interface Form<L, A> {
  readonly name: "edge" | "replica";
  /** What it was made of. */
  readonly of: Placement | Graph;
  readonly topology: Topology;
  /** From the sources to all GPUs, if it was told. */
  readonly distance?: Distance;
  /** What a problem of this form may have: loads may come as part of one. */
  readonly fields: Readonly<Record<string, true>>;
  /**
   * Loads in replica form, copied before the first pause.
   *
   * @param tokens  by default "integer" where every load is an integer.
   * @throws {ShapeError | LoadError | ArgumentError} A length or value is not as it should be.
   */
  check(given: L, tokens: TokenMode | undefined, pauses: Pauses): Promise<Loads>;
  /** This form's own part of the solution. */
  answer(raw: RawSolution, loads: Loads, pauses: Pauses): Promise<A>;
}
