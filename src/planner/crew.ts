import { openThreads } from "#threads";
import type { CheckedHistory } from "./history.ts";
import { type Caller, type LayerJob, type LayerTasks, layerTasks, type Setting, type Task } from "./layer_tasks.ts";
import type { Crew } from "./optimized.ts";

type Result<Name extends keyof LayerTasks> = Awaited<ReturnType<LayerTasks[Name]>>;
type Run = <Name extends keyof LayerTasks>(name: Name, task: Parameters<LayerTasks[Name]>[0]) => Promise<Result<Name>>;

/** Workers, or this thread. */
export interface OpenCrew extends Crew {
  /**
   * Takes the jobs in order, as many at once as there are threads, each with so many parts of the time until `end` ms from the opening as
   * `patience` says, of which there is one for each job that is left.
   */
  each(
    order: readonly LayerJob[],
    { end, patience }: { end: number; patience: number },
    take: (task: Task, run: Run) => Promise<void>,
  ): Promise<void>;
  close(): Promise<void>;
}

/** At most as many threads as are of use for so many jobs. The time begins to run. */
export async function openCrew(asked: number, jobs: number, given: Setting, caller: Caller): Promise<OpenCrew> {
  const wanted = Math.min(asked, jobs);
  const opened = wanted > 1 ? await openThreads<LayerTasks>(wanted, caller.signal) : undefined;
  const pool = opened && "run" in opened ? opened : undefined;
  const threads = pool?.count ?? 1;
  const setting = pool ? { ...given, history: shared(given.history) } : given;
  const run: Run = async <Name extends keyof LayerTasks>(
    name: Name,
    task: Parameters<LayerTasks[Name]>[0],
  ): Promise<Result<Name>> => {
    const inline = layerTasks[name] as (task: Task, caller: Caller) => Promise<Result<Name>>;
    if (!pool) return await inline(task, caller);
    try {
      return await pool.run(name, task);
    } catch (error) {
      caller.signal?.throwIfAborted();
      await inline({ ...task, budgetMs: 0 }, caller); // an error loses its class on the way from a thread: here it is thrown with it
      throw error;
    }
  };
  const begun = performance.now();
  return {
    threads,
    why: opened && "reason" in opened ? opened.reason : undefined,
    async each(order, { end, patience }, take) {
      let next = 0;
      const one = async () => {
        while (next < order.length) {
          const left = Math.max(0, begun + end - performance.now());
          const budgetMs = Math.min(left, (patience * left) / Math.ceil((order.length - next) / threads));
          await take({ ...order[next++], setting, budgetMs }, run);
        }
      };
      await Promise.all(Array.from({ length: threads }, one));
    },
    close: async () => pool?.close(),
  };
}

/** The same history in memory that threads share. */
function shared(history: CheckedHistory): CheckedHistory {
  const { loads } = history;
  const whole = loads instanceof Int32Array;
  const memory = new SharedArrayBuffer(loads.length * (whole ? Int32Array : Float64Array).BYTES_PER_ELEMENT);
  const copy = whole ? new Int32Array(memory) : new Float64Array(memory);
  copy.set(loads);
  return { ...history, loads: copy };
}
