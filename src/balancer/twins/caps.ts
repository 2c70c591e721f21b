/**
 * Twin of shaders/balancer/caps.wgsl for one layer: tokens that each GPU may hold so that none is later than the last one is now.
 *
 * @param load  [G] base loads included.  @param base  [G]  @param pace  [G] the time of a token, a whole number.
 * @param active  [G] 1 where a GPU is alive; all are, if undefined.  @returns [G]
 */
export function caps(
  load: ArrayLike<number>,
  base: ArrayLike<number>,
  pace: ArrayLike<number>,
  active?: Uint8Array,
): Int32Array {
  const times = Array.from(load, (tokens, g) => (active?.[g] === 0 ? 0n : BigInt(tokens) * BigInt(pace[g])));
  const last = times.reduce((most, time) => (time > most ? time : most), 0n);
  const most = 2n ** 31n - 1n;
  return Int32Array.from(load, (_, g) => {
    if (active?.[g] === 0) return 0;
    const tokens = last / BigInt(pace[g]);
    return Number(tokens < most ? tokens : most) - base[g];
  });
}
