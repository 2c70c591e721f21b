import { Pauses } from "../../common/pauses.ts";
import { type CacheBound, cacheBoundSteps } from "../../serving/caching/bound/cache_bound.ts";
import type { CacheTrace } from "../../serving/caching/cache_trace.ts";
import type { AtCapacity, Capacity } from "./cache_report.ts";

/** Bounds with their proofs, one for each capacity. */
export async function cacheBounds(
  trace: CacheTrace,
  capacities: readonly Capacity[],
  window: number | undefined,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<CacheBound[]> {
  const pauses = new Pauses(signal);
  const bounds: CacheBound[] = [];
  for (const { capacity } of capacities) {
    const steps = cacheBoundSteps(trace, { capacity, window });
    let step = steps.next();
    for (; !step.done; step = steps.next()) {
      if (!pauses.due) continue;
      onProgress((bounds.length + step.value) / capacities.length);
      await pauses.take();
    }
    bounds.push(step.value);
  }
  return bounds;
}

/** What was simulated, beside its bounds. */
export function besideBounds(simulated: readonly AtCapacity[], bounds: readonly CacheBound[]): AtCapacity[] {
  return simulated.map((at, i) => {
    const { cost, exact } = bounds[i];
    const policies = at.policies.map((one) => ({ ...one, ...(cost > 0 && { overBound: one.cost / cost }) }));
    return { ...at, bound: { cost, exact }, policies };
  });
}
