import type { NewtonShape } from "./newton_system.ts";
import type { Scaled } from "./scaling.ts";

/** The best cut so far: its bound in scaled units, and [G] 1 on its GPUs. */
export interface Cut {
  bound: number;
  readonly member: Uint8Array;
}

/** The one cut known without prices: the GPU with most load that has no choice. */
export function hottestAlone({ gpus, speed }: NewtonShape, { b }: Scaled): Cut {
  const hottest = b.reduce((best, load, g) => (load / speed[g] > b[best] / speed[best] ? g : best), 0);
  const member = new Uint8Array(gpus);
  member[hottest] = 1;
  return { bound: b[hottest] / speed[hottest], member };
}

/**
 * Twin of shaders/lp/cut_sweep.wgsl: the G prefix sets of the GPUs in order of falling price, inside(S) / speed(S) of each. The best of them takes
 * the place of `best`, where it is better.
 */
export function sweepCuts(
  { gpus, experts, speed }: NewtonShape,
  { b, tokens, scale }: Scaled,
  y: readonly number[],
  best: Cut,
): void {
  const order = [...y.keys()].sort((g, k) => y[k] - y[g] || g - k);
  const rank = new Array<number>(gpus);
  for (const [k, g] of order.entries()) rank[g] = k;
  const weightAt = order.map((g) => b[g]);
  for (const [e, gs] of experts.entries()) weightAt[Math.max(...gs.map((g) => rank[g]))] += tokens[e] * scale;
  let inside = 0;
  let speedInside = 0;
  let size = 0;
  for (const [k, g] of order.entries()) {
    inside += weightAt[k];
    speedInside += speed[g];
    if (inside > best.bound * speedInside) {
      best.bound = inside / speedInside;
      size = k + 1;
    }
  }
  if (size > 0) for (let g = 0; g < gpus; g++) best.member[g] = rank[g] < size ? 1 : 0;
}
