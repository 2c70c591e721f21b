import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { RoutingPolicy } from "../policy.ts";
import { requireRange } from "../policy_options.ts";
import { fcfsPolicy } from "./fcfs_router.ts";
import { DEFAULT_BLOCKS, keepPrefix, type Prefix, requireBlocks, SentPrefixes } from "./prefixes.ts";
import { readRequests, type Signal } from "./signals.ts";

export interface CacheAwareOptions {
  /** Requests by which the fullest worker may exceed the emptiest; 64 by default. */
  balanceAbs?: number;
  /** Times the emptiest's requests that the fullest may have; 1.5 by default. */
  balanceRel?: number;
  /** Share of the prompt that must be cached at a worker for its sake to be chosen, 0 to 1; 0.3 by default. */
  cacheThreshold?: number;
  /** Blocks that are remembered of each worker: what its prefix cache holds, if that is known; 2^15 by default, SGLang's 2^26 characters. */
  blocks?: number;
}

const fields = {
  balanceAbs: true,
  balanceRel: true,
  cacheThreshold: true,
  blocks: true,
} satisfies FieldsOf<CacheAwareOptions>;

/**
 * SGLang's cache-aware router. With n_g requests running or waiting at worker g:
 *
 *   max n_g - min n_g > balanceAbs and max n_g > balanceRel min n_g:  the worker with the fewest requests;
 *   else, if a worker has been sent more than cacheThreshold of the prompt:  the one that has been sent the longest prefix of it;
 *   else the one that has been sent the fewest blocks, as they are remembered.
 *
 * Of equals the one with the fewest requests, then the lowest index (SGLang: any). It works on blocks instead of characters; requests
 * without blocks go by the number of requests where workers hold equally many blocks. Defaults are those of SGLang's launcher.
 *
 * @throws {ArgumentError} An option is unknown or out of its range.
 * @see SGLang, sgl-router/src/policies/cache_aware.rs; L. Zheng et al., SGLang, NeurIPS 2024.
 */
export function cacheAware(options: CacheAwareOptions = {}): RoutingPolicy {
  requireObject("options", options, fields);
  const { balanceAbs = 64, balanceRel = 1.5, cacheThreshold = 0.3, blocks = DEFAULT_BLOCKS } = options;
  requireRange("options.balanceAbs", balanceAbs, "a number >= 0", (x) => x >= 0);
  requireRange("options.balanceRel", balanceRel, "a number >= 1", (x) => x >= 1);
  requireRange("options.cacheThreshold", cacheThreshold, "a number from 0 to 1", (x) => x >= 0 && x <= 1);
  requireBlocks(blocks);
  return fcfsPolicy("cache-aware", (workers) => {
    const requests = workers.signal(readRequests);
    const prefixes = new SentPrefixes(workers.count, blocks);
    return {
      keep: keepPrefix,
      choose(input, prefix: Prefix | undefined) {
        prefixes.ask(input, prefix);
        if (outOfBalance(workers.count, requests, balanceAbs, balanceRel)) return workers.least(input, requests.of);
        const nearest = workers.least(input, prefixes.uncached, requests.of);
        if (nearest < 0 || input - prefixes.uncached(nearest) > cacheThreshold * input) return nearest;
        return workers.least(input, prefixes.size, requests.of);
      },
      sent(g) {
        requests.add(g, 1);
        prefixes.send(g);
      },
    };
  });
}

function outOfBalance(workers: number, requests: Signal, abs: number, rel: number): boolean {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  for (let g = 0; g < workers; g++) {
    least = Math.min(least, requests.of(g));
    most = Math.max(most, requests.of(g));
  }
  return most - least > abs && most > rel * least;
}
