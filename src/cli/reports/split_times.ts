/** What a cost says of a recording: when the last GPU is done by each way to split its tokens, beside what tokens say of imbalance. */
import { timeImbalance } from "../../balancer/twins/time_imbalance.ts";
import { createSolver } from "../../lp/solver.ts";
import type { SolverOptions } from "../../lp/solver_options.ts";
import { type Curve, checkCost } from "../../lp/time/expert_cost.ts";
import { livingSlots } from "../../placement/living_slots.ts";
import { type Objective, objectives, ofValues } from "../../planner/objective.ts";
import { type CostFile, unitOf } from "../files/cost_file.ts";
import type { Layer } from "./layer_solvers.ts";
import { type Regime, RegimeSurvey } from "./regime.ts";
import { evenQuota, inOrder } from "./split_imbalance.ts";

/**
 * The experts in order without replicas; equal parts for all slots of an expert; as the LP of tokens splits them; as time is balanced; and what no
 * split beats, proven.
 */
export const timings = ["originals", "even", "tokens", "time", "bound"] as const;
export type Timing = (typeof timings)[number];

/** Of the GPU that is done last, in the unit of the cost. */
export interface TimeSummary extends Record<Timing, Record<Objective, number>> {
  batches: number;
  /** Batches whose `time` is proven to be the least. */
  optimal: number;
  /** Mean of (time - bound) / time. */
  gap: number;
}

/** What `--cost` adds to a report. */
export interface TimeReport {
  cost: { source: string; unit: string; fit?: CostFile["fit"] };
  /** Steps that a row of the recording is the sum of: the loads are those of one. */
  stepsPerRow: number;
  regime: Regime;
  /** [L]; times of 0 for a layer without batches. */
  layers: TimeSummary[];
  all: TimeSummary;
}

/** [B] each. */
type Times = Record<Timing, ArrayLike<number>> & { gap: ArrayLike<number>; optimal: number };

function ofTimings<T>(value: (name: Timing) => T): Record<Timing, T> {
  return Object.fromEntries(timings.map((name) => [name, value(name)])) as Record<Timing, T>;
}

/** Times layer by layer. */
export class TimeTally {
  private readonly curve: Curve;
  private readonly survey: RegimeSurvey;
  private readonly layers: Times[] = [];

  constructor(
    private readonly cost: CostFile,
    private readonly stepsPerRow: number,
  ) {
    this.curve = checkCost(cost.cost);
    this.survey = new RegimeSurvey(this.curve);
  }

  /**
   * Balances the time of the next layer's batches, all in one call.
   *
   * @param quota  [B, P] as the LP of tokens splits them; nothing for a layer without batches.
   */
  async add(layer: Layer, quota: ArrayLike<number>, { backend }: Pick<SolverOptions, "backend">, signal?: AbortSignal) {
    const { placement, expertLoad, active } = layer;
    const { gpus, logicalExperts: experts, physicalExperts } = placement;
    const batch = expertLoad.length / experts;
    if (batch === 0) {
      this.layers.push({ ...ofTimings(() => []), gap: [], optimal: 0 });
      return;
    }
    const solver = await createSolver(placement, { active, backend, cost: this.cost.cost });
    const solution = await solver.solve({ expertLoad }, { signal });
    solver.destroy();

    const slots = livingSlots(placement, active);
    const even = new Int32Array(batch * physicalExperts);
    const originals = new Float64Array(batch);
    for (let lp = 0; lp < batch; lp++) {
      const loads = expertLoad.slice(lp * experts, (lp + 1) * experts);
      for (const e of solution.lost) loads[e] = 0;
      this.survey.add(loads);
      even.set(evenQuota(slots, loads), lp * physicalExperts);
      originals[lp] = Math.max(...inOrder(loads.map(this.curve.time), gpus, active));
    }
    const given = { cost: this.curve, speeds: new Float64Array(gpus).fill(1), base: undefined, active };
    const lastOf = (quota: ArrayLike<number>) => timeImbalance([slots], batch, quota, given).maxTime;
    this.layers.push({
      ...{ originals, even: lastOf(even), tokens: lastOf(quota), time: solution.maxTime, bound: solution.timeBound },
      gap: solution.timeGap,
      optimal: solution.status.filter((verdict) => verdict === "optimal").length,
    });
  }

  /** Of layers first to end - 1. */
  summary(first: number, end: number): TimeSummary {
    const layers = this.layers.slice(first, end);
    const values = (name: Timing | "gap") => Float64Array.from(layers.flatMap((layer) => Array.from(layer[name])));
    const times = (name: Timing) =>
      Object.fromEntries(objectives.map((objective) => [objective, summarised(objective, values(name))]));
    const gaps = values("gap");
    return {
      ...(ofTimings(times) as Record<Timing, Record<Objective, number>>),
      batches: gaps.length,
      optimal: layers.reduce((sum, { optimal }) => sum + optimal, 0),
      gap: summarised("mean", gaps),
    };
  }

  report(): TimeReport {
    const { source, fit } = this.cost;
    return {
      cost: { source, unit: unitOf(this.cost), ...(fit && { fit }) },
      stepsPerRow: this.stepsPerRow,
      regime: this.survey.regime(),
      layers: this.layers.map((_, layer) => this.summary(layer, layer + 1)),
      all: this.summary(0, this.layers.length),
    };
  }
}

/** Of no times: 0. */
function summarised(objective: Objective, times: Float64Array): number {
  return times.length === 0 ? 0 : ofValues(objective, times);
}
