/**
 * 32 bits that look random, of a whole number below 2^53 and of what it is a number of: a change of any bit of either changes each bit of
 * the answer with probability about 1/2. By the finaliser of MurmurHash3 (A. Appleby).
 */
export function mixed(kind: number, key: number): number {
  const high = Math.floor(key / 2 ** 32);
  return finalised(finalised(finalised(kind) + high) + key);
}

function finalised(x: number): number {
  let h = x >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
