import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import type { CachePolicy } from "./cache_policy.ts";
import { InLine } from "./in_line.ts";
import { Ordered } from "./ordered.ts";

/** Admits everything; the least recently used goes first. Neither sizes nor costs count. O(1). */
export function lru(options?: NoOptions): CachePolicy {
  requireNoOptions(options);
  return { name: "lru", create: () => new Ordered(new InLine(true)) };
}
