import type { Machine } from "./arrangement.ts";

/** With so many GPUs at most, all sets of them can be listed. */
export const MOST_LISTED_GPUS = 8;

/** The set of all GPUs, whose bound is the perfect balance. */
export const ALL = 0;

/** All sets S of GPUs by which arrangements are bounded. */
export interface CutSets {
  readonly count: number;
  /** [count, G] 1 where the GPU is in the set. */
  readonly member: Uint8Array;
  /** [count] 1 / v(S) */
  readonly pace: Float64Array;
}

export function cutSets({ gpus, speed }: Machine): CutSets {
  const count = 2 ** gpus - 1;
  const member = new Uint8Array(count * gpus);
  const pace = new Float64Array(count);
  for (let cut = 0; cut < count; cut++) {
    const bits = cut === ALL ? 2 ** gpus - 1 : cut;
    let inside = 0;
    for (let g = 0; g < gpus; g++) {
      member[cut * gpus + g] = (bits >> g) & 1;
      if (member[cut * gpus + g]) inside += speed[g];
    }
    pace[cut] = 1 / inside;
  }
  return { count, member, pace };
}
