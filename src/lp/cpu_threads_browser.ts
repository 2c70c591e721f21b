import type { openCpuThreads as inNode } from "./cpu_threads.ts";

/** Browsers have no worker threads of ours: there `threads` is 1. */
export const openCpuThreads: typeof inNode = () => undefined;
