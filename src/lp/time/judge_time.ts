/** What an answer's quotas and bottleneck set say of its time, recomputed in f64: nothing a solver says is taken on trust. */
import { isConfined } from "../cut.ts";
import { NO_REPLICA, type Topology } from "../topology.ts";
import type { Curve } from "./expert_cost.ts";
import { lastDone, unitBound } from "./unit_bound.ts";
import { leastWork, unitsOf } from "./work.ts";

/**
 * What the bottleneck set S proves of an LP's time. "work": the experts that live only in S cost at least W_e = the least sum of c over splits of w_e into as many
 * parts as e has slots:
 *
 *   timeBound * sum_{g in S} v_g <= sum_{g in S} base_g + sum of W_e
 *
 * "units": they weigh n_e whole units, n_e = ceil(w_e / tile) where unit <= perToken * tile, else 1 where w_e > 0: for every t < timeBound some GPU has
 * v_g t < base_g, or sum_{g in S} floor((v_g t - base_g) / unit) is less than the sum of n_e.
 */
export interface TimeProof {
  rule: "work" | "units";
  /** Of "units". */
  unit?: number;
}

/** What a solution has besides where there is a cost, in its unit of time. */
export interface TimeAnswer {
  /** [B, gpus] (baseLoad_g + sum over the GPU's slots of c(quota)) / speed_g; 0 on dead GPUs. */
  time: Float64Array;
  /** [B] of the GPU that is done last. */
  maxTime: Float64Array;
  /** [B] proven: no split is done sooner. */
  timeBound: Float64Array;
  /** [B] (maxTime - timeBound) / maxTime; 0 where both are 0. */
  timeGap: Float64Array;
  /** [B] */
  timeProof: TimeProof[];
}

/** Up to this gap a time counts as optimal: sums of f64 are more precise. */
export const TIME_OPTIMAL = 1e-9;

export const noTimes = ({ allGpus }: Topology, batch: number): TimeAnswer => ({
  time: new Float64Array(batch * allGpus),
  maxTime: new Float64Array(batch),
  timeBound: new Float64Array(batch),
  timeGap: new Float64Array(batch),
  timeProof: new Array<TimeProof>(batch).fill({ rule: "work" }),
});

/** One LP: rows of its loads and of its answer. */
export interface Judged {
  readonly expertLoad: ArrayLike<number>;
  /** [A] time. */
  readonly base: ArrayLike<number> | undefined;
  /** [P] */
  readonly quota: ArrayLike<number>;
  /** [A] 1 on the bottleneck set. */
  readonly member: Uint8Array;
}

/** The judge of one topology that has a cost. */
export class TimeJudge {
  private readonly load: Float64Array;
  /** Experts that live only in the bottleneck set that was judged last, and its GPUs. */
  private readonly inside: number[] = [];
  private readonly members: number[] = [];

  constructor(
    private readonly topology: Topology,
    private readonly curve: Curve,
  ) {
    this.load = new Float64Array(topology.gpus);
  }

  /** Writes LP `lp` of the answer. */
  judge(one: Judged, answer: TimeAnswer, lp: number): void {
    const { gpus, allGpus, label, speed } = this.topology;
    this.addTimes(one);
    let maxTime = -Infinity;
    for (let g = 0; g < gpus; g++) {
      const time = this.load[g] / speed[g];
      answer.time[lp * allGpus + label[g]] = time;
      maxTime = Math.max(maxTime, time);
    }
    this.confine(one.member);
    const byUnits = this.unitsBound(one);
    // Where units close it, nothing else need be known.
    const byWork = byUnits * (1 + TIME_OPTIMAL) < maxTime ? this.workBound(one) : -Infinity;
    answer.timeProof[lp] = byUnits > byWork ? { rule: "units", unit: this.curve.unit } : { rule: "work" };
    const bound = Math.min(Math.max(byWork, byUnits), maxTime); // above maxTime only by rounding
    answer.maxTime[lp] = maxTime;
    answer.timeBound[lp] = bound;
    answer.timeGap[lp] = maxTime === bound ? 0 : (maxTime - bound) / Math.max(Math.abs(maxTime), Math.abs(bound));
  }

  private addTimes({ quota, base }: Judged): void {
    const { gpus, slots, slotReplica, replicaGpu } = this.topology;
    const { load, curve } = this;
    for (let g = 0; g < gpus; g++) load[g] = base ? base[g] : 0;
    for (let p = 0; p < slots; p++) {
      if (slotReplica[p] !== NO_REPLICA) load[replicaGpu[slotReplica[p]]] += curve.time(quota[p]);
    }
  }

  private confine(member: Uint8Array): void {
    const { topology, inside, members } = this;
    const { experts, gpus } = topology;
    inside.length = 0;
    members.length = 0;
    for (let g = 0; g < gpus; g++) if (member[g]) members.push(g);
    for (let e = 0; e < experts; e++) if (isConfined(topology, e, member)) inside.push(e);
  }

  private workBound({ expertLoad, base }: Judged): number {
    const { speed, replicaStart } = this.topology;
    const { inside, members, curve } = this;
    let rate = 0;
    let work = 0;
    for (const e of inside) work += leastWork(curve, expertLoad[e], replicaStart[e + 1] - replicaStart[e]);
    for (const g of members) {
      rate += speed[g];
      if (base) work += base[g];
    }
    return work / rate;
  }

  private unitsBound({ expertLoad, base }: Judged): number {
    const { gpus, speed } = this.topology;
    const { inside, members, curve } = this;
    const { unit, tile = Infinity } = curve;
    if (!(unit > 0)) return -Infinity;
    let units = 0;
    for (const e of inside) units += unitsOf(tile, expertLoad[e]);
    const work = { speed, base, unit };
    return unitBound(work, members, units, lastDone(work, gpus).time);
  }
}
