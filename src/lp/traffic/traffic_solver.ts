import { MAX_TOKENS } from "../../common/numbers.ts";
import type { Pauses } from "../../common/pauses.ts";
import { type Distance, isUniform } from "../../placement/distance.ts";
import { wholeTokensBy } from "../cut.ts";
import type { Loads } from "../problem.ts";
import { type Judged, judge, type RawSolution } from "../solution.ts";
import { NO_REPLICA, type Topology } from "../topology.ts";
import { LeastTraffic } from "./least_traffic.ts";
import { matchInOrder } from "./match.ts";
import { judgeTraffic, noTraffic, type TrafficAnswer } from "./traffic_answer.ts";
import type { TrafficDevice } from "./traffic_device.ts";

/** A batch that is answered but for its traffic. */
export interface Settled {
  loads: Loads;
  raw: RawSolution;
  judged: Judged;
}

/** One LP's. */
export interface SourcedLoads {
  /** [S, E] */
  sourceLoad: Int32Array;
  /** [A] of the living GPUs. */
  baseLoad?: ArrayLike<number>;
}

/** Relative gaps of a device up to this are left: it counts distances in 2^20 steps where they have no larger unit in common. */
const LEFT = 1e-6;

/** Whether the exact solver is to close the gap of what a device answered. */
export function isOpen({ traffic, trafficBound }: TrafficAnswer, lp: number): boolean {
  return traffic[lp] - trafficBound[lp] > LEFT * traffic[lp];
}

/** (1 + slack) times the least load; of one below 0, as much above it. */
const limitOf = (least: number, slack: number) => Math.min(Number.MAX_VALUE, least + slack * Math.abs(least));

/** Where the tokens of each source go, once it is known how much load there must be. Scratch for one topology. */
export class TrafficSolver {
  private readonly least: LeastTraffic;
  private readonly uniform: boolean;
  private readonly cap: Float64Array;

  constructor(
    private readonly topology: Topology,
    private readonly distance: Distance,
  ) {
    this.least = new LeastTraffic(topology, distance);
    this.uniform = isUniform(distance, topology.label);
    this.cap = new Float64Array(topology.gpus);
  }

  /**
   * Of all splits of each LP that are as good as the one that was found, or up to `slack` more loaded, one of least traffic; into the batch, whose
   * quotas are then judged anew.
   *
   * @param device  What answers first: the exact solver closes the gap where it gives up, or rounds distances too far.
   */
  async solve(settled: Settled, slack: number, pauses: Pauses, device?: TrafficDevice): Promise<TrafficAnswer> {
    const { topology, distance } = this;
    const { loads, raw, judged } = settled;
    const { slots, experts } = topology;
    const answer = noTraffic(loads.batch, distance, topology);
    const quota = raw.quota as Int32Array;
    const isDevices = device !== undefined && !this.uniform;
    const limits = judged.maxLoad.map((least) => limitOf(least, slack));
    if (isDevices) await device.solve(loads.sourceLoad!, this.allCaps(loads, limits), quota, answer, pauses);
    const { judgeOne } = judge(topology, loads, raw, judged);
    await pauses.inPieces(loads.batch, distance.sources * experts, (first, end) => {
      for (let lp = first; lp < end; lp++) {
        const own = this.ownOf(loads, lp);
        if (isDevices) this.judgeOne(own, limits[lp], answer, lp);
        if (!isDevices || isOpen(answer, lp)) {
          this.solveOne(own, limits[lp], quota.subarray(lp * slots, (lp + 1) * slots), answer, lp);
        }
        judgeOne(lp);
      }
    });
    return answer;
  }

  private ownOf({ sourceLoad, baseLoad }: Loads, lp: number): SourcedLoads {
    const { gpus, experts } = this.topology;
    const width = this.distance.sources * experts;
    return {
      sourceLoad: sourceLoad!.subarray(lp * width, (lp + 1) * width),
      baseLoad: baseLoad?.subarray(lp * gpus, (lp + 1) * gpus),
    };
  }

  /** [B, G] by the caller's numbers, 0 on dead GPUs. */
  private allCaps(loads: Loads, limits: Float64Array): Int32Array {
    const { gpus, allGpus, label } = this.topology;
    const caps = new Int32Array(loads.batch * allGpus);
    for (let lp = 0; lp < loads.batch; lp++) {
      const own = this.capsOf(this.ownOf(loads, lp), limits[lp]);
      for (let g = 0; g < gpus; g++) caps[lp * allGpus + label[g]] = Math.min(MAX_TOKENS, own[g]);
    }
    return caps;
  }

  /**
   * Answers an LP into row `lp` of `answer` and into its quotas [P], which make GPUs no later than `limit`: with the least traffic of all splits that do
   * not. Where all distances are equal there is nothing to choose by, and the quotas stay.
   */
  solveOne(own: SourcedLoads, limit: number, quota: Int32Array, answer: TrafficAnswer, lp: number): void {
    const { topology, distance, least } = this;
    const { slots, gpus, allGpus, label } = topology;
    const { sources } = distance;
    const cap = this.capsOf(own, limit);
    const sourceQuota = answer.sourceQuota.subarray(lp * sources * slots, (lp + 1) * sources * slots);
    if (this.uniform) matchInOrder(topology, own.sourceLoad, quota, sourceQuota);
    else {
      least.solve(own.sourceLoad, cap);
      for (let g = 0; g < gpus; g++) answer.potential.gpu[lp * allGpus + label[g]] = least.potential[g];
      this.writeQuotas(quota, sourceQuota);
    }
    this.judgeOne(own, limit, answer, lp);
  }

  /** What follows from the answer's quotas and potentials. */
  judgeOne(own: SourcedLoads, limit: number, answer: TrafficAnswer, lp: number): void {
    answer.loadLimit[lp] = limit;
    judgeTraffic(this.topology, this.distance, own.sourceLoad, this.capsOf(own, limit), answer, lp);
  }

  private capsOf({ baseLoad }: SourcedLoads, limit: number): Float64Array {
    const { cap } = this;
    const { gpus, speed } = this.topology;
    for (let g = 0; g < gpus; g++) cap[g] = wholeTokensBy(limit, speed[g]) - (baseLoad?.[g] ?? 0);
    return cap;
  }

  /** Tokens on replicas to their slots: of several on one GPU each gets its share of every source's. */
  private writeQuotas(quota: Int32Array, sourceQuota: Int32Array): void {
    const { slots, slotReplica, slotOrdinal, replicaSlots } = this.topology;
    const { sources } = this.distance;
    const { flow } = this.least;
    quota.fill(0);
    for (let p = 0; p < slots; p++) {
      const r = slotReplica[p];
      if (r === NO_REPLICA) continue;
      const count = replicaSlots[r];
      for (let s = 0; s < sources; s++) {
        const tokens = flow[r * sources + s];
        const whole = Math.floor(tokens / count);
        const share = whole + (slotOrdinal[p] < tokens - whole * count ? 1 : 0);
        sourceQuota[s * slots + p] = share;
        quota[p] += share;
      }
    }
  }
}
