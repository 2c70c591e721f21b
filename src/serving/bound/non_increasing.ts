/**
 * Projects values[1], values[2], .. to the nearest sequence that never rises, in place: neighbours that rise are pooled to their mean until none does.
 *
 * @see M. Ayer et al., An empirical distribution function for sampling with incomplete information, Ann. Math. Statist. 26(4), 1955.
 */
export function makeNonIncreasing(values: Float64Array): void {
  const sums: number[] = [];
  const lengths: number[] = [];
  for (let t = 1; t < values.length; t++) {
    let sum = values[t];
    let length = 1;
    while (sums.length > 0 && sum * lengths[lengths.length - 1] > sums[sums.length - 1] * length) {
      sum += sums.pop()!;
      length += lengths.pop()!;
    }
    sums.push(sum);
    lengths.push(length);
  }
  let t = 1;
  for (const [pool, length] of lengths.entries()) {
    values.fill(sums[pool] / length, t, t + length);
    t += length;
  }
}
