import type { LayerTasks } from "./layer_tasks.ts";

/** Worker threads. */
export interface Threads {
  readonly count: number;
  /** @throws the signal's reason; or, as a plain Error, what the task throws. */
  run<Name extends keyof LayerTasks>(
    name: Name,
    task: Parameters<LayerTasks[Name]>[0],
  ): Promise<Awaited<ReturnType<LayerTasks[Name]>>>;
  close(): Promise<void>;
}

/** So many threads, which the signal ends; or why there are none. */
export type OpenThreads = (count: number, signal: AbortSignal | undefined) => Promise<Threads | { reason: string }>;
