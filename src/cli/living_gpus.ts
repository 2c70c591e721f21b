import { ArgumentError } from "../common/errors.ts";

/**
 * [gpus] 1 where a GPU is alive; undefined where none is dead.
 *
 * @throws {ArgumentError} A GPU is not there, or none is left.
 */
export function activeOf(dead: readonly number[] = [], gpus: number): Uint8Array | undefined {
  if (dead.length === 0) return undefined;
  const stray = dead.find((g) => g >= gpus);
  if (stray !== undefined) throw new ArgumentError("--dead", `GPUs in 0..${gpus - 1}`, stray);
  if (dead.length === gpus) throw new ArgumentError("--dead", `fewer than all ${gpus} GPUs`, dead.length);
  return Uint8Array.from({ length: gpus }, (_, g) => (dead.includes(g) ? 0 : 1));
}
