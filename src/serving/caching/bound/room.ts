/**
 * What fits, for caches whose sizes are doubles: what adds up to the capacity once it is rounded to a double. Of one size so many fit; their
 * product is rounded once, as the sum of so many is.
 */
export function howMany(capacity: number, size: number): number {
  let count = Math.floor(capacity / size);
  if (count >= Number.MAX_SAFE_INTEGER) return count;
  while (count > 0 && count * size > capacity) count--;
  while ((count + 1) * size <= capacity) count++;
  return count;
}

/** The next larger double. */
export function nextAbove(x: number): number {
  const bits = new BigInt64Array(new Float64Array([x]).buffer);
  bits[0]++;
  return new Float64Array(bits.buffer)[0];
}
