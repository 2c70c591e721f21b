import { commonUnit } from "../../common/exact_sums.ts";
import type { Distance } from "../../placement/distance.ts";
import { grouped, NO_REPLICA, slotsByExpert, type Topology } from "../topology.ts";
import { exchanges } from "../traffic/exchanges.ts";
import { IDLE_SLOT } from "./topology_table.ts";

/** Topologies and distances as the kernels `match_sources` and `traffic` read them. */
export interface SourceTable {
  /** [records, stride] u32, then [S, G] i32 steps, and the same as [G, S]. */
  readonly data: Uint32Array<ArrayBuffer>;
  readonly records: number;
  readonly stride: number;
  readonly gpus: number;
  readonly experts: number;
  readonly slots: number;
  readonly sources: number;
  /** R and K, the most of any record. */
  readonly replicas: number;
  readonly exchanges: number;
  /** The most slots of any expert. */
  readonly copies: number;
  /** How much distance a step is. */
  readonly step: number;
}

/** The largest distance in steps, so that lengths of paths between 1,024 GPUs stay below 2^31. */
const MOST_STEPS = 2 ** 20;

/**
 * [S, G] distances in whole steps, and how much one is: exactly, where all of them are multiples of a number that is not too small beside the largest;
 * otherwise rounded.
 */
export function stepsOf({ values }: Distance): { steps: Float64Array; step: number } {
  const largest = values.reduce((a, b) => Math.max(a, b), 0);
  const unit = commonUnit(values);
  const step = largest <= unit * MOST_STEPS ? unit || 1 : Math.max(largest / MOST_STEPS, Number.MIN_VALUE);
  return { steps: values.map((value) => Math.round(value / step)), step };
}

/**
 * Packs topologies of equal G, E and P, one record each.
 *
 * @param sizes  R and K, where they are to be those of another table: of the same topologies when more GPUs were alive.
 */
export function sourceTable(
  topologies: readonly Topology[],
  distance: Distance,
  sizes?: Pick<SourceTable, "replicas" | "exchanges">,
): SourceTable {
  const { allGpus: gpus, experts, slots } = topologies[0];
  const arcs = topologies.map(exchanges);
  const replicas = sizes?.replicas ?? Math.max(1, ...topologies.map(({ replicaGpu }) => replicaGpu.length));
  const most = sizes?.exchanges ?? Math.max(1, ...arcs.map(({ leaves }) => leaves.length));
  const stride = 2 * (experts + 1) + 2 * replicas + 3 * slots + gpus + 1 + 2 * most + (replicas + 1) + most;
  const { steps, step } = stepsOf(distance);
  const data = new Uint32Array(topologies.length * stride + 2 * steps.length);
  let copies = 1;
  for (const [i, topology] of topologies.entries()) {
    const record = data.subarray(i * stride, (i + 1) * stride);
    copies = Math.max(copies, writeRecord(record, topology, arcs[i], replicas, most));
  }
  const { sources } = distance;
  data.set(steps, topologies.length * stride);
  data.set(transposed(steps, gpus), topologies.length * stride + steps.length);
  return {
    ...{ data, records: topologies.length, stride, gpus, experts, slots, sources },
    ...{ replicas, exchanges: most, copies, step },
  };
}

/** [S, G] as [G, S]. */
function transposed(values: Float64Array, gpus: number): Float64Array {
  const sources = values.length / gpus;
  return values.map((_, i) => values[(i % sources) * gpus + Math.floor(i / sources)]);
}

/** Returns the most slots of an expert. */
function writeRecord(
  record: Uint32Array,
  topology: Topology,
  arcs: ReturnType<typeof exchanges>,
  replicas: number,
  most: number,
): number {
  const { allGpus, experts, slots, label, replicaStart, replicaGpu, replicaSlots, slotReplica, slotOrdinal } = topology;
  let at = 0;
  const put = (room: number, words: ArrayLike<number>) => {
    record.set(words, at);
    at += room;
  };
  const living = slotsByExpert(topology);
  const gpuOf = replicaGpu.map((g) => label[g]);
  const slotWords = Array.from(slotReplica, (r) => (r === NO_REPLICA ? IDLE_SLOT : r));
  put(experts + 1, replicaStart);
  put(experts + 1, living.start);
  put(replicas, gpuOf);
  put(replicas, replicaSlots);
  put(slots, living.items);
  put(slots, slotWords);
  put(slots, slotOrdinal);
  // Exchanges by the GPU that is entered, in the order in which they leave; and which of them leave each replica.
  const entering = grouped(
    arcs.enters.map((r) => gpuOf[r]),
    allGpus,
  );
  const leaves = entering.items.map((k) => arcs.leaves[k]);
  const leaving = grouped(leaves, replicaGpu.length);
  put(allGpus + 1, entering.start);
  put(most, leaves);
  put(
    most,
    entering.items.map((k) => arcs.enters[k]),
  );
  put(replicas + 1, leaving.start);
  put(most, leaving.items);
  let widest = 1;
  for (let e = 0; e < experts; e++) widest = Math.max(widest, living.start[e + 1] - living.start[e]);
  return widest;
}

export const SOURCE_PARAMS_BYTES = 48;

/** struct SourceParams of source_record.wgsl. */
export function sourceParams(table: SourceTable, batch: number, hasSkip = false): Uint32Array<ArrayBuffer> {
  const { records, stride, gpus, experts, slots, sources, replicas, exchanges: most } = table;
  const words = [batch, records, stride, gpus, experts, slots, sources, replicas, most, hasSkip ? 1 : 0, 0, 0];
  return Uint32Array.from(words);
}
