/** What placements cost in time on the measured steps, each as its tokens are split to be done soonest. */
import { createSolver } from "../../lp/solver.ts";
import { checkCost, type ExpertCost } from "../../lp/time/expert_cost.ts";
import type { Placement } from "../../placement/placement.ts";
import { leastBusiest } from "../../planner/bound.ts";
import type { LoadHistory } from "../files/load_file.ts";
import { pause } from "../interruption.ts";
import { activeOf } from "../living_gpus.ts";
import { loadsOf, row, tokenSteps } from "./load_history.ts";
import { roomOf } from "./plan_bounds.ts";
import type { PlanOptions } from "./plan_placements.ts";
import { type Imbalance, summarise } from "./split_imbalance.ts";

/** Times of the GPU that is done last: of each layer, of its measured steps; 0 for a layer without. */
export interface Times {
  layers: Imbalance[];
  all: Imbalance;
}

export interface PlanTimes {
  eplb: Times;
  /** The placement in force, or as repaired. */
  inForce?: Times;
  /** The plan made for tokens, split for time like the others. */
  tokenPlan: Times;
  plan: Times;
  /** Whatever the placement of so many slots. */
  bound: Times;
}

interface Placed {
  eplb: Placement[];
  before: Placement[] | undefined;
  tokenPlan: Placement[];
  plan: Placement[];
}

/** @param later  The measured steps, in whole tokens.  @param cost  The options' own. */
export async function planTimes(
  later: LoadHistory,
  { eplb, before, tokenPlan, plan }: Placed,
  options: PlanOptions,
  cost: ExpertCost,
  signal: AbortSignal,
): Promise<PlanTimes> {
  const active = activeOf(options.dead, options.gpus);
  const steps = tokenSteps(later).withTokens;
  const [room, curve] = [roomOf(later.experts, options), checkCost(cost)];
  const timesOf = async (placements: Placement[], alive: Uint8Array | undefined) => {
    const layers: number[][] = [];
    for (const [layer, placement] of placements.entries()) {
      await pause(signal);
      if (steps[layer].length === 0) {
        layers.push([]);
        continue;
      }
      const solver = await createSolver(placement, { active: alive, cost, backend: "cpu" });
      const { maxTime } = await solver.solve({ expertLoad: loadsOf(later, layer, steps[layer]) }, { signal });
      solver.destroy();
      layers.push([...maxTime]);
    }
    return summaries(layers);
  };
  return {
    eplb: await timesOf(eplb, undefined), // on the living alone
    inForce: before && (await timesOf(before, active)),
    tokenPlan: await timesOf(tokenPlan, active),
    plan: await timesOf(plan, active),
    bound: summaries(steps.map((own, layer) => own.map((step) => leastBusiest(room, row(later, step, layer), curve)))),
  };
}

function summaries(layers: number[][]): Times {
  const of = (times: number[]) => (times.length > 0 ? summarise(times) : { mean: 0, p95: 0, cvar: 0 });
  return { layers: layers.map(of), all: of(layers.flat()) };
}
