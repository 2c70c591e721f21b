import {
  certify,
  type EdgeSolution,
  type ReplicaSolution,
  type SolveOptions,
  type SolverOptions,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import type { Instance } from "./instances.ts";

/** `solveLoadBalanceLP` on an instance of either form. */
export function solveInstance(
  { problem }: Instance,
  options: SolverOptions & SolveOptions,
): Promise<EdgeSolution | ReplicaSolution> {
  return solveLoadBalanceLP(problem, options);
}

export function certifyInstance({ problem }: Instance, solution: EdgeSolution | ReplicaSolution) {
  return certify(problem, solution);
}

/** "median 3, 95 % 5, max 7" of a list of figures. */
export function distribution(values: readonly number[], show = (value: number) => String(value)): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number) => show(sorted[Math.round(q * (sorted.length - 1))]);
  return `median ${at(0.5)}, 95 % ${at(0.95)}, max ${at(1)}`;
}
