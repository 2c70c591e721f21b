import { ArgumentError, PlacementError, ShapeError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { checkCost, type ExpertCost } from "../../lp/time/expert_cost.ts";
import { type Placement, type PlacementLike, requireCount, sameSizes } from "../../placement/placement.ts";
import { checkHistory, type LoadHistory } from "../../planner/history.ts";
import { ExpertTimes } from "./expert_times.ts";
import { type Balance, balances, layerTimeOf } from "./layer_time.ts";

/**
 * The workers share the experts of MoE layers, and in each layer all wait for the GPU that is done last. A step takes, besides the longest step
 * time of a worker (which then is of everything else alone),
 *
 *   costUnit * sum over layers of max_g sum over the slots of g of c(quota)
 *
 * with the quotas that `balance` makes of the step's expert loads: those of a recorded step, scaled to tokens * topK and rounded to whole ones
 * that add up to it; tokens are all that are generated in the step, and those of prompts that are prefilled in it. What is scaled down far,
 * say to a tenth, is spread more evenly than so few tokens would be, and what is scaled up, less.
 *
 * Not counted: the exchange of tokens between GPUs, and how long the balancer takes. Steps of a prefill pool last what its own step time says.
 *
 * Each step is balanced when it comes, nothing is interpolated, and what has been found for a row and a number of tokens is remembered: by time, about
 * 25 us a layer of 32 experts on 8 GPUs, 0.15 ms of 256 on 32.
 */
export interface ExpertParallelism {
  /**
   * Recorded steps: step k of the simulation has the loads of row firstRow + k, and after the last row comes the first. Rows without tokens are left
   * out; a layer without tokens in a row takes no time then.
   */
  history: LoadHistory;
  /** [layers], or one for all: where the experts are, each in a slot at least. How many GPUs there are need not be how many workers. */
  placement: PlacementLike | readonly PlacementLike[];
  /**
   * "none": all tokens of an expert on its first replica. "even": equally many on each. "tokens": the exact answer to the LP. "time": balanced by `cost`,
   * the best split that the library's CPU solver finds. "bound": what no split of these loads beats, proven; what is left to gain.
   */
  balance: Balance;
  /** c(x): what x tokens of an expert take in a slot. */
  cost: ExpertCost;
  /** s per unit of time of the cost: 1 by default, 1e-6 for a cost in microseconds, as `expertCostRows` reads them. */
  costUnit?: number;
  /** Experts that a token goes to in each layer, shared ones apart; 1 by default: a step's loads add up to its tokens. */
  topK?: number;
  /** 0 by default. */
  firstRow?: number;
}

const fields: FieldsOf<ExpertParallelism> = {
  ...{ history: true, placement: true, balance: true, cost: true, costUnit: true, topK: true, firstRow: true },
};

/**
 * @throws {ArgumentError} A field is missing, unknown or out of range; there is no barrier, or the clock counts rounds.
 * @throws {LoadError} A load is negative or not finite, or all are 0.  @throws {PlacementError} An expert has no slot.
 */
export function expertTimesOf(given: ExpertParallelism, barrier: boolean, rounds: boolean): ExpertTimes {
  requireObject("experts", given, fields);
  if (!barrier) throw new ArgumentError("barrier", "true with experts, as a layer ends for all at once", barrier);
  if (rounds) throw new ArgumentError("clock", '"seconds" with experts, as a round has no time', "rounds");
  const { balance, costUnit = 1, firstRow = 0 } = given;
  if (!balances.includes(balance)) {
    throw new ArgumentError("experts.balance", balances.map((name) => `"${name}"`).join(" or "), balance);
  }
  const topK = requireCount("experts.topK", given.topK ?? 1);
  if (!(Number.isFinite(costUnit) && costUnit > 0)) throw new ArgumentError("experts.costUnit", "s, > 0", costUnit);
  if (!Number.isSafeInteger(firstRow) || firstRow < 0)
    throw new ArgumentError("experts.firstRow", "an integer >= 0", firstRow);
  const curve = checkCost(given.cost, "experts.cost");
  const history = checkHistory(given.history);
  const placements = placementsOf(given.placement, history);
  const layerTimes = placements.map((placement) => layerTimeOf(balance, placement, curve));
  return new ExpertTimes(history, layerTimes, costUnit, topK, firstRow);
}

function placementsOf(
  given: ExpertParallelism["placement"],
  { layers, experts }: Pick<LoadHistory, "layers" | "experts">,
): Placement[] {
  const list: readonly PlacementLike[] = Array.isArray(given) ? given : [given];
  if (list.length !== 1 && list.length !== layers) {
    throw new ShapeError("experts.placement", `1 placement, or ${layers}, one per layer`, list.length);
  }
  const placements = sameSizes("experts.placement", list);
  const { logicalExperts } = placements[0];
  if (logicalExperts !== experts) {
    throw new ShapeError("experts.placement", `placements of history.experts = ${experts} experts`, logicalExperts);
  }
  for (const [layer, { replicaCount }] of placements.entries()) {
    const lost = replicaCount.indexOf(0);
    if (lost < 0) continue;
    throw new PlacementError(`experts.placement[${layer}]`, `a slot for expert ${lost}`, "none");
  }
  return placements;
}
