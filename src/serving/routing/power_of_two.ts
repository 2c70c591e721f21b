import { seeded } from "../../common/random.ts";
import type { RoutingPolicy } from "../policy.ts";
import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import { fcfsPolicy, keepsNothing } from "./fcfs_router.ts";
import { readLoad } from "./signals.ts";

/**
 * Power of two choices: of two different workers, drawn by the seed, the one with the lower load L_g; of equals the first drawn. They are
 * drawn from those whose memory holds the prompt and, where requests wait at the router, that have room. Only their loads are read.
 *
 * @throws {ArgumentError} It has no options.
 * @see M. Mitzenmacher, The power of two choices in randomized load balancing, IEEE Trans. Parallel Distrib. Syst. 12(10), 2001.
 */
export function powerOfTwo(options?: NoOptions): RoutingPolicy {
  requireNoOptions(options);
  return fcfsPolicy("power of two", (workers, { seed }) => {
    const random = seeded(seed);
    const load = workers.signal(readLoad);
    const open = new Int32Array(workers.count);
    return {
      ...keepsNothing,
      choose(input) {
        let count = 0;
        for (let g = 0; g < workers.count; g++) if (workers.open(g, input)) open[count++] = g;
        if (count < 2) return count === 1 ? open[0] : -1;
        const first = random.below(count);
        const second = (first + 1 + random.below(count - 1)) % count;
        return load.of(open[second]) < load.of(open[first]) ? open[second] : open[first];
      },
      sent: (g, input) => load.add(g, input),
    };
  });
}
