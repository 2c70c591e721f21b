import type { Loads } from "../../src/lp/problem.ts";
import type { Topology } from "../../src/lp/topology.ts";

/** The max load of LP `lp` under x [R] tokens per replica. */
export function maxLoadUnder(
  { gpus, replicaGpu, speed }: Topology,
  { baseLoad }: Loads,
  lp: number,
  x: ArrayLike<number>,
): number {
  const held = Array.from({ length: gpus }, (_, g) => baseLoad?.[lp * gpus + g] ?? 0);
  for (const [r, g] of replicaGpu.entries()) held[g] += x[r];
  return Math.max(...held.map((tokens, g) => tokens / speed[g]));
}
