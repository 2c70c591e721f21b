import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { RoutingPolicy } from "../policy.ts";
import { fcfsPolicy } from "./fcfs_router.ts";
import { DEFAULT_BLOCKS, keepPrefix, type Prefix, requireBlocks, SentPrefixes } from "./prefixes.ts";
import { readPrefill, readRequests } from "./signals.ts";

export interface LmetricOptions {
  /** Blocks that are remembered of each worker: what its prefix cache holds, if that is known; 2^15 by default, as for `cacheAware`. */
  blocks?: number;
}

const fields = { blocks: true } satisfies FieldsOf<LmetricOptions>;

/**
 * LMetric: the worker with the least
 *
 *   (prompt tokens still to be prefilled there + tokens of this prompt that are not cached there) x (requests there + 1)
 *
 * where requests run or wait, and what the call has assigned already counts. Of this prompt at least one token is not cached: its last must
 * be computed, and workers that hold all of it are told apart. Of equals the one with the lowest index. What is cached is what the router
 * has sent there; without blocks nothing is, and without the signal `prefill` nothing is to be prefilled.
 *
 * @throws {ArgumentError} An option is unknown or out of its range.
 * @see D. Zhang et al., Simple is better: multiplication may be all you need for LLM request scheduling, arXiv 2603.15202.
 */
export function lmetric(options: LmetricOptions = {}): RoutingPolicy {
  requireObject("options", options, fields);
  const { blocks = DEFAULT_BLOCKS } = options;
  requireBlocks(blocks);
  return fcfsPolicy("LMetric", (workers) => {
    const requests = workers.signal(readRequests);
    const prefill = workers.signal(readPrefill);
    const prefixes = new SentPrefixes(workers.count, blocks);
    const added = (g: number) => Math.max(1, prefixes.uncached(g));
    const score = (g: number) => (prefill.of(g) + added(g)) * (requests.of(g) + 1);
    return {
      keep: keepPrefix,
      choose(input, prefix: Prefix | undefined) {
        prefixes.ask(input, prefix);
        return workers.least(input, score);
      },
      sent(g) {
        requests.add(g, 1);
        prefill.add(g, added(g));
        prefixes.send(g);
      },
    };
  });
}
