import { bfio } from "./bfio.ts";
import { cacheAware } from "./cache_aware.ts";
import { consistentHash } from "./consistent_hash.ts";
import { firstFit } from "./first_fit.ts";
import { leastKv } from "./least_kv.ts";
import { leastRequests } from "./least_requests.ts";
import { lmetric } from "./lmetric.ts";
import { powerOfTwo } from "./power_of_two.ts";
import { roundRobin } from "./round_robin.ts";
import { waitingRunning } from "./waiting_running.ts";

/**
 * Which worker gets which request: each makes a policy. All but `firstFit` and `bfio` send a request as soon as it has come, unless requests wait at
 * the router: then to workers with room only, first come first served. What is assigned in a call counts for the rest of it. A worker
 * whose whole memory is smaller than the prompt and a token gets none, unless no worker's is larger.
 */
export const routing = {
  roundRobin,
  firstFit,
  leastRequests,
  leastKv,
  powerOfTwo,
  waitingRunning,
  consistentHash,
  cacheAware,
  lmetric,
  bfio,
};
