import type { RequestView } from "../policy.ts";
import { firstStep } from "./job.ts";

/** A running request that may have to go. */
export interface Victim {
  id: number;
  generated: number;
  /** KV tokens that are free without it: it makes no next token, either. */
  frees: number;
}

export const victimOf = (r: RequestView): Victim => ({ id: r.id, generated: r.generated, frees: firstStep(r) });

/** Takes victims from the end of a list until `need` tokens are free. @returns how many were set in `out`. */
export function evictLast(victims: readonly Victim[], need: number, out: Int32Array): number {
  let count = 0;
  for (let freed = 0; freed < need && count < victims.length; count++) {
    const { id, frees } = victims[victims.length - 1 - count];
    out[count] = id;
    freed += frees;
  }
  return count;
}
