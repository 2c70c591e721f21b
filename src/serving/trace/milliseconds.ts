/**
 * The seconds that a decimal number of ms says: 3701.853 ms are 3.701853 s, while 3701.853 / 1000 is the double above that one.
 * Rounded correctly, so that order is kept.
 */
export function secondsOf(ms: number): number {
  return shifted(ms, -3);
}

/** The ms that `secondsOf` reads as this many seconds; where there are none, the nearest. */
export function msOf(seconds: number): number {
  const ms = shifted(seconds, 3);
  const step = 0.75 * ms * 2 ** -52; // 0.75 to 1.5 times the distance to the next double, so that adding it gives that one
  return [ms, ms - step, ms + step].find((near) => secondsOf(near) === seconds) ?? ms;
}

/** times 10^digits, as decimals are moved. */
function shifted(value: number, digits: number): number {
  const text = String(value);
  return Number(text.includes("e") ? value * 10 ** digits : `${text}e${digits}`);
}
