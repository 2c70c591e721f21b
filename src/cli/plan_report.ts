import { type OptimizedPlacements, type OptimizeOptions, optimizePlacement } from "../placement/optimize.ts";
import type { Placement } from "../placement/placement.ts";
import type { TokenMode } from "../problem.ts";
import { createSolver } from "../solver.ts";
import { pause } from "./interruption.ts";
import type { Layer } from "./layer_solvers.ts";
import type { LoadHistory } from "./load_file.ts";
import { eplbPlacements, firstSteps, loadsOf, splitSteps } from "./load_history.ts";
import { type Imbalance, ofSplits, type SplitName, splitOf, summarise } from "./split_imbalance.ts";

/** Imbalances on the measured steps: [L] of each layer, and of all together. */
export interface Measured {
  layers: (Record<SplitName, Imbalance> & {
    /** Steps with tokens; without any, imbalances are 1. */ batches: number;
  })[];
  all: Record<SplitName, Imbalance>;
}

/** Everything that `plan` has to say; `plan --json` prints it as it is. */
export interface PlanReport {
  source: string;
  steps: number;
  layers: number;
  experts: number;
  gpus: number;
  redundant: number;
  nodes: number;
  /** The placements are fitted to the first so many steps, */
  fittedSteps: number;
  /** and measured on these. */
  measuredSteps: number[];
  eplb: Measured;
  /** The placement in force, if there is one. */
  inForce?: Measured;
  optimized: Measured;
  /** What the search says of itself. */
  search: Omit<OptimizedPlacements, "placements">;
  seconds: number;
  /** [L][P] */
  placements: number[][];
}

export type PlanOptions = Pick<OptimizeOptions, "objective" | "seed" | "budgetMs" | "sharedTopology"> & {
  gpus: number;
  redundant: number;
  nodes: number;
  inForce?: Placement[];
  /** The most slots of a layer that may hold another expert than in force. */
  maxMoved?: number;
};

/** Optimises the placement of every layer for the first half of the history, and measures it beside EPLB's on the second half. */
export async function plan(
  history: LoadHistory,
  { gpus, redundant, nodes, inForce, maxMoved, ...options }: PlanOptions,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<{ report: PlanReport; placements: Placement[] }> {
  const { fittedSteps, measuredSteps } = splitSteps(history.steps);
  const eplb = eplbPlacements(history, fittedSteps, gpus, redundant, nodes);
  const start = performance.now();
  const { placements, ...search } = await optimizePlacement(firstSteps(history, fittedSteps), {
    ...options,
    ...{ gpus, redundant, nodes, onProgress, signal },
    ...(inForce ? { unchangedWeights: { placements: inForce, slots: maxMoved ?? history.experts + redundant } } : {}),
  });
  const seconds = (performance.now() - start) / 1e3;
  const measured = (placed: Placement[]) => measure(history, placed, measuredSteps, signal);
  const report: PlanReport = {
    source: history.source,
    steps: history.steps,
    layers: history.layers,
    experts: history.experts,
    ...{ gpus, redundant, nodes, fittedSteps, measuredSteps },
    eplb: await measured(eplb),
    inForce: inForce && (await measured(inForce)),
    optimized: await measured(placements),
    search,
    seconds,
    placements: placements.map(({ physicalToLogical }) => [...physicalToLogical]),
  };
  return { report, placements };
}

async function measure(
  history: LoadHistory,
  placements: Placement[],
  steps: number[],
  signal: AbortSignal,
): Promise<Measured> {
  const tokens: TokenMode = history.loads instanceof Int32Array ? "integer" : "fractional";
  const imbalances: Record<SplitName, number>[][] = [];
  for (const [index, placement] of placements.entries()) {
    await pause(signal);
    const layer: Layer = { placement, expertLoad: loadsOf(history, index, steps) };
    const solver = await createSolver(placement);
    const solution = await solver.solve(layer, { tokens, signal });
    solver.destroy();
    const ofBatches = Array.from({ length: solution.batch }, (_, lp) => splitOf(layer, solution, lp));
    imbalances.push(ofBatches.filter(({ mean }) => mean > 0).map(({ imbalance }) => imbalance));
  }
  const summary = (values: Record<SplitName, number>[]) =>
    ofSplits((name) => summarise(values.map((imbalance) => imbalance[name])));
  const layers = imbalances.map((values) => ({ ...summary(values), batches: values.length }));
  return { layers, all: summary(imbalances.flat()) };
}
