import { requireObject } from "../common/objects.ts";
import { Pauses } from "../common/pauses.ts";
import type { Form } from "./form.ts";
import { formOf } from "./forms.ts";
import {
  type EdgeProblem,
  isEdgeForm,
  type LoadBalanceProblem,
  problemFields,
  type ReplicaProblem,
  refuseInEdges,
  type SourceLoads,
} from "./problem.ts";
import type { EdgeSolution, ReplicaSolution, Solution, SourcedSolution, TimedSolution } from "./solution.ts";
import { solverOn } from "./solver.ts";
import { checkCall, type SolveOptions, type SolverOptions, solveFields, solverFields } from "./solver_options.ts";
import type { Costed } from "./time/expert_cost.ts";

/**
 * Spreads each expert's tokens over its replicas so that the most loaded GPU is done as early as possible, for B batches at once.
 *
 *   min max_g (b_g + sum_{r on g} x_r) / v_g   s.t.   sum_{r of e} x_r = w_e,  x >= 0
 *
 * In the edge form an edge [i, j] of capacity c lets GPU j take over up to c tokens of GPU i:
 *
 *   min max_g (load_g - sum_{e from g} f_e + sum_{e to g} f_e) / v_g   s.t.   0 <= f_e <= capacity_e
 *
 * @param problem  expertLoad: [B, E] tokens, finite and >= 0. Read, never written or kept. Likewise baseLoad, load and capacity.
 * Where `sourceLoad` says whose tokens are whose, and `distance` or `nodes` how far they go, it is of the splits with the least maximum one of least traffic,
 * sum distance[s, g] sourceQuota[s, r] over sources s and slots r on g.
 *
 * @param options.tokens  "integer" (default when every load is an integer) is optimal to the token; one LP's loads, with the magnitudes of
 *   base loads, may then add up to 2^31 - 1. "fractional" is the LP's own optimum, within 1e-6 where status is "optimal".
 * @param options.backend  "auto" (default), "webgpu" or "cpu".
 * @returns quota [B, P] tokens per physical slot, or flow [B, edges]; maxLoad and lowerBound [B] in tokens / speed; bottleneck, price.
 * @throws {ShapeError} A length disagrees with the topology.  @throws {LoadError} A load is negative, not finite or too large.
 * @throws {PlacementError} The graph names a GPU that is not there.  @throws {DeviceError} backend is "webgpu" and there is no device.
 * @throws {KernelError} backend is "webgpu" and the device's compiler refuses a kernel: a bug in this package.
 * @see DeepSeek, LPLB (2025); S. Mehrotra, SIAM J. Optim. 2(4), 1992.
 */
export async function solveLoadBalanceLP(
  problem: ReplicaProblem & Required<Costed>,
  options?: SolverOptions & SolveOptions,
): Promise<TimedSolution>;
export async function solveLoadBalanceLP(
  problem: ReplicaProblem,
  options: SolverOptions & SolveOptions & Required<Costed>,
): Promise<TimedSolution>;
export async function solveLoadBalanceLP(
  problem: ReplicaProblem & SourceLoads,
  options?: SolverOptions & SolveOptions,
): Promise<SourcedSolution>;
export async function solveLoadBalanceLP(
  problem: ReplicaProblem,
  options?: SolverOptions & SolveOptions,
): Promise<ReplicaSolution>;
export async function solveLoadBalanceLP(
  problem: EdgeProblem,
  options?: SolverOptions & SolveOptions,
): Promise<EdgeSolution>;
export async function solveLoadBalanceLP(
  problem: LoadBalanceProblem,
  options?: SolverOptions & SolveOptions,
): Promise<ReplicaSolution | EdgeSolution>;
export async function solveLoadBalanceLP(
  problem: LoadBalanceProblem,
  options: SolverOptions & SolveOptions = {},
): Promise<ReplicaSolution | EdgeSolution> {
  requireObject("options", options, { ...solverFields, ...solveFields });
  const edges = isEdgeForm<ReplicaProblem, EdgeProblem>(problem);
  if (edges) refuseInEdges(problem);
  requireObject("problem", problem, edges ? problemFields.edge : problemFields.replica);
  return edges
    ? solved(formOf(problem, options), problem, options)
    : solved(formOf(problem, options), problem, options);
}

async function solved<L, A extends object>(
  form: Form<L, A>,
  loads: L,
  options: SolverOptions & SolveOptions,
): Promise<Solution & A> {
  const call = await checkCall(form, loads, options, new Pauses(options.signal)); // before a device is looked for
  const solver = await solverOn(form, options);
  return solver.solveInTurn(call).finally(() => solver.destroy());
}
