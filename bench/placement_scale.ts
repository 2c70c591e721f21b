/** How long does the search for placements take per layer, what is left of the imbalance on steps it has not seen, and what do cores help? */
import { type OptimizedPlacements, optimizePlacement, Placement, rebalanceExperts } from "../src/index.ts";
import { toTopology } from "../src/lp/forms.ts";
import { type Drift, driftingLoads } from "./drifting_loads.ts";
import type { Bench } from "./harness.ts";
import { type HeldOut, heldOut, requireLegal } from "./held_out.ts";
import { factor, type Placed, type Row } from "./row.ts";
import { type Timing, time } from "./timing.ts";

const QUESTION = "placement-scale";
const SEED = 12345;
/** The first half is fitted to, the second held out. */
const STEPS = 200;
const LAYERS = { quick: 2, full: 8 };
/** Of a search that takes seconds: its first call, whose answer is checked, is the warm-up. */
const RUNS = { samples: 3, leastSamples: 3, budgetMs: 0 };
/** More than a layer should need, so that the search ends by itself. */
const LAYER_BUDGET_MS = 120_000;
const TOKENS_PER_GPU = 8192;

export interface Size extends Omit<Drift, "steps" | "layers"> {
  gpus: number;
  redundant: number;
}

const sized = (gpus: number, experts: number, redundant: number, fluctuation: number): Size => {
  return { gpus, experts, redundant, fluctuation, assignments: gpus * TOKENS_PER_GPU };
};
const SIZES: Record<"quick" | "full", Size[]> = {
  quick: [sized(16, 128, 16, 0.25), sized(32, 256, 0, 0.25), sized(32, 256, 32, 0.25)],
  full: [
    sized(16, 128, 16, 0.15),
    sized(32, 256, 32, 0.15),
    sized(64, 256, 64, 0.15),
    sized(32, 256, 32, 0.4),
    ...[0, 32, 64].map((redundant) => sized(32, 256, redundant, 0.25)),
    { ...sized(32, 256, 32, 0.15), zipf: 1, assignments: 16_384, sampled: true },
  ],
};

export async function placementScale(bench: Bench): Promise<void> {
  const kind = bench.quick ? "quick" : "full";
  for (const size of SIZES[kind]) await comparePlacements(bench, size, LAYERS[kind], STEPS, bench.host.cores ?? 1);
}

/** Rows of EPLB, of the search on one thread and, if there are so many cores and layers, on more. */
export async function comparePlacements(bench: Bench, size: Size, layers: number, steps: number, cores: number) {
  const { gpus, experts, redundant } = size;
  const name = `EP${gpus} R${redundant} E${experts}, ${loadsOf(size)}`;
  const { history, fitted, unseen } = recorded(size, layers, steps);
  const add = (solver: string, [placement]: Placement[], timing: Timing, of: HeldOut, more: Partial<Placed> = {}) => {
    const work = { name, layers: [{ form: placement, topology: toTopology(placement, undefined) }], batch: layers };
    const row = bench.row(QUESTION, solver, work, timing);
    row.placed = { loads: loadsOf(size), imbalance: of.mean, p95: of.p95, ...more };
    return row;
  };
  const search = (threads: number) => {
    const budgetMs = layers * LAYER_BUDGET_MS;
    return optimizePlacement(history, { gpus, redundant, backend: "cpu", budgetMs, threads });
  };
  const measure = async ({ placements, evaluations: moves, stoppedBy, crew: { threads } }: OptimizedPlacements) => {
    for (const placement of placements) requireLegal(placement, size);
    const worth = await heldOut(placements, unseen, "lp");
    const timing = await time({ run: async () => void (await search(threads)) }, RUNS);
    const solver = `evenkeel plan + LP, ${threads} ${threads === 1 ? "thread" : "threads"}`;
    return add(solver, placements, timing, worth, { moves, stoppedBy, threads });
  };

  bench.onProgress(`${QUESTION}: ${name}`);
  const eplb = eplbOf(fitted, size);
  const took = await time({ run: () => void eplb() }, bench.effort);
  const even = add("EPLB, split evenly", eplb(), took, await heldOut(eplb(), unseen, "even"));
  const balanced = add("EPLB + LP", eplb(), took, await heldOut(eplb(), unseen, "lp"));
  const alone = await search(1);
  const single = await measure(alone);
  bench.note(`${name}: ${inWords(even, balanced, single)}`);
  const { found, why } = await onMoreThreads(search, Math.min(cores, layers), alone);
  if (found) {
    const together = await measure(found);
    bench.note(`${name}: ${found.crew.threads} threads take ${factor(together, single)} the time of one`);
  } else {
    single.placed = { ...single.placed!, why };
    bench.note(`${name}: one thread only: ${why}`);
  }
}

