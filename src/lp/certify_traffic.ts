/**
 * The proof of a traffic, checked by itself: from the problem's own distances and sources, with no code of the solvers'. Doubles are whole multiples of
 * powers of two, so that all of it is added exactly, as bigints: what rounding forgives is no proof.
 */
import { mostPlaces, multiple } from "../common/exact_sums.ts";
import type { ReplicaSolution } from "./solution.ts";

/** One LP, from the form it was given in. */
export interface TrafficClaims {
  /** From source s to GPU g, */
  distance(s: number, g: number): number;
  /** and its tokens for expert e. */
  tokens(s: number, e: number): number;
  sources: number;
  gpus: number;
  experts: number;
  alive: readonly boolean[];
  speed: readonly number[];
  /** [G] tokens besides the experts', 0 where a GPU is dead. */
  base: readonly number[];
  /** [P] the expert of each slot, -1 where there is none, and its GPU. */
  slotExpert: ArrayLike<number>;
  gpuOf: ArrayLike<number>;
  /** [G] recomputed loads. */
  load: ArrayLike<number>;
}

/** What is told in doubles is their sums rounded: of parts of the traffic itself, not of whatever cancels. None where all of it is whole and below 2^53. */
const ROUNDED = 10n ** 9n;
/** Of a difference of two doubles, relative to the larger. */
const DIFFERENCE = 2 ** -50;

/** Whether the sources' quotas are what they say, of all tokens and of these alone, and whether the potentials prove trafficBound. */
export function certifyTraffic(claims: TrafficClaims, solution: ReplicaSolution, lp: number) {
  const { sources, gpus } = claims;
  const potential = solution.potential!.gpu;
  const told = [solution.traffic![lp], solution.trafficBound![lp]];
  const gpu = Array.from({ length: gpus }, (_, g) => potential[lp * gpus + g]);
  const far = Array.from({ length: sources * gpus }, (_, i) => claims.distance(Math.floor(i / gpus), i % gpus));
  const none = { trafficTrue: false, trafficBoundValid: false };
  if (![...told, ...gpu].every((value) => typeof value === "number" && Number.isFinite(value))) return none;
  const places = mostPlaces(Float64Array.from([...told, ...gpu, ...far]));
  const exactly = (value: number) => multiple(value, places);
  const traffic = recount(claims, solution, lp, exactly);
  if (traffic === undefined) return none;
  const whole = places === 0 && traffic < 2n ** 53n;
  const rounding = whole ? 0n : traffic / ROUNDED;
  const [claimed, claimedBound] = told.map(exactly);
  const trafficTrue = claimed - traffic <= rounding && traffic - claimed <= rounding;
  const bound = proven(claims, solution, lp, exactly);
  const isProven =
    bound !== undefined && told[1] >= 0 && claimedBound <= traffic + rounding && claimedBound <= bound + rounding;
  return { trafficTrue, trafficBoundValid: isProven && withinLimit(claims, solution, lp) };
}

/** Traffic as the sources' quotas give it; undefined where they are not those of the slots and of the sources. */
function recount(
  claims: TrafficClaims,
  { sourceQuota, quota }: ReplicaSolution,
  lp: number,
  exactly: (value: number) => bigint,
): bigint | undefined {
  const { sources, experts, slotExpert, gpuOf, alive, distance, tokens } = claims;
  const slots = slotExpert.length;
  const ofSlot = new Float64Array(slots);
  const lives = livingExperts(claims);
  let traffic = 0n;
  for (let s = 0; s < sources; s++) {
    const sent = new Float64Array(experts);
    for (let p = 0; p < slots; p++) {
      const amount = sourceQuota![(lp * sources + s) * slots + p];
      if (!Number.isInteger(amount) || amount < 0) return undefined;
      if (amount === 0) continue;
      if (slotExpert[p] < 0 || !alive[gpuOf[p]]) return undefined;
      ofSlot[p] += amount;
      sent[slotExpert[p]] += amount;
      traffic += BigInt(amount) * exactly(distance(s, gpuOf[p]));
    }
    for (let e = 0; e < experts; e++) if (lives[e] && sent[e] !== tokens(s, e)) return undefined;
  }
  for (let p = 0; p < slots; p++) if (ofSlot[p] !== quota[lp * slots + p]) return undefined;
  return traffic;
}

/** Experts that have a slot on a living GPU. */
function livingExperts({ experts, slotExpert, gpuOf, alive }: TrafficClaims): boolean[] {
  const lives = new Array<boolean>(experts).fill(false);
  for (let p = 0; p < slotExpert.length; p++) if (slotExpert[p] >= 0 && alive[gpuOf[p]]) lives[slotExpert[p]] = true;
  return lives;
}

/** What the GPUs' potentials prove; undefined where they are none, or the sources' are not what follows from them. */
function proven(
  claims: TrafficClaims,
  { potential, loadLimit }: ReplicaSolution,
  lp: number,
  exactly: (value: number) => bigint,
): bigint | undefined {
  const { sources, experts, gpus, slotExpert, gpuOf, alive, distance, tokens, speed, base } = claims;
  const gpu = (g: number) => potential!.gpu[lp * gpus + g];
  let bound = 0n;
  for (let g = 0; g < gpus; g++) {
    if (gpu(g) > 0 || (!alive[g] && gpu(g) !== 0)) return undefined;
    if (gpu(g) < 0) bound += exactly(gpu(g)) * BigInt(tokensBy(loadLimit![lp], speed[g]) - base[g]);
  }
  const lives = livingExperts(claims);
  for (let s = 0; s < sources; s++) {
    const nearest = new Array<number>(experts).fill(-1); // by distance - gpu
    for (let p = 0; p < slotExpert.length; p++) {
      const [e, g] = [slotExpert[p], gpuOf[p]];
      if (e < 0 || !alive[g]) continue;
      const isNearer = (best: number) =>
        exactly(distance(s, g)) - exactly(gpu(g)) < exactly(distance(s, best)) - exactly(gpu(best));
      if (nearest[e] < 0 || isNearer(nearest[e])) nearest[e] = g;
    }
    for (let e = 0; e < experts; e++) {
      const told = potential!.source[(lp * sources + s) * experts + e];
      const [there, less] = lives[e] ? [distance(s, nearest[e]), gpu(nearest[e])] : [0, 0];
      if (!(Math.abs(told - (there - less)) <= DIFFERENCE * Math.max(there, -less))) return undefined;
      if (lives[e]) bound += BigInt(tokens(s, e)) * (exactly(there) - exactly(less));
    }
  }
  return bound;
}

/** No GPU is beyond the limit. */
function withinLimit({ alive, speed, load }: TrafficClaims, { loadLimit }: ReplicaSolution, lp: number): boolean {
  return Number.isFinite(loadLimit![lp]) && speed.every((v, g) => !alive[g] || load[g] / v <= loadLimit![lp]);
}

/** The most whole tokens within t at speed v; of more than there can be, only that they are many. */
function tokensBy(t: number, v: number): number {
  if (!(v * t < 2 ** 52)) return 2 ** 52;
  let k = Math.floor(v * t);
  if (k / v > t) k--;
  else if ((k + 1) / v <= t) k++;
  return k;
}
