/** All that is shown of a batch: four ways to serve it, and what is proven of two. */
import { evenQuota, ratio } from "../../src/cli/reports/split_imbalance.ts";
import { type Certificate, certify, type ReplicaProblem, type ReplicaSolution } from "../../src/index.ts";
import { insideLoad, isConfined } from "../../src/lp/cut.ts";
import { toTopology } from "../../src/lp/forms.ts";
import { checkCost } from "../../src/lp/time/expert_cost.ts";
import { livingSlots, type Slots } from "../../src/placement/living_slots.ts";
import { type Move, movesOf } from "./moves.ts";
import type { Question } from "./question.ts";
import type { Answers } from "./solvers.ts";

/** All of an expert where its first replica is; equal parts for all replicas; the least maximal load; the least maximal time. */
export const ways = ["first", "even", "tokens", "time"] as const;
export type WayName = (typeof ways)[number];

export interface Way {
  /** [P] tokens of each slot. */
  quota: ArrayLike<number>;
  /** [G] tokens, and us. */
  load: Float64Array;
  time: Float64Array;
  /** load / speed of the GPU that is done last, if tokens were all that counts. */
  maxLoad: number;
  /** That over what it would be if all GPUs were done at once. */
  imbalance: number;
  /** us until the last GPU is done. */
  maxTime: number;
}

/** What the bottleneck set proves. */
export interface Proof {
  gpus: readonly number[];
  /** Who has replicas there alone, */
  experts: readonly number[];
  /** their tokens, */
  inside: number;
  /** and the speed of the set. */
  speed: number;
}

export interface Picture extends Question {
  problem: ReplicaProblem;
  answers: Answers;
  ways: Record<WayName, Way>;
  proof: Proof;
  /** From even to token-optimal. */
  moves: Move[];
  certificates: { tokens: Certificate; time: Certificate };
}

export function pictureOf(question: Question, answers: Answers): Picture {
  const { placement, expertLoad, speed, active, cost } = question;
  const { tokens, time } = answers;
  const slots = livingSlots(placement, active);
  const served = Float64Array.from(expertLoad);
  for (const e of tokens.lost) served[e] = 0;
  const quotas = {
    first: firstQuota(slots, served),
    even: evenQuota(slots, served),
    tokens: tokens.quota,
    time: time.quota,
  };
  const wayOf = (name: WayName) => [name, way(question, quotas[name])];
  const problem: ReplicaProblem = { placement, expertLoad, speed, active };
  return {
    ...question,
    problem,
    answers,
    ways: Object.fromEntries(ways.map(wayOf)),
    proof: proofOf(question, tokens),
    moves: movesOf(placement, quotas.even, quotas.tokens),
    certificates: { tokens: certify(problem, tokens)[0], time: certify({ ...problem, cost }, time)[0] },
  };
}

function firstQuota(
  { logicalExperts, physicalExperts, maxReplicas, replicaCount, logicalToPhysical }: Slots,
  loads: Float64Array,
) {
  const quota = new Int32Array(physicalExperts);
  for (let e = 0; e < logicalExperts; e++)
    if (replicaCount[e] > 0) quota[logicalToPhysical[e * maxReplicas]] = loads[e];
  return quota;
}

function way({ placement: { gpus, gpuOf }, speed, active, cost }: Question, quota: ArrayLike<number>): Way {
  const curve = checkCost(cost);
  const load = new Float64Array(gpus);
  const time = new Float64Array(gpus);
  for (const [slot, g] of gpuOf.entries()) {
    load[g] += quota[slot];
    time[g] += curve.time(quota[slot]) / speed[g];
  }
  const total = load.reduce((a, b) => a + b);
  const allSpeeds = speed.reduce((sum, v, g) => sum + (active?.[g] === 0 ? 0 : v), 0);
  const maxLoad = load.reduce((most, tokens, g) => Math.max(most, tokens / speed[g]), 0);
  return { quota, load, time, maxLoad, imbalance: ratio(maxLoad, total / allSpeeds), maxTime: Math.max(...time) };
}

function proofOf({ placement, expertLoad, speed, active }: Question, { bottleneck: [gpus] }: ReplicaSolution): Proof {
  const topology = toTopology(placement, speed, active);
  const member = topology.label.map((g) => Number(gpus.includes(g)));
  const experts = [...expertLoad.keys()].filter((e) => expertLoad[e] > 0 && isConfined(topology, e, member));
  return {
    gpus,
    experts,
    inside: insideLoad(topology, expertLoad, undefined, 0, member),
    speed: gpus.reduce((sum, g) => sum + speed[g], 0),
  };
}

/** What somebody might claim instead of the solution of tokens. */
export const forgeries = {
  "a token more": ({ quota, ...rest }: ReplicaSolution): ReplicaSolution => {
    const forged = quota.slice();
    forged[forged.findIndex((tokens) => tokens > 0)]++;
    return { ...rest, quota: forged };
  },
  "a smaller maximum": ({ maxLoad, ...rest }: ReplicaSolution): ReplicaSolution => ({
    ...rest,
    maxLoad: maxLoad.map((load) => load - 1),
  }),
  "a larger bound": ({ lowerBound, ...rest }: ReplicaSolution): ReplicaSolution => ({
    ...rest,
    lowerBound: lowerBound.map((load) => load + 1),
  }),
  "another bottleneck": ({ bottleneck: [gpus], ...rest }: ReplicaSolution): ReplicaSolution => ({
    ...rest,
    bottleneck: [gpus.length > 1 ? gpus.slice(1) : []],
  }),
};
export type Forgery = keyof typeof forgeries;