/** The answer of several threads, or why there is none.  @throws {Error} It is another answer. */
export async function onMoreThreads(
  search: (threads: number) => Promise<OptimizedPlacements>,
  threads: number,
  alone: OptimizedPlacements,
): Promise<{ found?: OptimizedPlacements; why?: string }> {
  if (threads < 2) return { why: "There is one layer, one core, or no worker thread." };
  const found = await search(threads);
  if (found.crew.threads === 1) return { why: found.crew.why };
  const answer = ({ placements, evaluations }: OptimizedPlacements) => JSON.stringify([placements, evaluations]);
  const comparable = found.stoppedBy === "search" && alone.stoppedBy === "search";
  if (comparable && answer(found) !== answer(alone)) {
    throw new Error(`${threads} threads have another answer than one.`);
  }
  return { found };
}

function loadsOf({ fluctuation, zipf, sampled, assignments }: Size): string {
  const kind = zipf === undefined ? "" : `Zipf ${zipf}, `;
  return `${kind}fluctuation ${fluctuation}${sampled ? `, ${assignments.toLocaleString("en")} drawn` : ""}`;
}

/** What the search is given, and both halves as rows of each layer. */
function recorded(size: Size, layers: number, steps: number) {
  const { experts } = size;
  const all = driftingLoads({ ...size, steps, layers }, SEED);
  const half = steps >> 1;
  const loads = all.subarray(0, half * layers * experts);
  return {
    history: { loads, steps: half, layers, experts },
    fitted: byLayer(loads, layers, experts),
    unseen: byLayer(all.subarray(loads.length), layers, experts),
  };
}

/** [steps, layers, E] as rows of each layer. */
function byLayer(loads: Int32Array, layers: number, experts: number): number[][][] {
  const steps = loads.length / (layers * experts);
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: steps }, (_, t) => {
      const at = (t * layers + layer) * experts;
      return Array.from(loads.subarray(at, at + experts));
    }),
  );
}

/** EPLB on the sums of the steps. */
function eplbOf(fitted: readonly number[][][], { gpus, experts, redundant }: Size): () => Placement[] {
  const weight = fitted.map((rows) => rows[0].map((_, e) => rows.reduce((sum, row) => sum + row[e], 0)));
  return () =>
    rebalanceExperts(weight, { replicas: experts + redundant, gpus }).physicalToLogical.map((map) =>
      Placement.fromPhysicalToLogical(map, { gpus }),
    );
}

function inWords(even: Row, balanced: Row, planned: Row): string {
  const worth = ({ placed }: Row) => `${placed!.imbalance.toFixed(4)} (95 %: ${placed!.p95.toFixed(4)})`;
  const { moves, stoppedBy } = planned.placed!;
  return [
    `imbalance held out ${worth(even)} by EPLB, ${worth(balanced)} with the LP, ${worth(planned)} as planned`,
    `${(planned.usPerLp / 1e6).toFixed(2)} s per layer, ${moves!.toLocaleString("en")} moves in ${planned.batch} layers, stopped by ${stoppedBy}`,
  ].join("; ");
}
