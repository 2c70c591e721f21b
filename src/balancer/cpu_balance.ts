import { Pauses } from "../common/pauses.ts";
import { cpuBackend } from "../lp/backend_cpu.ts";
import type { Loads } from "../lp/problem.ts";
import { ofLayer } from "../placement/per_layer.ts";
import type { CheckedRank } from "./gpu_balance.ts";
import type { Living } from "./living.ts";
import type { BalanceResult, BalanceShape } from "./result.ts";
import { apportion } from "./twins/apportion.ts";
import { count } from "./twins/count.ts";
import { imbalance } from "./twins/imbalance.ts";
import { remap } from "./twins/remap.ts";

export interface CpuBalance {
  /** Calls must not overlap. */
  balance(ids: Int32Array | Uint32Array, rank: CheckedRank | undefined, pauses?: Pauses): Promise<BalanceResult>;
  /** Further batches are for the GPUs that are alive. */
  setLiving(living: Living): void;
}

/** The same stages in plain TypeScript, with the exact solver. */
export function cpuBalance(shape: BalanceShape, skipBelow: number): CpuBalance {
  const { placements, layers, late } = shape;
  const { logicalExperts: experts, physicalExperts: slots } = placements[0];
  let { living } = shape;
  let solvers = living.topologies.map(cpuBackend);
  const previous = new Int32Array(layers * slots); // late: the last batch's solution; zero at first: an even split
  const nobodyBefore = new Int32Array(layers * experts);

  async function balance(
    ids: Int32Array | Uint32Array,
    rank: CheckedRank | undefined,
    pauses = new Pauses(),
  ): Promise<BalanceResult> {
    const assignments = ids.length / layers;
    const { active, slots: livingSlots, topologies } = living;
    const { gpus } = topologies[0];
    const slotsOf = (l: number) => ofLayer(livingSlots, l);
    const own = count(ids, layers, experts);
    const counts = rank ? rank.counts.slice() : own.counts;
    const quota = new Int32Array(layers * slots);
    const layer = (values: Int32Array, width: number, l: number) => values.subarray(l * width, (l + 1) * width);
    const split = (weights: Int32Array | undefined) => {
      for (let l = 0; l < layers; l++) {
        const given = weights && layer(weights, slots, l);
        apportion(slotsOf(l), layer(counts, experts, l), given, layer(quota, slots, l));
      }
    };
    split(undefined);
    const before = imbalance(livingSlots, layers, quota, active);
    const result: BalanceResult = {
      physicalIds: new Int32Array(ids.length),
      counts,
      outOfRange: own.outOfRange,
      unserved: new Int32Array(layers),
      quota,
      before,
      after: before,
      skipped: Uint8Array.from(before.imbalance, (ratio) => (ratio < skipBelow ? 1 : 0)),
      member: new Uint8Array(layers * gpus),
      iterations: new Int32Array(layers),
      moves: new Int32Array(layers),
      stageUs: undefined,
    };
    if (late) split(previous);
    for (let l = 0; l < layers; l++) {
      if (pauses.due) await pauses.take();
      if (result.skipped[l]) continue;
      const loads: Loads = { batch: 1, tokens: "integer", expertLoad: layer(counts, experts, l), baseLoad: undefined };
      ofLayer(solvers, l).solveOne(loads, 0, {
        quota: layer(late ? previous : quota, slots, l),
        member: result.member.subarray(l * gpus, (l + 1) * gpus),
        iterations: result.iterations.subarray(l, l + 1),
        moves: result.moves.subarray(l, l + 1),
      });
    }
    result.after = imbalance(livingSlots, layers, quota, active);
    for (let l = 0; l < layers; l++) {
      if (pauses.due) await pauses.take();
      const earlier = layer(rank?.before ?? nobodyBefore, experts, l);
      const row = [l * assignments, (l + 1) * assignments] as const;
      const physical = result.physicalIds.subarray(...row);
      result.unserved[l] = remap(slotsOf(l), ids.subarray(...row), layer(quota, slots, l), earlier, physical);
    }
    return result;
  }

  function setLiving(next: Living): void {
    living = next;
    solvers = living.topologies.map(cpuBackend);
    for (const p of previous.keys()) {
      const slot = p % slots;
      const { gpuOf } = ofLayer(placements, Math.floor(p / slots));
      if (living.active?.[gpuOf[slot]] === 0) previous[p] = 0;
    }
  }
  return { balance, setLiving };
}
