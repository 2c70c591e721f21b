import { ArgumentError, DeviceError } from "../common/errors.ts";
import { cpuBackend } from "../lp/backend_cpu.ts";
import type { Status } from "../lp/kernels/proof.ts";
import type { Loads } from "../lp/problem.ts";
import { type BackendName, type Judged, judge, type RawSolution, survivorsOf } from "../lp/solution.ts";
import type { Curve } from "../lp/time/expert_cost.ts";
import type { Topology } from "../lp/topology.ts";
import type { Distance } from "../placement/distance.ts";
import type { Slots } from "../placement/living_slots.ts";
import { ofLayer, rowOf, widestReplica } from "../placement/per_layer.ts";
import type { Placement } from "../placement/placement.ts";
import { type BaseLoad, loadsOf } from "./base_load.ts";
import { trafficAfter, trafficBefore } from "./batch_traffic.ts";
import type { ImbalanceReport } from "./kernels/imbalance.ts";
import type { Living } from "./living.ts";
import type { CheckedRank } from "./rank_counts.ts";
import { reportOf } from "./report.ts";
import type { SourceSplit } from "./source_split.ts";
import { remap, remapBySource } from "./twins/remap.ts";
import { shares } from "./twins/shares.ts";
import type { Balanced, LayerStatus } from "./types.ts";

/** A batch as both backends take it, checked and copied. */
export interface CheckedBatch {
  /** [L, T, k] */
  ids: Int32Array | Uint32Array;
  /** What the others have; undefined: this rank is the only one. */
  rank?: CheckedRank;
  /** [L, G] of this batch, or of the options; 0 on dead GPUs. None, if undefined. */
  baseLoad?: BaseLoad;
}

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
  /** Where there are distances: whose tokens fill the quotas. */
  sent?: SourceSplit;
}

/** What a result is judged against. */
export interface BalanceShape {
  /** One, or one per layer. */
  placements: readonly Placement[];
  /** [G] */
  speeds: Float64Array;
  /** What the tokens in a slot cost, where time is balanced. */
  cost: Curve | undefined;
  distance: Distance | undefined;
  living: Living;
  layers: number;
  late: boolean;
  topK: number;
}

/** A result layer by layer, as the solver's judge sees one. */
class Layers {
  readonly experts: number;

  constructor(
    readonly shape: BalanceShape,
    readonly result: BalanceResult,
    readonly baseLoad: BaseLoad | undefined,
  ) {
    this.experts = shape.placements[0].logicalExperts;
  }

  topology(layer: number): Topology {
    return ofLayer(this.shape.living.topologies, layer);
  }

  slots(layer: number): Slots {
    return ofLayer(this.shape.living.slots, layer);
  }

  expertLoad(layer: number): Int32Array {
    return rowOf(this.result.counts, this.experts, layer);
  }

  loads(layer: number): Loads {
    return loadsOf(this.topology(layer), this.result.counts, this.baseLoad, layer);
  }

  raw(layer: number): RawSolution & { quota: Int32Array } {
    const { quota, member, iterations, moves } = this.result;
    return {
      quota: rowOf(quota, this.shape.placements[0].physicalExperts, layer),
      member: rowOf(member, this.topology(layer).gpus, layer),
      iterations: rowOf(iterations, 1, layer),
      moves: rowOf(moves, 1, layer),
    };
  }

  /** The layer's verdict, what follows from its quotas and bottleneck set alone, and whether the CPU can do better. */
  judged(layer: number): { verdict: Status; judged: Judged; open: boolean } {
    const { judged, judgeOne, isOpen } = judge(this.topology(layer), this.loads(layer), this.raw(layer));
    return { verdict: judgeOne(0), judged, open: isOpen(0) };
  }
}

/**
 * Judges each layer from its quotas and bottleneck set alone, as the solver does; a layer that the kernel left with a gap is solved and
 * remapped on the CPU.
 *
 * @returns the answer, and how many layers the CPU finished.
 */
export function judgeBalance(
  shape: BalanceShape,
  { ids, rank, baseLoad }: CheckedBatch,
  result: BalanceResult,
  backend: BackendName,
): { balanced: Balanced; finishedOnCpu: number } {
  const { living, layers: count, late, distance } = shape;
  const layers = new Layers(shape, result, baseLoad);
  const { splitter } = living;
  const assignments = ids.length / count;
  requireMapped(ids, result.physicalIds, assignments, (layer) => layers.slots(layer));
  const finished = new Set<number>();
  const judged: Judged[] = []; // of the layers that were solved
  const status = Array.from({ length: count }, (_, layer): LayerStatus => {
    const open = backend === "webgpu" && splitter?.judge(result.sent!, layer, layers.raw(layer).quota, baseLoad);
    if (late || result.skipped[layer]) return evenOrLate(layers.raw(layer), late);
    const first = layers.judged(layer);
    judged[layer] = first.judged;
    if (!first.open && !open) return first.verdict;
    if (first.open) cpuBackend(layers.topology(layer)).solveOne(layers.loads(layer), 0, layers.raw(layer));
    splitter?.least(result.sent!, layer, layers.raw(layer).quota, baseLoad);
    handOut(shape, { ids, rank }, result, layer);
    finished.add(layer);
    const again = layers.judged(layer);
    judged[layer] = again.judged;
    return again.verdict;
  });
  const { cost, speeds } = shape;
  const timed = { cost, speeds, base: baseLoad, active: living.active };
  const held = finished.size > 0 ? reportOf(living.slots, count, result.quota, timed) : result.after;
  const { physicalIds, counts, quota, outOfRange, unserved } = result;
  const sent = distance && { distance, slots: living.slots, layers: count, topK: shape.topK, ids, rank };
  const before = sent ? { ...result.before, traffic: trafficBefore(sent, counts) } : result.before;
  const after = sent ? { ...held, traffic: trafficAfter(sent, physicalIds) } : held;
  const balanced: Balanced = {
    ...{ physicalIds, counts, quota, before, after, status, outOfRange, unserved, backend },
    ...(result.sent && sentOf(result.sent)),
    ...(cost && timeBounds(status.map((_, layer) => judged[layer] ?? layers.judged(layer).judged))),
    lost: status.map((_, layer) => [...layers.topology(layer).lost]),
    proof: (layer) => proofOf(layers, layer, { status, finished, backend }),
    shares: () => sharesOf(layers),
  };
  return { balanced, finishedOnCpu: finished.size };
}

