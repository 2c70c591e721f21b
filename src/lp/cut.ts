/**
 * The bound that a set S of GPUs proves. Whatever the split, the tokens of experts whose replicas all lie in S are served inside S:
 *
 *   inside(S) = sum_{g in S} b_g + sum of w_e over experts with every replica in S
 *   fractions:     t >= inside(S) / sum_{g in S} v_g
 *   whole tokens:  t >= min { t : sum_{g in S} floor(v_g t) >= inside(S) }
 *
 * By max-flow min-cut (Hall's condition for the capacities v_g t - b_g) the best S attains the optimum in both cases.
 */
import type { Topology } from "./topology.ts";

/** Whether expert e has replicas, all of them on GPUs of S. `member[g]` is non-zero where g is in S. */
export function isConfined({ replicaStart, replicaGpu }: Topology, e: number, member: ArrayLike<number>): boolean {
  const end = replicaStart[e + 1];
  let r = replicaStart[e];
  if (r === end) return false;
  while (r < end && member[replicaGpu[r]]) r++;
  return r === end;
}

/** inside(S) for one LP, without lost experts. Exact for whole tokens: every sum stays below 2^53. */
export function insideLoad(
  topology: Topology,
  expertLoad: ArrayLike<number>,
  baseLoad: ArrayLike<number> | undefined,
  lp: number,
  member: ArrayLike<number>,
): number {
  const { gpus, experts } = topology;
  let inside = 0;
  if (baseLoad) for (let g = 0; g < gpus; g++) if (member[g]) inside += baseLoad[lp * gpus + g];
  for (let e = 0; e < experts; e++) {
    if (isConfined(topology, e, member)) inside += expertLoad[lp * experts + e];
  }
  return inside;
}

/** No GPU can have this many tokens, base load and all. */
const PLENTY = 2 ** 40;

/**
 * The most whole tokens that a GPU of speed v serves by time t: the largest k with k / v <= t, both as f64 computes them. Or PLENTY: beyond
 * 2^53, where a GPU is many times as fast as the slowest, counting up by 1 would never end.
 */
export function wholeTokensBy(t: number, v: number): number {
  if (v * t > PLENTY) return PLENTY;
  let k = Math.floor(v * t);
  while ((k + 1) / v <= t) k++;
  while (k / v > t) k--;
  return k;
}

/** In whole tokens, of GPUs that all have speed v. */
export const evenBound = (inside: number, gpus: number, v: number): number => Math.ceil(inside / gpus) / v;

/**
 * The bound of S from inside(S) and the speeds of its GPUs. In whole tokens it is a time k / v_g at which some GPU of S has served a
 * token, so that it can equal a max load exactly in f64.
 */
export function cutBound(inside: number, speeds: readonly number[], tokens: "integer" | "fractional"): number {
  let speed = 0;
  for (const v of speeds) speed += v;
  const t = inside / speed;
  if (tokens === "fractional") return t;
  if (speeds.every((v) => v === speeds[0])) return evenBound(inside, speeds.length, speeds[0]);
  // By the time t each GPU may serve v t tokens; two fewer are surely too few in all. The bound is then the time of the
  // last token still missing, counted off in order of time.
  const served = speeds.map((v) => Math.ceil(v * t) - 2);
  let missing = inside;
  for (const k of served) missing -= k;
  let bound = -Infinity;
  for (; missing > 0; missing--) {
    let next = 0;
    for (let i = 1; i < speeds.length; i++) {
      if ((served[i] + 1) / speeds[i] < (served[next] + 1) / speeds[next]) next = i;
    }
    bound = ++served[next] / speeds[next];
  }
  return bound;
}
