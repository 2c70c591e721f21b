import type { AdapterReport } from "../gpu/device.ts";
import { cutBound, evenBound } from "./cut.ts";
import type { Status } from "./kernels/proof.ts";
import { ledgerOf } from "./ledger.ts";
import type { Loads, TokenMode } from "./problem.ts";
import { noTimes, TIME_OPTIMAL, type TimeAnswer, TimeJudge } from "./time/judge_time.ts";
import { NO_REPLICA, type Topology } from "./topology.ts";
import type { TrafficAnswer } from "./traffic/traffic_answer.ts";
import { MAX_TIME } from "./units.ts";

export type BackendName = "webgpu" | "cpu";

/** Answers to B LPs. All arrays are the caller's to keep. Times are in tokens per speed: plain tokens where speeds are 1. */
export interface Solution {
  /** B. */
  batch: number;
  /** Whether tokens are whole. */
  tokens: TokenMode;
  /** [B] "optimal": proven, to the token in whole tokens, within 1e-6 in fractions. "gap": certified with the gap that is left. */
  status: Status[];
  /** [B] max_g gpuLoad[g] / speed[g] over living GPUs. */
  maxLoad: Float64Array;
  /** [B] what the bottleneck set proves: no split has a smaller max load. */
  lowerBound: Float64Array;
  /** [B] (maxLoad - lowerBound) / maxLoad. */
  gap: Float64Array;
  /** [B, gpus] tokens per GPU, base load included; 0 on dead ones. */
  gpuLoad: Float64Array;
  /**
   * [B, gpus] how much sooner the batch would be done for one token less on GPU g, where the optimum is differentiable: 1 / speed(S) on
   * the bottleneck set S, 0 elsewhere. A dual solution: y >= 0 with sum_g speed[g] y[g] = 1.
   */
  price: Float64Array;
  /** [B] the GPUs of the set S whose load cannot go elsewhere, ascending: the proof of lowerBound. */
  bottleneck: number[][];
  /** [B] interior-point iterations, or sweeps of pairwise balancing of the specialised and simd kernels; 0 from the CPU's exact solver. */
  iterations: Int32Array;
  /** [B] of the exact finish or the CPU's exact solver: paths along which tokens were moved; rounds of moves of the specialised and simd kernels. */
  moves: Int32Array;
  /** LPs that a kernel left with a gap and the CPU's exact solver closed. */
  finishedOnCpu: number;
  /** Who answered. */
  backend: BackendName;
  /** The adapter behind "webgpu"; for "cpu", undefined. */
  adapter: AdapterReport | undefined;
  /** Why this backend, where the choice was left to us. */
  reason: string;
}

/** Edge form: tokens moved along each edge. */
export interface EdgeAnswer {
  /** [B, edges], 0 <= flow <= capacity; Int32Array for whole tokens. */
  flow: Int32Array | Float64Array;
}

/** What dead GPUs and experts without a slot leave unserved: nothing, mostly. */
export interface Survivors {
  /** Experts without a slot on a living GPU, ascending. */
  lost: number[];
  /** [B] their tokens. */
  unserved: Float64Array;
}

/** Replica form: tokens per physical slot. */
export interface ReplicaAnswer extends Survivors {
  /** [B, P]; each expert's slots add up to its load, or to 0 if it is lost. 0 on dead GPUs and in empty slots. Int32Array for whole tokens. */
  quota: Int32Array | Float64Array;
}

export interface EdgeSolution extends Solution, EdgeAnswer {}

export interface ReplicaSolution extends Solution, ReplicaAnswer, Partial<TimeAnswer>, Partial<TrafficAnswer> {}

/** The answer where the problem tells whose tokens are whose. */
export type SourcedSolution = ReplicaSolution & TrafficAnswer;

/** The answer where there is a cost. */
export type TimedSolution = ReplicaSolution & TimeAnswer;

