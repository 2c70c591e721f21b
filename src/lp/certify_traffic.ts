/** The proof of a traffic, checked by itself: from the problem's own distances and sources, with no code of the solvers'. */
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

/** Sums of f64 carry rounding errors of this order, relative to the traffic involved; distances that are no whole numbers a little more. */
const ROUNDING = 1e-11;

/** Whether the sources' quotas are what they say, of all tokens and of these alone, and whether the potentials prove trafficBound. */
export function certifyTraffic(claims: TrafficClaims, solution: ReplicaSolution, lp: number) {
  const { traffic, scale } = recount(claims, solution, lp);
  const claimed = solution.traffic![lp];
  const trafficTrue = Math.abs(traffic - claimed) <= ROUNDING * scale;
  const bound = proven(claims, solution, lp);
  const trafficBound = solution.trafficBound![lp];
  const isProven = trafficBound >= 0 && trafficBound <= traffic && trafficBound <= bound + ROUNDING * scale;
  return { trafficTrue, trafficBoundValid: isProven && withinLimit(claims, solution, lp) };
}

/** Traffic as the sources' quotas give it, NaN where they are not those of the slots and of the sources; and the most it could be. */
function recount(claims: TrafficClaims, { sourceQuota, quota }: ReplicaSolution, lp: number) {
  const { sources, experts, gpus, slotExpert, gpuOf, alive, distance, tokens } = claims;
  const slots = slotExpert.length;
  const ofSlot = new Float64Array(slots);
  let traffic = 0;
  let scale = 0;
  let valid = true;
  for (let s = 0; s < sources; s++) {
    const sent = new Float64Array(experts);
    for (let p = 0; p < slots; p++) {
      const amount = sourceQuota![(lp * sources + s) * slots + p];
      valid &&= Number.isInteger(amount) && amount >= 0;
      ofSlot[p] += amount;
      if (amount === 0) continue;
      sent[slotExpert[p]] += amount; // of an empty slot nobody's
      valid &&= slotExpert[p] >= 0 && alive[gpuOf[p]];
      traffic += amount * distance(s, gpuOf[p]);
    }
    let furthest = 0;
    for (let g = 0; g < gpus; g++) furthest = Math.max(furthest, distance(s, g));
    for (let e = 0; e < experts; e++) {
      valid &&= sent[e] === tokens(s, e) || (sent[e] === 0 && !lives(claims, e));
      scale += furthest * tokens(s, e);
    }
  }
  for (let p = 0; p < slots; p++) valid &&= ofSlot[p] === quota[lp * slots + p];
  return { traffic: valid ? traffic : Number.NaN, scale };
}

const lives = ({ slotExpert, gpuOf, alive }: TrafficClaims, e: number) =>
  Array.from(slotExpert).some((expert, p) => expert === e && alive[gpuOf[p]]);

/** What the potentials prove: -Infinity where they are none. */
function proven(claims: TrafficClaims, { potential, loadLimit }: ReplicaSolution, lp: number): number {
  const { sources, experts, gpus, slotExpert, gpuOf, alive, distance, tokens, speed, base } = claims;
  const gpu = (g: number) => potential!.gpu[lp * gpus + g];
  const source = (s: number, e: number) => potential!.source[(lp * sources + s) * experts + e];
  let bound = 0;
  for (let g = 0; g < gpus; g++) {
    if (!(gpu(g) <= 0)) return -Infinity;
    if (alive[g] && gpu(g) < 0) bound += gpu(g) * (tokensBy(loadLimit![lp], speed[g]) - base[g]);
  }
  const served = Array.from({ length: experts }, (_, e) => lives(claims, e));
  for (let s = 0; s < sources; s++) {
    for (let p = 0; p < slotExpert.length; p++) {
      const g = gpuOf[p];
      if (slotExpert[p] < 0 || !alive[g]) continue;
      const [here, there] = [source(s, slotExpert[p]), distance(s, g)];
      if (!(there - here - gpu(g) >= -ROUNDING * (there + Math.abs(here)))) return -Infinity;
    }
    for (let e = 0; e < experts; e++) if (served[e]) bound += source(s, e) * tokens(s, e);
  }
  return bound;
}

/** No GPU is beyond the limit. */
function withinLimit({ alive, speed, load }: TrafficClaims, { loadLimit }: ReplicaSolution, lp: number): boolean {
  return Number.isFinite(loadLimit![lp]) && speed.every((v, g) => !alive[g] || load[g] / v <= loadLimit![lp]);
}

/** The most whole tokens within t at speed v. */
function tokensBy(t: number, v: number): number {
  let k = Math.floor(v * t);
  if (k / v > t) k--;
  else if ((k + 1) / v <= t) k++;
  return k;
}
