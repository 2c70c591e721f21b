import { ArgumentError, DeviceError } from "../common/errors.ts";
import { cpuBackend } from "../lp/backend_cpu.ts";
import type { Loads } from "../lp/problem.ts";
import { type BackendName, judge, type RawSolution, survivorsOf } from "../lp/solution.ts";
import type { Slots } from "../placement/living_slots.ts";
import { ofLayer, widestReplica } from "../placement/per_layer.ts";
import type { Placement } from "../placement/placement.ts";
import type { ImbalanceReport } from "./kernels/imbalance.ts";
import type { Living } from "./living.ts";
import { imbalance } from "./twins/imbalance.ts";
import { remap } from "./twins/remap.ts";
import { shares } from "./twins/shares.ts";
import type { Balanced, LayerStatus } from "./types.ts";

/** What either backend computes of a batch of ids, before it is judged. */
export interface BalanceResult {
  physicalIds: Int32Array;
  counts: Int32Array;
  outOfRange: Int32Array;
  unserved: Int32Array;
  quota: Int32Array;
  before: ImbalanceReport;
  after: ImbalanceReport;
  /** [L] 1 where the even split was kept. */
  skipped: Uint8Array;
  /** [L, A] bottleneck sets of living GPUs, meaningless where skipped. */
  member: Uint8Array;
  iterations: Int32Array;
  moves: Int32Array;
  stageUs: Record<string, number> | undefined;
}

/** What a result is judged against. */
export interface BalanceShape {
  /** One, or one per layer. */
  placements: readonly Placement[];
  /** [G] */
  speeds: Float64Array;
  living: Living;
  layers: number;
  late: boolean;
}

/**
 * Judges each layer from its quotas and bottleneck set alone, as the solver does; a layer that the kernel left with a gap is solved and
 * remapped on the CPU.
 *
 * @returns the answer, and how many layers the CPU finished.
 */
export function judgeBalance(
  { placements, speeds, living, layers, late }: BalanceShape,
  ids: Int32Array | Uint32Array,
  before: ArrayLike<number>,
  result: BalanceResult,
  backend: BackendName,
): { balanced: Balanced; finishedOnCpu: number } {
  const { logicalExperts: experts, physicalExperts: slots } = placements[0];
  const { active, slots: livingSlots, topologies } = living;
  const { gpus } = topologies[0];
  const assignments = ids.length / layers;
  const status: LayerStatus[] = [];
  const finished = new Set<number>(); // on the CPU

  const placementOf = (layer: number) => ofLayer(placements, layer);
  const slotsOf = (layer: number) => ofLayer(livingSlots, layer);
  const topologyOf = (layer: number) => ofLayer(topologies, layer);
  const loadsOf = (layer: number): Loads => ({
    batch: 1,
    tokens: "integer",
    expertLoad: result.counts.subarray(layer * experts, (layer + 1) * experts),
    baseLoad: undefined,
  });
  const rawOf = (layer: number): RawSolution => ({
    quota: result.quota.subarray(layer * slots, (layer + 1) * slots),
    member: result.member.subarray(layer * gpus, (layer + 1) * gpus),
    iterations: result.iterations.subarray(layer, layer + 1),
    moves: result.moves.subarray(layer, layer + 1),
  });

  requireMapped(ids, result.physicalIds, assignments, slotsOf);
  for (let layer = 0; layer < layers; layer++) {
    const raw = rawOf(layer);
    if (late || result.skipped[layer]) {
      raw.member.fill(1); // all GPUs together prove the mean
      raw.iterations.fill(0);
      raw.moves.fill(0);
      status.push(late ? "late" : "skipped");
      continue;
    }
    const loads = loadsOf(layer);
    let verdict = judge(topologyOf(layer), loads, raw).judgeOne(0);
    if (verdict === "gap") {
      cpuBackend(topologyOf(layer)).solveOne(loads, 0, raw);
      verdict = judge(topologyOf(layer), loads, raw).judgeOne(0);
      const row = [layer * assignments, (layer + 1) * assignments] as const;
      const offsets = Array.from({ length: experts }, (_, e) => before[layer * experts + e]);
      remap(slotsOf(layer), ids.subarray(...row), raw.quota, offsets, result.physicalIds.subarray(...row));
      finished.add(layer);
    }
    status.push(verdict);
  }
  const after = finished.size > 0 ? imbalance(livingSlots, layers, result.quota, active) : result.after;

  const balanced: Balanced = {
    physicalIds: result.physicalIds,
    counts: result.counts,
    quota: result.quota,
    before: result.before,
    after,
    status,
    outOfRange: result.outOfRange,
    lost: Array.from({ length: layers }, (_, layer) => [...topologyOf(layer).lost]),
    unserved: result.unserved,
    backend,
    proof(layer) {
      if (!Number.isInteger(layer) || layer < 0 || layer >= layers) {
        throw new ArgumentError("layer", `an integer from 0 to L - 1 = ${layers - 1}`, layer);
      }
      const topology = topologyOf(layer);
      const raw = rawOf(layer);
      const { judged, judgeOne } = judge(topology, loadsOf(layer), raw);
      judgeOne(0);
      const expertLoad = loadsOf(layer).expertLoad as Int32Array;
      return {
        problem: { placement: placementOf(layer), expertLoad, speed: speeds, ...(active && { active }) },
        solution: {
          batch: 1,
          tokens: "integer",
          ...judged,
          quota: raw.quota as Int32Array,
          ...survivorsOf(topology, expertLoad),
          iterations: raw.iterations,
          moves: raw.moves,
          finishedOnCpu: finished.has(layer) ? 1 : 0,
          backend,
          adapter: undefined,
          reason: `Layer ${layer} of a balanced batch: ${status[layer]}.`,
        },
      };
    },
    shares() {
      const width = widestReplica(placements);
      const all = new Float32Array(layers * experts * width);
      for (let layer = 0; layer < layers; layer++) {
        const expertLoad = loadsOf(layer).expertLoad as Int32Array;
        all.set(shares(slotsOf(layer), expertLoad, rawOf(layer).quota, width), layer * experts * width);
      }
      return all;
    },
  };
  return { balanced, finishedOnCpu: finished.size };
}

/**
 * A device that fails without saying so leaves zeros or nothing: every id must have come back as a living slot of its own expert, or as -1 where there
 * is none.
 */
function requireMapped(
  ids: Int32Array | Uint32Array,
  physicalIds: Int32Array,
  assignments: number,
  slotsOf: (layer: number) => Slots,
): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] | 0;
    const { physicalToLogical, replicaCount } = slotsOf(Math.floor(i / assignments));
    // Beyond the experts there is no count.
    if (replicaCount[id] > 0 ? physicalToLogical[physicalIds[i]] !== id : physicalIds[i] !== -1) {
      throw new DeviceError(
        `The device did not balance the batch: id ${id} at ${i} came back as slot ${physicalIds[i]}.`,
      );
    }
  }
}
