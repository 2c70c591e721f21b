/** What threads can do, each with plain data in and out. */
export type Tasks<T> = { readonly [Name in keyof T]: (task: never) => unknown };

/** Worker threads, which have nothing else to do. */
export interface Threads<T extends Tasks<T>> {
  readonly count: number;
  /** @throws the signal's reason; or, as a plain Error, what the task throws. */
  run<Name extends keyof T & string>(name: Name, task: Parameters<T[Name]>[0]): Promise<Awaited<ReturnType<T[Name]>>>;
  close(): Promise<void>;
}

/** So many threads, all of them ready, which the signal ends; or why there are none. Idle ones keep no program from its end. */
export type OpenThreads = <T extends Tasks<T>>(
  count: number,
  signal?: AbortSignal,
) => Promise<Threads<T> | { reason: string }>;
