import { aMax } from "./a_max.ts";
import { aMin } from "./a_min.ts";
import { fcfs } from "./fcfs.ts";
import { mcsf } from "./mcsf.ts";
import { nestedWait } from "./nested_wait.ts";
import { prices } from "./prices.ts";
import { priority } from "./priority.ts";
import { sjf } from "./sjf.ts";
import { sortedF } from "./sorted_f.ts";
import { svf } from "./svf.ts";
import { trail } from "./trail.ts";
import { wait } from "./wait.ts";

/**
 * Which of a worker's requests run: each makes a policy. All admit in an order of their own, and none where the one ahead of it does not fit. From `mcsf` to
 * `trail` they go by predicted outputs, and refuse requests without. `wait` and `nestedWait` step when enough requests have come together. `prices` goes by
 * predictions, too, and by the prices of memory of a trace that is known.
 */
export const scheduling = {
  fcfs,
  sjf,
  priority,
  mcsf,
  svf,
  sortedF,
  aMax,
  aMin,
  trail,
  wait,
  nestedWait,
  prices,
};
