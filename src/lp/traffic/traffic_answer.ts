import { ExactSum } from "../../common/exact_sum.ts";
import type { Distance } from "../../placement/distance.ts";
import { NO_REPLICA, type Topology } from "../topology.ts";

/** Answers of one batch where `sourceLoad` was given. All arrays are the caller's to keep. */
export interface TrafficAnswer {
  /** [B, S, P] tokens of each source per slot, which over the sources add up to quota. */
  sourceQuota: Int32Array;
  /** [B] sum of distance * assignments. */
  traffic: Float64Array;
  /** [B] no split within the caps has less; equal to traffic on the CPU, but for rounding where distances are no whole numbers. */
  trafficBound: Float64Array;
  /** [B] the load up to which GPUs may go, (1 + slack) times the least: GPU g's cap is floor(speed_g loadLimit) - baseLoad_g tokens. */
  loadLimit: Float64Array;
  /**
   * The proof of trafficBound = sum sourceLoad * source + sum cap * gpu, over all sources and experts that are served, and all living GPUs.
   */
  potential: {
    /** [B, gpus] <= 0, and 0 where there is room below the cap; 0 on dead GPUs. */
    gpu: Float64Array;
    /** [B, S, E] the least of distance - gpu over the living GPUs that hold the expert; 0 where none does. */
    source: Float64Array;
  };
}

/** None yet. */
export function noTraffic(batch: number, { sources, gpus }: Distance, { experts, slots }: Topology): TrafficAnswer {
  return {
    sourceQuota: new Int32Array(batch * sources * slots),
    traffic: new Float64Array(batch),
    trafficBound: new Float64Array(batch),
    loadLimit: new Float64Array(batch),
    potential: { gpu: new Float64Array(batch * gpus), source: new Float64Array(batch * sources * experts) },
  };
}

/**
 * Writes what follows from sourceQuota and the GPUs' potentials alone: traffic, the sources' potentials and the bound.
 *
 * @param sourceLoad  [S, E] of the LP.  @param cap  [A]
 */
export function judgeTraffic(
  topology: Topology,
  { sources, gpus: allGpus, values }: Distance,
  sourceLoad: Int32Array,
  cap: Float64Array,
  answer: TrafficAnswer,
  lp: number,
): void {
  const { experts, slots, replicaStart, replicaGpu, slotReplica, label, gpus } = topology;
  const potential = answer.potential.gpu.subarray(lp * allGpus, (lp + 1) * allGpus);
  const source = answer.potential.source.subarray(lp * sources * experts, (lp + 1) * sources * experts);
  const quota = answer.sourceQuota.subarray(lp * sources * slots, (lp + 1) * sources * slots);
  const traffic = new ExactSum();
  const bound = new ExactSum();
  for (let s = 0; s < sources; s++) {
    const row = s * allGpus;
    for (let p = 0; p < slots; p++) {
      const tokens = quota[s * slots + p];
      if (tokens > 0 && slotReplica[p] !== NO_REPLICA) {
        traffic.add(tokens * values[row + label[replicaGpu[slotReplica[p]]]]);
      }
    }
    for (let e = 0; e < experts; e++) {
      if (replicaStart[e] === replicaStart[e + 1]) continue;
      let least = Infinity;
      for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) {
        const g = label[replicaGpu[r]];
        least = Math.min(least, values[row + g] - potential[g]);
      }
      source[s * experts + e] = least;
      bound.add(least * sourceLoad[s * experts + e]);
    }
  }
  for (let g = 0; g < gpus; g++) {
    if (potential[label[g]] !== 0) bound.add(cap[g] * potential[label[g]]);
  }
  answer.traffic[lp] = traffic.value;
  answer.trafficBound[lp] = Math.min(Math.max(bound.value, 0), traffic.value); // above it only by f64 rounding
}
