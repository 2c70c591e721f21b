import { ArgumentError, LoadError } from "../common/errors.ts";

/**
 * Top-k expert ids as runtimes have them, row-major; -1 is padding, as is 2^32 - 1 in a Uint32Array. torch's are int64: a BigInt64Array. Read, never
 * written or kept.
 */
export type TopkIds = number[] | Uint8Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array;

const types = [Uint8Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array];

/**
 * The ids as kernels and twins read them: those of 32 bits as they are, others in a copy.
 *
 * @throws {ArgumentError} They are in no such array.  @throws {LoadError} An id is no integer of 32 bits.
 */
export function toIds(topkIds: TopkIds): Int32Array | Uint32Array {
  if (topkIds instanceof Int32Array || topkIds instanceof Uint32Array) return topkIds;
  if (!Array.isArray(topkIds) && !types.some((type) => topkIds instanceof type)) {
    const names = types.map(({ name }) => name).join(", ");
    throw new ArgumentError("topkIds", `ids [L, T, k] in one Array or ${names}`, topkIds);
  }
  const ids = new Int32Array(topkIds.length);
  for (let i = 0; i < ids.length; i++) {
    const given: unknown = topkIds[i];
    const id = topkIds instanceof BigInt64Array ? Number(given) : given;
    if (typeof id !== "number" || (id | 0) !== id) {
      throw new LoadError(`topkIds[${i}]`, "an expert id, an integer within 32 bits, or -1", given);
    }
    ids[i] = id;
  }
  return ids;
}