/** What a backend computes; everything else is recomputed from it in f64. */
export interface RawSolution {
  /** [B, P] tokens per slot. */
  quota: Int32Array | Float64Array;
  /** [B, A] 1 on the bottleneck set, of the living GPUs. */
  member: Uint8Array;
  iterations: Int32Array;
  moves: Int32Array;
}

export function emptyRaw(topology: Topology, { batch, tokens }: Loads): RawSolution {
  const quota = batch * topology.slots;
  return {
    quota: tokens === "integer" ? new Int32Array(quota) : new Float64Array(quota),
    member: new Uint8Array(batch * topology.gpus),
    iterations: new Int32Array(batch),
    moves: new Int32Array(batch),
  };
}

/** Writes the answers of LPs first, first + 1, ... into those of the batch. */
export function copyRaw({ slots, gpus }: Topology, part: RawSolution, raw: RawSolution, first: number): void {
  raw.quota.set(part.quota, first * slots);
  raw.member.set(part.member, first * gpus);
  raw.iterations.set(part.iterations, first);
  raw.moves.set(part.moves, first);
}

/** Splits replica tokens over the slots of each replica: evenly, whole tokens to the first slots. */
export function writeQuotas(
  topology: Topology,
  tokens: Loads["tokens"],
  x: Float64Array,
  quota: RawSolution["quota"],
): void {
  const { slots, slotReplica, slotOrdinal, replicaSlots } = topology;
  for (let p = 0; p < slots; p++) {
    if (slotReplica[p] === NO_REPLICA) {
      quota[p] = 0;
      continue;
    }
    const amount = x[slotReplica[p]];
    const count = replicaSlots[slotReplica[p]];
    const whole = Math.floor(amount / count);
    quota[p] = tokens === "fractional" ? amount / count : whole + (slotOrdinal[p] < amount - whole * count ? 1 : 0);
  }
}

/** Below this relative gap fractions count as optimal: a few ulp of the kernel's f32. */
const FRACTIONAL_OPTIMAL = 1e-6;

/** Who is lost, and the tokens of theirs in each row of loads [B, E]. */
export function survivorsOf({ experts, lost }: Topology, expertLoad: ArrayLike<number>): Survivors {
  const unserved = new Float64Array(expertLoad.length / experts);
  for (let lp = 0; lp < unserved.length; lp++) {
    for (const e of lost) unserved[lp] += expertLoad[lp * experts + e];
  }
  return { lost: [...lost], unserved };
}

/** The parts of a solution that follow from quotas and bottleneck sets alone. */
export type Judged = Pick<Solution, "status" | "maxLoad" | "lowerBound" | "gap" | "gpuLoad" | "price" | "bottleneck"> &
  Partial<TimeAnswer>;

/** What is written of it LP by LP; sets are not, where they are made of `member` later. */
export type JudgedRows = Omit<Judged, "bottleneck"> & Partial<Pick<Judged, "bottleneck">>;

export interface Judge<J extends JudgedRows = JudgedRows> {
  judged: J;
  judgeOne(lp: number): Status;
  /** Whether the exact solver would do better: not where its answer to the general cost would be a gap, too. */
  isOpen(lp: number): boolean;
}

/**
 * Recomputes loads, bound, gap and price of each LP from its quotas and bottleneck set: nothing a kernel says is taken on trust. Where there is a cost,
 * base loads are times: tokens and their bound are without them, and the status speaks of time.
 */
