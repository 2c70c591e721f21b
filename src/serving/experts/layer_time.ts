/** When the last GPU is done with its experts in one layer, by each way to spread their tokens over the replicas. */
import { cpuBackend } from "../../lp/backend_cpu.ts";
import { emptyRaw } from "../../lp/solution.ts";
import type { Curve } from "../../lp/time/expert_cost.ts";
import { noTimes, TimeJudge } from "../../lp/time/judge_time.ts";
import { topologyOfPlacement } from "../../lp/topology.ts";
import type { Placement } from "../../placement/placement.ts";

/**
 * "none": all of an expert's tokens on its first replica. "even": equally many on each, to within one. "tokens": so that the most loaded GPU has as
 * few as can be, proven. "time": so that the last GPU is done as early as the library's solver can, the least where its bound is reached.
 * "bound": no way to spread them, but what is proven of all: no split is done sooner.
 */
export type Balance = "none" | "even" | "tokens" | "time" | "bound";
export const balances: readonly Balance[] = ["none", "even", "tokens", "time", "bound"];

/** Of the loads [E] of a layer, whole tokens, in the cost's unit. */
export type LayerTime = (loads: Int32Array) => number;

/** @param placement  Every expert has a slot. */
export function layerTimeOf(balance: Balance, placement: Placement, curve: Curve): LayerTime {
  if (balance === "none" || balance === "even") return spreadTime(balance, placement, curve);
  if (balance === "bound") return provenTime(placement, curve);
  return solvedTime(placement, curve, balance === "time");
}

/** max_g sum over the slots of g of c(quota). */
function lastDone({ gpus, gpuOf }: Placement, { time }: Curve): (quota: ArrayLike<number>) => number {
  const spent = new Float64Array(gpus);
  return (quota) => {
    spent.fill(0);
    for (let p = 0; p < gpuOf.length; p++) spent[gpuOf[p]] += time(quota[p]);
    let last = 0;
    for (let g = 0; g < gpus; g++) last = Math.max(last, spent[g]);
    return last;
  };
}

function spreadTime(balance: "none" | "even", placement: Placement, curve: Curve): LayerTime {
  const { logicalExperts, physicalExperts, maxReplicas, logicalToPhysical, replicaCount } = placement;
  const quota = new Int32Array(physicalExperts);
  const doneAt = lastDone(placement, curve);
  return (loads) => {
    for (let e = 0; e < logicalExperts; e++) {
      const replicas = balance === "none" ? 1 : replicaCount[e];
      let given = 0;
      for (let i = 0; i < replicas; i++) {
        const due = Math.floor((loads[e] * (i + 1)) / replicas); // as the balancer's even split has it
        quota[logicalToPhysical[e * maxReplicas + i]] = due - given;
        given = due;
      }
    }
    return doneAt(quota);
  };
}

/** An LP, or the question of time, on a placement: solved on the spot. */
function solverOf(placement: Placement, curve: Curve | undefined) {
  const topology = topologyOfPlacement(placement, new Float64Array(placement.gpus).fill(1), undefined, curve);
  const backend = cpuBackend(topology);
  const raw = emptyRaw(topology, { batch: 1, tokens: "integer", expertLoad: new Int32Array(0), baseLoad: undefined });
  const solve = (expertLoad: Int32Array) =>
    backend.solveOne({ batch: 1, tokens: "integer", expertLoad, baseLoad: undefined }, 0, raw);
  return { topology, raw, solve };
}

function solvedTime(placement: Placement, curve: Curve, ofTime: boolean): LayerTime {
  const { raw, solve } = solverOf(placement, ofTime ? curve : undefined);
  const doneAt = lastDone(placement, curve);
  return (loads) => {
    solve(loads);
    return doneAt(raw.quota);
  };
}

function provenTime(placement: Placement, curve: Curve): LayerTime {
  const { topology, raw, solve } = solverOf(placement, curve);
  const judge = new TimeJudge(topology, curve);
  const answer = noTimes(topology, 1);
  return (loads) => {
    solve(loads);
    judge.judge({ expertLoad: loads, base: undefined, quota: raw.quota, member: raw.member }, answer, 0);
    return answer.timeBound[0];
  };
}
