import { apportion } from "../../balancer/twins/apportion.ts";
import type { TokenMode } from "../../lp/problem.ts";
import type { ReplicaSolution } from "../../lp/solution.ts";
import { livingSlots, type Slots } from "../../placement/living_slots.ts";
import { EMPTY } from "../../placement/placement.ts";
import { type Objective, objectives, ofValues } from "../../planner/objective.ts";
import type { Layer } from "./layer_solvers.ts";

/** Load of the busiest GPU over the mean load of all GPUs in many LPs, by each of the measures that a placement can be chosen by. */
export type Imbalance = Record<Objective, number>;

/** Three ways to serve the same batches. */
export const splits = ["originals", "even", "solved"] as const;
/** The experts in order on the living GPUs without replicas; equal parts for all slots of an expert; as the LP splits them. */
export type SplitName = (typeof splits)[number];

export function ofSplits<T>(value: (name: SplitName) => T): Record<SplitName, T> {
  return { originals: value("originals"), even: value("even"), solved: value("solved") };
}

/** What became of one LP. */
export interface Split {
  /** [G] tokens per GPU */
  gpuLoad: Record<SplitName, Float64Array>;
  imbalance: Record<SplitName, number>;
  /** Of the living GPUs' loads, which all three ways have in common: none serves a lost expert. */
  mean: number;
}

/**
 * GPU loads and imbalance of each LP of a layer under the three ways.
 *
 * All three are counted alike, so that the even split is never below the LP's: in whole tokens where the LP was solved in these (equal parts
 * to within a token, the balancer's even split), in fractions otherwise. The experts in order lie elsewhere, and may do better.
 */
export function splitOf({ placement, expertLoad, active }: Layer, solution: ReplicaSolution): (lp: number) => Split {
  const { gpus, logicalExperts, gpuOf } = placement;
  const slots = livingSlots(placement, active);
  const living = livingGpus(gpus, active).length;
  return (lp) => {
    const loads = expertLoad.slice(lp * logicalExperts, (lp + 1) * logicalExperts);
    for (const e of solution.lost) loads[e] = 0;
    const even = new Float64Array(gpus);
    const quota = solution.tokens === "integer" ? evenQuota(slots, loads) : evenShares(slots, loads);
    for (const [slot, tokens] of quota.entries()) even[gpuOf[slot]] += tokens;
    const originals = inOrder(loads, gpus, active);
    const mean = originals.reduce((a, b) => a + b) / living;
    return {
      gpuLoad: { originals, even, solved: solution.gpuLoad.slice(lp * gpus, (lp + 1) * gpus) },
      imbalance: {
        originals: ratio(Math.max(...originals), mean),
        even: ratio(Math.max(...even), mean),
        solved: ratio(solution.maxLoad[lp], mean),
      },
      mean,
    };
  };
}

/** [G] the load of the experts in order on the living GPUs, as evenly many on each as there can be. */
export function inOrder(loads: ArrayLike<number>, gpus: number, active: Uint8Array | undefined): Float64Array {
  const living = livingGpus(gpus, active);
  const gpuLoad = new Float64Array(gpus);
  for (let e = 0; e < loads.length; e++) gpuLoad[living[Math.floor((e * living.length) / loads.length)]] += loads[e];
  return gpuLoad;
}

export function livingGpus(gpus: number, active: Uint8Array | undefined): number[] {
  return [...Array(gpus).keys()].filter((g) => active?.[g] !== 0);
}

export function deadGpus(gpus: number, active: Uint8Array | undefined): number[] {
  return [...Array(gpus).keys()].filter((g) => active?.[g] === 0);
}

/** Imbalance; 1 where nothing is served, as nothing to do is done at once. */
export function ratio(max: number, mean: number): number {
  return mean === 0 ? 1 : max / mean;
}

/** [P] whole tokens. */
export function evenQuota(slots: Slots, loads: Float64Array): Int32Array {
  const quota = new Int32Array(slots.physicalExperts);
  apportion(slots, loads, undefined, quota);
  return quota;
}

/** [P] fractions. */
function evenShares({ physicalToLogical, replicaCount }: Slots, loads: Float64Array): Float64Array {
  return Float64Array.from(physicalToLogical, (e) => (e === EMPTY ? 0 : loads[e] / replicaCount[e]));
}

/** Of no imbalances: 1, as nothing to do is done at once. */
export function summarise(imbalances: readonly number[]): Imbalance {
  const values = imbalances.length === 0 ? Float64Array.of(1) : Float64Array.from(imbalances);
  return Object.fromEntries(objectives.map((name) => [name, ofValues(name, values)])) as Imbalance;
}

/** For a legend: how even the even split is. */
export function toWithinOne(tokens: TokenMode): string {
  return tokens === "integer" ? ", to within one" : "";
}

/** For a legend: why tokens are not whole, where they are not. */
export function fractionsInWords(tokens: TokenMode): string[] {
  if (tokens === "integer") return [];
  return ["All are in shares, not whole tokens: the loads are fractions, or a batch's add up to more than 2^31 - 1."];
}
