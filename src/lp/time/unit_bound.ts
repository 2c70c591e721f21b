/** Units of work on GPUs that also have something else to do: k units on GPU g are done at (b_g + k u) / v_g. */

/** What a set of GPUs has to do, and with what. */
export interface UnitGpus {
  readonly speed: ArrayLike<number>;
  /** Time; none if undefined. */
  readonly base: ArrayLike<number> | undefined;
  /** u, the time of a unit; > 0. */
  readonly unit: number;
}

/** No GPU can have this many units: beyond 2^53, counting by 1 would never end. */
const PLENTY = 2 ** 40;

/** When GPU g has done k units. */
const doneAt = ({ speed, base, unit }: UnitGpus, g: number, k: number) => ((base ? base[g] : 0) + k * unit) / speed[g];

/** The most units that GPU g does by t, as f64 computes the time; -1 where even what it does besides takes longer. */
export function unitsBy(gpus: UnitGpus, g: number, t: number): number {
  const real = (gpus.speed[g] * t - (gpus.base ? gpus.base[g] : 0)) / gpus.unit;
  if (real > PLENTY) return PLENTY;
  let k = Math.max(-1, Math.floor(real));
  // Rounding puts k off by one or two; or by far, where units are lost beside what a GPU does besides.
  let step = 1;
  for (; k >= 0 && doneAt(gpus, g, k) > t; step *= 2) k = Math.max(-1, k - step);
  for (; k < PLENTY && doneAt(gpus, g, k + step) <= t; step *= 2) k += step;
  for (step /= 2; step >= 1; step /= 2) if (doneAt(gpus, g, k + step) <= t) k += step;
  return k;
}

/** Which of so many GPUs is done last, and when: each with what it does besides, and with units, if there are any. */
export function lastDone(gpus: UnitGpus, count: number, units?: ArrayLike<number>): { time: number; gpu: number } {
  let gpu = 0;
  const at = (g: number) => doneAt(gpus, g, units ? units[g] : 0);
  for (let g = 1; g < count; g++) if (at(g) > at(gpu)) gpu = g;
  return { time: at(gpu), gpu };
}

/**
 * The least t >= start by which the GPUs of S do n units: sum_{g in S} floor((v_g t - b_g) / u) >= n. It is `start`, or the time at which one of
 * them has done a unit.
 *
 * @param start  no earlier than b_g / v_g of any of them.
 */
export function unitBound(gpus: UnitGpus, members: readonly number[], n: number, start: number): number {
  const { speed, base, unit } = gpus;
  if (n <= 0) return start;
  const even = base === undefined && members.every((g) => speed[g] === speed[members[0]]);
  if (even) return Math.max(start, (Math.ceil(n / members.length) * unit) / speed[members[0]]);
  let work = n * unit;
  let rate = 0;
  for (const g of members) {
    work += base ? base[g] : 0;
    rate += speed[g];
  }
  // Had units been divisible, it would be done then; two fewer on each are surely not more than n. The rest is counted off in order of time.
  const t = Math.max(start, work / rate);
  const done = members.map((g) => Math.max(unitsBy(gpus, g, start), unitsBy(gpus, g, t) - 2));
  let missing = n;
  for (const k of done) missing -= k;
  let bound = start;
  for (; missing > 0; missing--) {
    let next = 0;
    for (let i = 1; i < members.length; i++) {
      if (doneAt(gpus, members[i], done[i] + 1) < doneAt(gpus, members[next], done[next] + 1)) next = i;
    }
    bound = Math.max(bound, doneAt(gpus, members[next], ++done[next]));
  }
  return bound;
}
