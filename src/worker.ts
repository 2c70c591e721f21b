/** The entry of a worker thread (dist/worker.js): its exports are the tasks that it does. */
import { layerTasks } from "./planner/layer_tasks.ts";

export const { draft, optimize, sketch } = layerTasks;

/** Whether a thread has these tasks, to be known before it gets one. */
export const isReady = () => true;
