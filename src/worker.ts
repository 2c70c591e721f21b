/** The entry of a worker thread (dist/worker.js): its exports are the tasks that it does. */
import { batchTasks } from "./lp/batch_tasks.ts";
import { layerTasks } from "./planner/layer_tasks.ts";

export const { settleShare } = batchTasks;
export const { draft, optimize, sketch } = layerTasks;

/** Whether a thread has these tasks, to be known before it gets one. */
export const isReady = () => true;
