/** Loads as the kernels read them: whole numbers, fractions as units of their LP's total. */
import type { Pauses } from "../common/pauses.ts";
import type { Loads } from "./problem.ts";
import { NO_REPLICA, type Topology } from "./topology.ts";

/** Fractions are solved as whole units, this many in an LP: rounding to them costs about 1e-9 of the total. */
export const UNITS = 2 ** 30;

/** The largest time that kernels read: f32 holds sums of it. */
export const MAX_TIME = 1e30;

/** [B, living GPUs] as the kernels read base loads: [B, all GPUs]. */
function ofAll<T extends Int32Array | Float32Array>({ gpus, allGpus, label }: Topology, living: T): T {
  if (gpus === allGpus) return living;
  const length = (living.length / gpus) * allGpus;
  const all = (living instanceof Int32Array ? new Int32Array(length) : new Float32Array(length)) as T;
  for (const [i, load] of living.entries()) all[Math.floor(i / gpus) * allGpus + label[i % gpus]] = load;
  return all;
}

/**
 * Loads as the kernel reads them: whole tokens as they are, times as f32; fractions in units of their LP's total / UNITS,
 * base loads counted by magnitude. Any f64 range fits, and the exact finish closes the gap that f32 would leave.
 */
export async function uploadable(
  { batch, expertLoad: load, baseLoad: base, tokens }: Loads,
  topology: Topology,
  pauses: Pauses,
) {
  const { experts, gpus, lost } = topology;
  if (tokens === "integer") {
    const expertLoad = load as Int32Array<ArrayBuffer>;
    return {
      expertLoad,
      baseLoad: base && ofAll(topology, topology.cost ? Float32Array.from(base) : (base as Int32Array)),
    };
  }
  const wholeLoad = new Int32Array(load.length);
  const wholeBase = base && new Int32Array(base.length);
  await pauses.inPieces(batch, experts + gpus, (first, end) => {
    for (let i = first; i < end; i++) {
      let total = 0;
      for (let e = 0; e < experts; e++) if (!lost.includes(e)) total += load[i * experts + e];
      if (base) for (let g = 0; g < gpus; g++) total += Math.abs(base[i * gpus + g]);
      if (total === 0) continue;
      const toUnits = (value: number) => Math.round((value / total) * UNITS);
      for (let e = 0; e < experts; e++) {
        if (!lost.includes(e)) wholeLoad[i * experts + e] = toUnits(load[i * experts + e]);
      }
      if (base && wholeBase) for (let g = 0; g < gpus; g++) wholeBase[i * gpus + g] = toUnits(base[i * gpus + g]);
    }
  });
  return { expertLoad: wholeLoad, baseLoad: wholeBase && ofAll(topology, wholeBase) };
}

/** From units back to tokens: scales the slots of each expert to its load in f64, and leaves the last rounding to the largest. */
export function conserve(topology: Topology, { expertLoad }: Loads, lp: number, quota: Float64Array): void {
  const { experts, slots, slotExpert, slotReplica } = topology;
  const sum = new Float64Array(experts);
  for (let p = 0; p < slots; p++) if (slotReplica[p] !== NO_REPLICA) sum[slotExpert[p]] += quota[p];
  const largest = new Int32Array(experts).fill(-1);
  const rest = new Float64Array(experts);
  for (let e = 0; e < experts; e++) rest[e] = expertLoad[lp * experts + e];
  for (let p = 0; p < slots; p++) {
    if (slotReplica[p] === NO_REPLICA) continue;
    const e = slotExpert[p];
    quota[p] = sum[e] > 0 ? quota[p] * (expertLoad[lp * experts + e] / sum[e]) : 0;
    rest[e] -= quota[p];
    if (largest[e] < 0 || quota[p] > quota[largest[e]]) largest[e] = p;
  }
  for (let e = 0; e < experts; e++) if (largest[e] >= 0) quota[largest[e]] += rest[e];
}
