/** What every kernel writes into an LP's proof: status, iterations, moves, and the bottleneck set as bits. */

/** Statuses by the number that the kernels write. */
export const statuses = ["optimal", "gap"] as const;
/** Proven (to the token, or within 1e-6 in fractions), or certified with the gap that is left. @useDeclaredType */
export type Status = (typeof statuses)[number];

/** Words before the set. */
const HEAD = 3;

/** u32 words of an LP's proof. */
export function proofWords(gpus: number): number {
  return HEAD + Math.ceil(gpus / 32);
}

/**
 * Proofs but for their status, for `batch` LPs: bottleneck sets, iterations and moves [B].
 *
 * @param label  Whose bits: the set is [B, length of label]. All GPUs by default.
 */
export function decodeProofs(proof: Uint32Array, batch: number, gpus: number, label?: ArrayLike<number>) {
  const words = proofWords(gpus);
  const width = label?.length ?? gpus;
  const member = new Uint8Array(batch * width);
  for (let p = 0; p < batch; p++) {
    for (let i = 0; i < width; i++) {
      const g = label?.[i] ?? i;
      member[p * width + i] = (proof[p * words + HEAD + (g >> 5)] >>> (g & 31)) & 1;
    }
  }
  const column = (word: number) => Int32Array.from({ length: batch }, (_, p) => proof[p * words + word]);
  return { member, iterations: column(1), moves: column(2) };
}
