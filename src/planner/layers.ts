import type { SolverOptions } from "../lp/solver_options.ts";
import type { ExpertCost } from "../lp/time/expert_cost.ts";
import type { Rows } from "./arrangement.ts";
import { openCrew } from "./crew.ts";
import { openFinder } from "./finder.ts";
import { type CheckedHistory, layerHistory } from "./history.ts";
import { type Draft, type LayerOutcome, meanRecorded } from "./layer.ts";
import type { Caller, LayerJob, Setting } from "./layer_tasks.ts";
import type { Objective } from "./objective.ts";
import { Pacer } from "./pacer.ts";
import { optimizeShared } from "./shared_graph.ts";

/** Checked options of a search. */
export interface SearchOptions extends Pick<SolverOptions, "backend" | "device" | "adapter"> {
  cost?: ExpertCost;
  objective: Objective;
  budgetMs: number;
  seed: number;
  threads: number;
  signal?: AbortSignal;
  onProgress?: (share: number) => void;
}

/** Optimises all layers, on one replica graph if there is one, and says who did it. The time begins to run. @internal */
export async function optimizeJobs(
  history: CheckedHistory,
  jobs: readonly LayerJob[],
  options: SearchOptions,
  graph?: Rows | "best",
) {
  const { cost, objective, budgetMs, seed, threads, signal } = options;
  const pacer = new Pacer(budgetMs, signal);
  const { finder, report } = await openFinder(threads > 1 ? { backend: "cpu" } : options);
  const why = threads > 1 && options.backend !== "cpu" ? { reason: "Worker threads solve on the CPU." } : {};
  const onPart = inSteps(jobs.length, graph ? 3 : 2, options.onProgress); // a draft, a search, and what a shared topology makes of it
  const setting = { history, cost, objective, seed };
  const ownMs = graph ? budgetMs / 2 : budgetMs;
  const work = { jobs, setting, threads, budgetMs: ownMs, finder, signal, onPart };
  const { outcomes, ranOut, crew } = await optimizeLayers(work);
  let shared: Awaited<ReturnType<typeof optimizeShared>> | undefined;
  if (graph) {
    const [{ machine, movable }] = jobs;
    const histories = jobs.map(({ layer }) => layerHistory(history, layer));
    const context = { machine, objective, find: finder(pacer), pacer, seed, kind: "any", movable } as const;
    shared = await optimizeShared(histories, outcomes, graph, context, onPart);
  }
  const all = shared?.outcomes ?? outcomes;
  return {
    outcomes: all,
    shared: shared?.graph,
    recorded: meanRecorded(all),
    evaluations: all.reduce((sum, { evaluations }) => sum + evaluations, 0),
    stoppedBy: ranOut || pacer.ranOut ? ("budget" as const) : ("search" as const),
    crew,
    ...report(),
    ...why,
  };
}

/** Of so many parts for each layer, calls back once for each layer's worth but the drafts'. */
function inSteps(layers: number, partsEach: number, onProgress: (share: number) => void = () => {}): () => void {
  const steps = layers * (partsEach - 1);
  let parts = 0;
  let told = 0;
  return () => {
    const step = Math.floor((++parts * steps) / (layers * partsEach));
    if (step > told) onProgress(step / steps);
    told = step;
  };
}

interface Work extends Caller {
  jobs: readonly LayerJob[];
  setting: Setting;
  threads: number;
  budgetMs: number;
  /** Called after each of two parts of a layer. */
  onPart: () => void;
}

/** Of the time, the share that may be gone when all layers have something to begin with. */
const DRAFTS_SHARE = 1 / 2;
/** So many layers' time may be taken by one that needs it: those first in turn have more to gain. */
const PATIENCE = 3;

/**
 * The outcome of each layer: first a draft of all, which takes little time and brings most; then each layer's search, those with most left to gain first.
 * A layer is one thread's work. What comes of it does not depend on the threads, unless time runs out.
 */
async function optimizeLayers({ jobs, setting, threads, budgetMs, onPart, ...caller }: Work) {
  const crew = await openCrew(threads, jobs.length, setting, caller);
  const drafts: Draft[] = [];
  const outcomes: LayerOutcome[] = [];
  let ranOut = false;
  try {
    await crew.each(jobs, { end: budgetMs * DRAFTS_SHARE, patience: PATIENCE }, async (task, run) => {
      const done = await run("draft", task);
      drafts[task.layer] = done.draft;
      ranOut ||= done.ranOut;
      onPart();
    });
    const promise = ({ layer }: LayerJob) => drafts[layer].worth;
    const order = [...jobs].sort((a, b) => promise(b) - promise(a));
    await crew.each(order, { end: budgetMs, patience: PATIENCE }, async (task, run) => {
      const done = await run("optimize", { ...task, draft: drafts[task.layer] });
      outcomes[task.layer] = done.outcome;
      ranOut ||= done.ranOut;
      onPart();
    });
  } finally {
    await crew.close();
  }
  return { outcomes, ranOut, crew: { threads: crew.threads, why: crew.why } };
}
