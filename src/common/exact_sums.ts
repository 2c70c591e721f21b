/** Every finite double is a whole multiple of a power of two, so that sums and products of doubles are exact as bigints. */

/** Least p >= 0 for which x 2^p is whole. */
function placesOf(x: number): number {
  let places = 0;
  for (let scaled = x; !Number.isInteger(scaled); scaled *= 2) places++;
  return places;
}

/** Of all of them. */
export const mostPlaces = (values: Float64Array): number =>
  values.reduce((most, x) => (Number.isInteger(x) ? most : Math.max(most, placesOf(x))), 0);

/** x 2^places; x has no more. */
export function multiple(x: number, places: number): bigint {
  const own = placesOf(x);
  return BigInt(x * 2 ** Math.min(own, 1000) * 2 ** Math.max(0, own - 1000)) << BigInt(places - own);
}

/** The largest double that is at most value / 2^places, or -Infinity. */
export function doubleBelow(value: bigint, places: number): number {
  const bits = value.toString(2).length - (value < 0n ? 1 : 0);
  const dropped = Math.max(0, bits - 53, places - 1074); // a double has 53 bits, the last of them 2^-1074 at the least
  return Math.min(Number.MAX_VALUE, Number(value >> BigInt(dropped)) * 2 ** (dropped - places));
}

/** The largest number of which all are whole multiples; 0 of none. The remainder of doubles is exact. */
export function commonUnit(values: Float64Array): number {
  let unit = 0;
  for (const x of values) {
    for (let rest = x; rest !== 0; ) [unit, rest] = [rest, unit % rest];
  }
  return unit;
}
