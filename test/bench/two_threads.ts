/** A program for scripts/run.mjs: the same search on one thread and on two. Prints how many threads worked at last, or why no more than one. */
import { driftingLoads } from "../../bench/drifting_loads.ts";
import { onMoreThreads } from "../../bench/placement_scale.ts";
import { optimizePlacement } from "../../src/index.ts";

const shape = { steps: 24, layers: 2, experts: 16 };
const loads = driftingLoads({ ...shape, assignments: 4096, fluctuation: 0.3 }, 1);
const search = (threads: number) =>
  optimizePlacement({ ...shape, loads }, { gpus: 4, redundant: 4, backend: "cpu", threads });
const { found, why } = await onMoreThreads(search, 2, await search(1));
console.log(found?.crew.threads ?? why);