export function judge(topology: Topology, given: Loads, raw: RawSolution): Judge<Judged>;
export function judge<J extends JudgedRows>(topology: Topology, given: Loads, raw: RawSolution, judged: J): Judge<J>;
export function judge(
  topology: Topology,
  given: Loads,
  raw: RawSolution,
  judged: JudgedRows = noneJudged(topology, given.batch),
): Judge {
  const { gpus, allGpus, label, speed, equalSpeeds, cost } = topology;
  const loads = cost ? { ...given, baseLoad: undefined } : given;
  const times = cost && (judged as TimeAnswer);
  const { status, gpuLoad, price, bottleneck } = judged;
  const timeJudge = cost && new TimeJudge(topology, cost);
  const ledger = ledgerOf(topology);
  const { member } = raw;
  const { tokens } = loads;
  const allowed = tokens === "integer" ? 0 : FRACTIONAL_OPTIMAL;
  const broken = cost && new Uint8Array(loads.batch);

  /** Of the LP that was counted last. */
  function boundOf(lp: number): number {
    const { inside, size, rate } = ledger;
    if (tokens === "fractional") return inside / rate;
    if (equalSpeeds) return evenBound(inside, size, speed[0]);
    return cutBound(inside, [...speed.filter((_, g) => member[lp * gpus + g])], tokens);
  }

  function judgeOne(lp: number): Status {
    const served = ledger.count(loads, raw.quota, member, lp, gpuLoad);
    const { maxLoad, size, rate } = ledger;
    const one = 1 / rate;
    for (let g = 0; g < gpus; g++) price[lp * allGpus + label[g]] = member[lp * gpus + g] ? one : 0;
    const bound = Math.min(boundOf(lp), maxLoad); // above maxLoad only by f64 rounding of fractions
    const gap = maxLoad === bound ? 0 : (maxLoad - bound) / Math.max(Math.abs(maxLoad), Math.abs(bound));
    judged.maxLoad[lp] = maxLoad;
    judged.lowerBound[lp] = bound;
    judged.gap[lp] = gap;
    if (bottleneck) bottleneck[lp] = bottleneckOf(topology, member, lp);
    if (times) timeJudge!.judge(rowOf(topology, given, raw, lp), times, lp);
    const closed = times ? times.timeGap[lp] <= TIME_OPTIMAL : gap <= allowed;
    const valid = served && size > 0;
    if (broken) broken[lp] = valid ? 0 : 1;
    status[lp] = closed && valid ? "optimal" : "gap";
    return status[lp];
  }

  // Times that the kernel cannot read: beyond f32's, or below 0 where speeds differ.
  const unread =
    cost && given.baseLoad?.some((time) => Math.abs(time) > MAX_TIME || (time < 0 && !topology.equalSpeeds));
  const exact = !cost || cost.tile !== undefined || unread === true;
  const isOpen = (lp: number) => status[lp] === "gap" && (exact || broken![lp] === 1);
  return { judged, judgeOne, isOpen };
}

function rowOf({ experts, gpus, slots }: Topology, { expertLoad, baseLoad }: Loads, raw: RawSolution, lp: number) {
  return {
    expertLoad: expertLoad.subarray(lp * experts, (lp + 1) * experts),
    base: baseLoad?.subarray(lp * gpus, (lp + 1) * gpus),
    quota: raw.quota.subarray(lp * slots, (lp + 1) * slots),
    member: raw.member.subarray(lp * gpus, (lp + 1) * gpus),
  };
}

/** LP `lp`'s bottleneck set, by the caller's labels. */
export function bottleneckOf({ gpus, label }: Topology, member: Uint8Array, lp: number): number[] {
  const set: number[] = [];
  for (let g = 0; g < gpus; g++) if (member[lp * gpus + g]) set.push(label[g]);
  return set;
}

export function noneJudged(topology: Topology, batch: number): Judged {
  const { allGpus, cost } = topology;
  return {
    status: new Array<Status>(batch).fill("gap"),
    maxLoad: new Float64Array(batch),
    lowerBound: new Float64Array(batch),
    gap: new Float64Array(batch),
    gpuLoad: new Float64Array(batch * allGpus),
    price: new Float64Array(batch * allGpus),
    bottleneck: new Array<number[]>(batch).fill([]),
    ...(cost && noTimes(topology, batch)),
  };
}
