import { tooWideForLane } from "../../lp/kernels/lane.ts";
import type { ReplicaLoads, TokenMode } from "../../lp/problem.ts";
import type { BackendName, ReplicaSolution } from "../../lp/solution.ts";
import { createSolver, type Solver } from "../../lp/solver.ts";
import { topologyOfPlacement } from "../../lp/topology.ts";
import type { Placement } from "../../placement/placement.ts";

/** A layer's placement, its loads [B, E] in B steps with tokens, and which GPUs are alive: all, if undefined. */
export interface Layer {
  placement: Placement;
  expertLoad: Float64Array;
  active?: Uint8Array;
}

/** A solver per layer, and what each of them said first. */
export interface LayerSolvers {
  solvers: Solver<ReplicaLoads, ReplicaSolution>[];
  solutions: ReplicaSolution[];
}

/** Runs over all layers that a median is taken of. */
export const RUNS = 5;

/** Solves every layer once, which compiles what there is to compile. `onLayer` is called after each. */
export async function solveLayers(
  layers: readonly Layer[],
  backend: BackendName,
  tokens: TokenMode,
  onLayer: () => void,
): Promise<LayerSolvers> {
  const solvers: LayerSolvers["solvers"] = [];
  const solutions: ReplicaSolution[] = [];
  for (const layer of layers) {
    // Every layer has a placement of its own: a kernel that they share, since compiling each would take longer than the demo.
    const { placement } = layer;
    const topology = topologyOfPlacement(placement, new Float64Array(placement.gpus).fill(1));
    const kernel = tooWideForLane([topology]) ? "group" : "lane";
    const solver = await createSolver(placement, { backend, kernel });
    solvers.push(solver);
    solutions.push(await solver.solve(layer, { tokens }));
    onLayer();
  }
  return { solvers, solutions };
}

/** Throws unless both gave every LP the same maximum load: to the token, or within the certified gaps of fractions. */
export function requireAgreement(a: LayerSolvers, b: LayerSolvers, tokens: TokenMode): void {
  for (const [layer, { batch, maxLoad, gap, backend }] of a.solutions.entries()) {
    const other = b.solutions[layer];
    for (let lp = 0; lp < batch; lp++) {
      const rounding = 1e-9; // of sums of f64, generously
      const tolerance = tokens === "integer" ? 0 : maxLoad[lp] * (gap[lp] + other.gap[lp] + rounding);
      if (Math.abs(maxLoad[lp] - other.maxLoad[lp]) <= tolerance) continue;
      const verdicts = `${maxLoad[lp]} (${backend}) and ${other.maxLoad[lp]} (${other.backend})`;
      throw new Error(
        `LP ${lp} of layer ${layer} has two optimal maximum loads: ${verdicts}. This is a bug in evenkeel.`,
      );
    }
  }
}

/** Median time per LP, end to end, of solving all layers one after the other, each as one batch. `onLayer` is called after each. */
export async function medianUsPerLp(
  layers: readonly Layer[],
  { solvers, solutions }: LayerSolvers,
  tokens: TokenMode,
  onLayer: () => void,
): Promise<number> {
  const lps = solutions.reduce((sum, { batch }) => sum + batch, 0);
  const runsUs: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    let us = 0;
    for (const [i, solver] of solvers.entries()) {
      const start = performance.now();
      await solver.solve(layers[i], { tokens });
      us += (performance.now() - start) * 1e3;
      onLayer(); // outside the time taken
    }
    runsUs.push(us / lps);
  }
  return runsUs.sort((a, b) => a - b)[(RUNS - 1) / 2];
}
