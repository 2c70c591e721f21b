/**
 * Projects values[1], values[2], .. to the nearest sequence that never rises, in place: neighbours that rise are pooled to their mean until none does.
 *
 * @see M. Ayer et al., An empirical distribution function for sampling with incomplete information, Ann. Math. Statist. 26(4), 1955.
 */
export function makeNonIncreasing(values: Float64Array): void {
  const sums = new Float64Array(values.length);
  const lengths = new Int32Array(values.length);
  let pools = 0;
  for (let t = 1; t < values.length; t++) {
    let sum = values[t];
    let length = 1;
    for (; pools > 0 && sum * lengths[pools - 1] > sums[pools - 1] * length; pools--) {
      sum += sums[pools - 1];
      length += lengths[pools - 1];
    }
    sums[pools] = sum;
    lengths[pools++] = length;
  }
  let t = 1;
  for (let pool = 0; pool < pools; pool++) {
    values.fill(sums[pool] / lengths[pool], t, t + lengths[pool]);
    t += lengths[pool];
  }
}
