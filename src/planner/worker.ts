/** The entry of a worker thread (dist/worker.js): its exports are the tasks that it does. */
import { layerTasks } from "./layer_tasks.ts";

export const { draft, optimize, sketch } = layerTasks;
