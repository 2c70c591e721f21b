import { openThreads } from "#threads";
import type { SolverOptions } from "../lp/solver_options.ts";
import type { ExpertCost } from "../lp/time/expert_cost.ts";
import type { Rows } from "./arrangement.ts";
import { openFinder } from "./finder.ts";
import { type CheckedHistory, layerHistory } from "./history.ts";
import { type Draft, type LayerOutcome, meanRecorded } from "./layer.ts";
import { type Caller, type LayerJob, type LayerTasks, layerTasks, type Setting, type Task } from "./layer_tasks.ts";
import type { Objective } from "./objective.ts";
import { Pacer } from "./pacer.ts";
import { optimizeShared } from "./shared_graph.ts";

/** Who did the work. */
export interface Crew {
  /** Threads that worked, the caller's own where it is one. */
  threads: number;
  /** Why fewer than were asked for. */
  why: string | undefined;
}

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
  const onPart = inSteps(jobs.length, graph ? 3 : 2, options.onProgress); // a draft, a search, and what a shared topology makes of it
  const setting = { history, cost, objective, seed };
  const { outcomes, ranOut, crew } = await optimizeLayers({ jobs, setting, threads, budgetMs, finder, signal, onPart });
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

/**
 * The outcome of each layer: first a draft of all, which takes little time and brings most; then each layer's search, those with most left to gain first.
 * A layer is one thread's work. What comes of it does not depend on the threads, unless time runs out.
 */
async function optimizeLayers(work: Work): Promise<{ outcomes: LayerOutcome[]; ranOut: boolean; crew: Crew }> {
  const { jobs, threads, signal, onPart } = work;
  const asked = Math.min(threads, jobs.length);
  const opened = asked > 1 ? await openThreads(asked, signal) : undefined;
  const pool = opened && "run" in opened ? opened : undefined;
  const count = pool?.count ?? 1;
  const setting = pool ? { ...work.setting, history: shared(work.setting.history) } : work.setting;
  const run = <Name extends keyof LayerTasks>(name: Name, task: Parameters<LayerTasks[Name]>[0]) => {
    const inline = layerTasks[name] as (task: Task, caller: Caller) => ReturnType<LayerTasks[Name]>;
    return pool ? pool.run(name, task) : inline(task, work);
  };
  const begun = performance.now();
  let ranOut = false;

  /** Takes the jobs in order, as many at once as there are threads, each with its part of the time until `end`. */
  async function each(order: readonly LayerJob[], end: number, take: (task: Task) => Promise<{ ranOut: boolean }>) {
    let next = 0;
    const one = async () => {
      while (next < order.length) {
        const left = begun + end - performance.now();
        const budgetMs = Math.max(0, left) / Math.ceil((order.length - next) / count);
        const done = await take({ ...order[next++], setting, budgetMs });
        ranOut ||= done.ranOut;
        onPart();
      }
    };
    await Promise.all(Array.from({ length: count }, one));
  }

  const drafts: Draft[] = [];
  const outcomes: LayerOutcome[] = [];
  try {
    await each(jobs, work.budgetMs * DRAFTS_SHARE, async (task) => {
      const done = await run("draft", task);
      drafts[task.layer] = done.draft;
      return done;
    });
    const promise = ({ layer }: LayerJob) => drafts[layer].worth;
    const order = [...jobs].sort((a, b) => promise(b) - promise(a));
    await each(order, work.budgetMs, async (task) => {
      const done = await run("optimize", { ...task, draft: drafts[task.layer] });
      outcomes[task.layer] = done.outcome;
      return done;
    });
  } finally {
    await pool?.close();
  }
  const why = opened && "reason" in opened ? opened.reason : undefined;
  return { outcomes, ranOut, crew: { threads: count, why } };
}

/** The same history in memory that threads share. */
function shared(history: CheckedHistory): CheckedHistory {
  const { loads } = history;
  const whole = loads instanceof Int32Array;
  const memory = new SharedArrayBuffer(loads.length * (whole ? 4 : 8));
  const copy = whole ? new Int32Array(memory) : new Float64Array(memory);
  copy.set(loads);
  return { ...history, loads: copy };
}
