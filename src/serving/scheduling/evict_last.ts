import type { WorkerView } from "../policy.ts";

/** Those that began last go, until `need` tokens are free: each frees what it holds, and the token that it would make. */
export function evictLast({ running }: WorkerView, need: number, out: Int32Array): number {
  const begun = Array.from(running, ({ id, input, generated }) => ({ id, frees: input + generated + 1 }));
  let count = 0;
  for (let freed = 0; freed < need; count++) {
    const { id, frees } = begun.pop()!;
    out[count] = id;
    freed += frees;
  }
  return count;
}
