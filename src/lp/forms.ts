/** Which of the two forms something is in. */
import { PlacementError } from "../common/errors.ts";
import type { Numbers } from "../common/numbers.ts";
import { requireObject } from "../common/objects.ts";
import { type Active, type Activity, oneActive } from "../placement/active.ts";
import { type Distanced, oneDistance } from "../placement/distance.ts";
import { isPlacementLike, Placement, type PlacementLike } from "../placement/placement.ts";
import { type EdgeForm, edgeForm } from "./edge_form.ts";
import {
  type Graph,
  isEdgeForm,
  isReplicaProblem,
  type LoadBalanceProblem,
  oneSpeed,
  problemFields,
  type ReplicaProblem,
  refuseInEdges,
  type Speed,
} from "./problem.ts";
import { type ReplicaForm, replicaForm } from "./replica_form.ts";
import { type Costed, type ExpertCost, oneCost } from "./time/expert_cost.ts";
import type { Topology } from "./topology.ts";

export type AnyForm = EdgeForm | ReplicaForm;

type AnyProblem = PlacementLike | (Graph & Speed) | LoadBalanceProblem;

/**
 * The form of a placement, a graph, or the problem on one, whose loads are not read.
 *
 * @param options  speed, active, cost and distances, where they are not part of the problem.
 * @throws {PlacementError | ArgumentError | ShapeError} The topology, a speed or `active` is not as it should be.
 */
export function formOf(given: Graph & Speed, options: Speed & Activity & Costed & Distanced): EdgeForm;
export function formOf(
  given: PlacementLike | ReplicaProblem,
  options: Speed & Activity & Costed & Distanced,
): ReplicaForm;
export function formOf(given: AnyProblem, options: Speed & Activity & Costed & Distanced): AnyForm;
export function formOf(given: AnyProblem, options: Speed & Activity & Costed & Distanced): AnyForm {
  const whole = isReplicaProblem(given) ? given : undefined;
  if (whole) requireObject("problem", whole, problemFields.replica);
  const speed = oneSpeed((given as Speed | undefined)?.speed, options.speed);
  const active = oneActive(whole?.active, options.active);
  const cost = oneCost(whole?.cost, options.cost);
  if (whole && !isPlacementLike(whole.placement)) throw neither(whole.placement);
  const placement = whole ? whole.placement : given;
  if (!isPlacementLike(placement)) {
    const { distance, nodes } = options;
    refuseInEdges({ distance, nodes });
    return formOn(placement as Graph, speed, active, cost);
  }
  const checked = Placement.of(whole ? "problem.placement" : "placement", placement);
  return replicaForm(checked, speed, active, cost, oneDistance(whole, options, checked.gpus));
}

function formOn(
  given: PlacementLike | Graph,
  speed: Numbers | undefined,
  active: Active | undefined,
  cost: ExpertCost | undefined,
): AnyForm {
  if (isPlacementLike(given)) return replicaForm(Placement.of("placement", given), speed, active, cost);
  if (!isEdgeForm<PlacementLike, Graph>(given)) throw neither(given);
  refuseInEdges({ active, cost });
  return edgeForm(given, speed);
}

const neither = (given: unknown) => new PlacementError("placement", "a Placement, or a graph { gpus, edges }", given);

/** Checks a placement or graph, its speeds, which GPUs are alive and what tokens cost, and brings both forms to one. */
export function toTopology(
  given: PlacementLike | Graph,
  speed: Numbers | undefined,
  active?: Active,
  cost?: ExpertCost,
): Topology {
  return formOn(given, speed, active, cost).topology;
}
