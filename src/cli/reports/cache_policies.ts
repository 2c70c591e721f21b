import type { CachePolicy } from "../../serving/caching/cache_policy.ts";
import { caching } from "../../serving/caching/caching.ts";
import type { CachingName } from "./simulation_setting.ts";

/** LEC in both of its forms, and all others. */
export type CachePolicyName = CachingName | "lec-confidence";

export const cachePolicyNames: readonly CachePolicyName[] = [
  ...(Object.keys(caching) as CachingName[]),
  "lec-confidence",
];

/** Those that go by neither sizes nor costs. */
export const goByUse: readonly CachePolicyName[] = ["lru", "lfu", "fifo", "s3fifo"];

/** What confidence bounds of costs want to know of a trace before it is served. */
export interface CacheTraceFigures {
  requests: number;
  objects: number;
  /** Of a miss: the least and the most. */
  costs: readonly [least: number, most: number];
}

export function cachePolicyOf(
  name: CachePolicyName,
  { requests, objects: keys, costs }: CacheTraceFigures,
): CachePolicy {
  return name === "lec-confidence" ? caching.lec({ costs, confidence: { requests, keys } }) : caching[name]();
}
