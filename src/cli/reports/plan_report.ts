import type { TokenMode } from "../../lp/problem.ts";
import { createSolver } from "../../lp/solver.ts";
import type { Placement } from "../../placement/placement.ts";
import type { Spread } from "../../planner/arrangement.ts";
import type { Fitted } from "../../planner/history_needed.ts";
import type { Move } from "../../planner/moves.ts";
import type { Objective } from "../../planner/objective.ts";
import type { OptimizedPlacements } from "../../planner/optimized.ts";
import type { LoadHistory } from "../files/load_file.ts";
import { pause } from "../interruption.ts";
import { activeOf } from "../living_gpus.ts";
import type { Layer } from "./layer_solvers.ts";
import { eplbPlacements, loadsOf, meanLoads, ofSteps, tokenSteps } from "./load_history.ts";
import { historyWorth, type PlanBounds, planBounds, roomOf } from "./plan_bounds.ts";
import { choosePlacements, type PlanOptions } from "./plan_placements.ts";
import { type PlanTimes, planTimes } from "./plan_times.ts";
import { type Imbalance, ofSplits, type SplitName, splitOf, summarise } from "./split_imbalance.ts";
import { type Dropped, type StepSplit, splitSteps, unionOf } from "./step_split.ts";

/** Imbalances on the measured steps: [L] of each layer, and of all together. */
export interface Measured {
  layers: (Record<SplitName, Imbalance> & {
    /** Its measured steps, which all have tokens. A layer that never has any has none, and imbalances of 1. */ batches: number;
  })[];
  all: Record<SplitName, Imbalance>;
}

/** Everything that `plan` has to say; `plan --json` prints it as it is. */
export interface PlanReport extends Pick<StepSplit, "fittedTo" | "measuredOn">, PlanBounds {
  source: string;
  steps: number;
  layers: number;
  experts: number;
  gpus: number;
  redundant: number;
  nodes: number;
  /** Where the replicas of an expert may lie. */
  replicas: Spread;
  objective: Objective;
  tokens: TokenMode;
  /** Steps without tokens, which are neither fitted to nor measured. */
  dropped: Dropped;
  /** The placements are fitted to the first steps with tokens of each layer, so many of them at most, */
  fittedSteps: number;
  /** and measured on others; on these in some layer. */
  measuredSteps: number[];
  /** GPUs that died: all imbalances are among the others. */
  dead: number[];
  /** How many GPUs are new, those with the highest numbers. */
  newGpus: number;
  /** [L] experts that no living GPU holds in the placement in force. */
  lost: number[][];
  eplb: Measured;
  /** The placement in force, if there is one; where experts are lost, as repaired with the fewest moves. */
  inForce?: Measured;
  optimized: Measured;
  /** What ever more of the fitted steps are worth; empty where there are too few, or the search was not free. */
  historyWorth: Fitted[];
  /** With a cost. */
  time?: PlanTimes;
  /** What the search says of itself. */
  search: Omit<OptimizedPlacements, "placements">;
  seconds: number;
  /** What to load to get from the placement in force to this. */
  moves?: Move[];
  /** [L][P] */
  placements: number[][];
}

/** Optimises the placement of every layer for the first half of its steps with tokens, and measures it beside EPLB's on the second half. */
export async function plan(
  history: LoadHistory,
  options: PlanOptions,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<{ report: PlanReport; placements: Placement[] }> {
  const { gpus, redundant, nodes, objective, dead, inForce, cost } = options;
  const room = roomOf(history.experts, options);
  const active = activeOf(dead, gpus);
  const { withTokens, dropped } = tokenSteps(history);
  const { fitted, measured: steps, fittedTo, measuredOn } = splitSteps(withTokens);
  const eplb = eplbAmongLiving(meanLoads(history, fitted), options);
  const fittedHistory = ofSteps(history, fitted);
  const start = performance.now();
  // With a cost there are two plans: what the one for tokens would have cost is worth knowing.
  const half = cost ? { ...options, budgetMs: options.budgetMs / 2 } : options;
  const ofTokens = { ...half, cost: undefined };
  const plans = cost ? 2 : 1;
  const onPlan = (share: number) => onProgress(share / plans);
  const tokenPlan = await choosePlacements(fittedHistory, ofTokens, { onProgress: onPlan, signal });
  const onSecond = (share: number) => onProgress((1 + share) / plans);
  const chosen = cost ? await choosePlacements(fittedHistory, half, { onProgress: onSecond, signal }) : tokenPlan;
  const { placements, before, lost, moves, search } = chosen;
  const seconds = (performance.now() - start) / 1e3;
  const tokens: TokenMode = history.loads instanceof Int32Array ? "integer" : "fractional";
  const later = ofSteps(history, steps);
  const isFree = options.withHistory && !inForce && !cost && !options.sharedTopology;
  const placed = { eplb, before, tokenPlan: tokenPlan.placements, plan: placements };
  const measured = (placed: Placement[]) => measure(history, { placed, active }, steps, tokens, signal);
  const report: PlanReport = {
    source: history.source,
    steps: history.steps,
    layers: history.layers,
    experts: history.experts,
    ...{ gpus, redundant, nodes, replicas: room.replicas, objective, tokens, dropped },
    ...{ dead: [...dead], newGpus: inForce ? gpus - inForce[0].gpus : 0, lost },
    ...{ fittedSteps: fittedHistory.steps, measuredSteps: unionOf(steps), fittedTo, measuredOn },
    eplb: await measure(history, { placed: eplb, active: undefined }, steps, tokens, signal),
    inForce: before && (await measured(before)),
    optimized: await measured(placements),
    ...(await planBounds(later, options, signal)),
    historyWorth: isFree
      ? await historyWorth(fittedHistory, later, options, options.budgetMs - 1e3 * seconds, signal)
      : [],
    time: cost && (await planTimes(later, placed, options, cost, signal)),
    search,
    seconds,
    moves,
    placements: placements.map(({ physicalToLogical }) => [...physicalToLogical]),
  };
  return { report, placements };
}

/** EPLB's placements on the GPUs that are alive, with as many slots on each. */
function eplbAmongLiving(weight: readonly Float64Array[], options: PlanOptions): Placement[] {
  const [{ length: experts }] = weight;
  const { gpus, used, nodes, replicas } = roomOf(experts, options);
  return eplbPlacements(weight, gpus, used - experts, replicas === "within-node" ? nodes : 1);
}

/** @param steps  [L] those of each layer, all with tokens. */
async function measure(
  history: LoadHistory,
  { placed, active }: { placed: Placement[]; active: Uint8Array | undefined },
  steps: readonly number[][],
  tokens: TokenMode,
  signal: AbortSignal,
): Promise<Measured> {
  const imbalances: Record<SplitName, number>[][] = [];
  for (const [index, placement] of placed.entries()) {
    await pause(signal);
    if (steps[index].length === 0) {
      imbalances.push([]);
      continue;
    }
    const layer: Layer = { placement, active, expertLoad: loadsOf(history, index, steps[index]) };
    const solver = await createSolver(placement, { active });
    const solution = await solver.solve(layer, { tokens, signal });
    solver.destroy();
    const splitAt = splitOf(layer, solution);
    imbalances.push(steps[index].map((_, lp) => splitAt(lp).imbalance));
  }
  const summary = (values: Record<SplitName, number>[]) =>
    ofSplits((name) => summarise(values.map((imbalance) => imbalance[name])));
  const layers = imbalances.map((values) => ({ ...summary(values), batches: values.length }));
  return { layers, all: summary(imbalances.flat()) };
}