/** A layer's ids to slots, so that its quotas are met. Returns how many are of lost experts. */
export function handOut(
  { living, topK, layers }: BalanceShape,
  { ids, rank }: CheckedBatch,
  { sent, quota, physicalIds }: Pick<BalanceResult, "sent" | "quota" | "physicalIds">,
  layer: number,
): number {
  const slots = ofLayer(living.slots, layer);
  const assignments = ids.length / layers;
  const [own, physical] = [rowOf(ids, assignments, layer), rowOf(physicalIds, assignments, layer)];
  if (sent) {
    const sourceQuota = rowOf(sent.answer.sourceQuota, sent.answer.sourceQuota.length / layers, layer);
    return remapBySource(slots, topK, own, sourceQuota, rank?.source?.rank, physical);
  }
  const experts = slots.logicalExperts;
  const before = rank ? rowOf(rank.before, experts, layer) : new Int32Array(experts);
  return remap(slots, own, rowOf(quota, slots.physicalExperts, layer), before, physical);
}

const sentOf = ({ answer: { sourceQuota, traffic, trafficBound } }: SourceSplit) => ({
  sourceQuota,
  traffic,
  trafficBound,
});

/** [L] what is proven of each layer's time, and how far it is from that. */
function timeBounds(judged: readonly Judged[]) {
  return {
    timeBound: Float64Array.from(judged, ({ timeBound }) => timeBound![0]),
    timeGap: Float64Array.from(judged, ({ timeGap }) => timeGap![0]),
  };
}

/** Where nothing was solved, all GPUs together prove the mean. */
function evenOrLate(raw: RawSolution, late: boolean): "late" | "skipped" {
  raw.member.fill(1);
  raw.iterations.fill(0);
  raw.moves.fill(0);
  return late ? "late" : "skipped";
}

/** A layer as an LP and its solution, for `certify`. */
function proofOf(
  layers: Layers,
  layer: number,
  { status, finished, backend }: { status: LayerStatus[]; finished: ReadonlySet<number>; backend: BackendName },
): ReturnType<Balanced["proof"]> {
  if (!Number.isInteger(layer) || layer < 0 || layer >= status.length) {
    throw new ArgumentError("layer", `an integer from 0 to L - 1 = ${status.length - 1}`, layer);
  }
  const { placements, speeds, living, cost, distance } = layers.shape;
  const placement = ofLayer(placements, layer);
  const { active } = living;
  const expertLoad = layers.expertLoad(layer);
  const baseLoad = layers.baseLoad && rowOf(layers.baseLoad, placement.gpus, layer).slice(); // the caller's to keep
  const { quota, iterations, moves } = layers.raw(layer);
  const sent = layers.result.sent && sentIn(layers.result.sent, layer, status.length);
  return {
    problem: {
      ...{ placement, expertLoad, speed: speeds.slice() },
      ...(baseLoad && { baseLoad }),
      ...(active && { active }),
      ...(cost && { cost: cost.given }),
      ...(sent && { ...structuredClone(distance!.given), sourceLoad: sent.sourceLoad }),
    },
    solution: {
      batch: 1,
      tokens: "integer",
      ...layers.judged(layer).judged,
      ...sent?.answer,
      ...{ quota, ...survivorsOf(layers.topology(layer), expertLoad), iterations, moves },
      finishedOnCpu: finished.has(layer) ? 1 : 0,
      backend,
      adapter: undefined,
      reason: `Layer ${layer} of a balanced batch: ${status[layer]}.`,
    },
  };
}

/** A layer's part of what was sent. */
function sentIn({ bySource, answer }: SourceSplit, layer: number, layers: number) {
  const part = <T extends Int32Array | Float64Array>(all: T) => rowOf(all, all.length / layers, layer).slice() as T;
  const { sourceQuota, traffic, trafficBound, loadLimit, potential } = answer;
  return {
    sourceLoad: part(bySource),
    answer: {
      ...{ sourceQuota: part(sourceQuota), traffic: part(traffic), trafficBound: part(trafficBound) },
      ...{ loadLimit: part(loadLimit), potential: { gpu: part(potential.gpu), source: part(potential.source) } },
    },
  };
}

/** [L, E, X] quotas as fractions. */
function sharesOf(layers: Layers): Float32Array {
  const { shape, experts } = layers;
  const width = widestReplica(shape.placements);
  const all = new Float32Array(shape.layers * experts * width);
  for (let layer = 0; layer < shape.layers; layer++) {
    const row = shares(layers.slots(layer), layers.expertLoad(layer), layers.raw(layer).quota, width);
    all.set(row, layer * experts * width);
  }
  return all;
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
