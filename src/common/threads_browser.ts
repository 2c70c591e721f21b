import type { OpenThreads } from "./threads.ts";

export const threadsAreSupported = false;

export const openThreads: OpenThreads = async () => ({ reason: "Worker threads are Node's." });
