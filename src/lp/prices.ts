import { checkActive } from "../placement/active.ts";
import { Placement } from "../placement/placement.ts";
import { requireSolution } from "./check_solution.ts";
import { type EdgeProblem, isEdgeForm, type LoadBalanceProblem, type ReplicaProblem } from "./problem.ts";
import type { EdgeSolution, ReplicaSolution } from "./solution.ts";

/**
 * What a token of each expert costs: the multiplier nu_e of "every token of e is served".
 *
 *   expertPrice[e] = min { price[g] : e has a replica on g, and g is alive };   0 if e is lost
 *
 * One token less of expert e ends the batch sooner by expertPrice[e], where the optimum is differentiable. And it bounds what a replica is
 * worth: one more replica of e on a GPU h saves at most expertLoad[e] * max(0, expertPrice[e] - price[h]), because the prices remain a
 * valid bound once h joins the minimum. So the experts to replicate are those with a price, outside the bottleneck. The bound is in
 * fractions: in whole tokens, with equal speeds, it is that number rounded up, for the maximum load is rounded up, too.
 *
 * Example. Two GPUs; expert 0 (90 tokens) only on GPU 0, expert 1 (10 tokens) only on GPU 1. t* = 90, bottleneck [0], price [1, 0],
 * expertPrice [1, 0]. A replica of expert 0 on GPU 1 saves at most 90 * (1 - 0) = 90; it really saves 40, since then t* = 50 and the
 * bottleneck is both GPUs. A replica of expert 1 on GPU 0 saves nothing, as its price says.
 *
 * @returns [B, E], or [B, edges] in the edge form, in units of time per token.
 * @throws {ArgumentError | ShapeError | LoadError} Not a problem, or not a solution of all its LPs.
 */
export function expertPrice(problem: ReplicaProblem, solution: ReplicaSolution): Float64Array;
export function expertPrice(problem: EdgeProblem, solution: EdgeSolution): Float64Array;
export function expertPrice(problem: LoadBalanceProblem, solution: ReplicaSolution | EdgeSolution): Float64Array;
export function expertPrice(problem: LoadBalanceProblem, solution: ReplicaSolution | EdgeSolution): Float64Array {
  const { batch, gpus } = requireSolution(problem, solution);
  const { price } = solution;
  const alive = checkActive((problem as ReplicaProblem).active, gpus, "problem.active");
  const edgeForm = isEdgeForm<ReplicaProblem, EdgeProblem>(problem);
  const placement = edgeForm ? undefined : Placement.of("problem.placement", problem.placement);
  const experts = placement?.logicalExperts ?? (problem as EdgeProblem).edges.length;
  const result = new Float64Array(batch * experts).fill(Infinity);
  for (let lp = 0; lp < batch; lp++) {
    const see = (expert: number, gpu: number) => {
      const i = lp * experts + expert;
      result[i] = Math.min(result[i], price[lp * gpus + gpu]);
    };
    if (!placement) {
      for (const [e, edge] of (problem as EdgeProblem).edges.entries()) for (const gpu of edge) see(e, gpu);
      continue;
    }
    const { physicalToLogical, gpuOf } = placement;
    for (const [slot, e] of physicalToLogical.entries()) if (e >= 0 && alive?.[gpuOf[slot]] !== 0) see(e, gpuOf[slot]);
  }
  return result.map((price) => (price === Infinity ? 0 : price)); // of the lost
}
