import { type NoOptions, requireNoOptions } from "../policy_options.ts";
import type { CachePolicy } from "./cache_policy.ts";
import { InLine } from "./in_line.ts";
import { Ordered } from "./ordered.ts";

/** Admits everything; what came first goes first, however often it is used. O(1). */
export function fifo(options?: NoOptions): CachePolicy {
  requireNoOptions(options);
  return { name: "fifo", create: () => new Ordered(new InLine(false)) };
}
