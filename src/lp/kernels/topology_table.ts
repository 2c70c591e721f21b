import { adjacency, NO_REPLICA, type Topology } from "../topology.ts";
import type { TableSizes } from "./variant.ts";

/** Speeds become integers in the kernel: the time of one token, at most this (a u32 that leaves long division a spare bit). */
export const SLOWEST_PACE = 2 ** 31 - 1;

/** The pace of each GPU: SLOWEST_PACE for the slowest, in proportion for the others. */
export function pacesOf(speed: ArrayLike<number>): number[] {
  const slowest = Math.min(...Array.from(speed));
  return Array.from(speed, (v) => Math.max(1, Math.round((SLOWEST_PACE * slowest) / v)));
}

/** Parts of a record in order, as the constants AT_... of topology_record.wgsl place them. */
function parts({ experts, slots }: Topology, maxGpus: number, maxReplicas: number) {
  const maxExperts = maxReplicas / 2;
  return {
    experts: 1,
    singles: 1,
    gpus: 1,
    label: maxGpus,
    speed: maxGpus,
    pace: maxGpus,
    expert: maxExperts,
    start: maxExperts + 1,
    gpu: maxReplicas,
    owner: maxReplicas,
    gpuStart: maxGpus + 1,
    gpuReplica: maxReplicas,
    single: experts,
    singleGpu: experts,
    slot: slots,
    share: slots,
  };
}
type Part = keyof ReturnType<typeof parts>;

/** Topologies as the `solve` kernel reads them. */
export interface TopologyTable extends TableSizes {
  /** [topologies, stride] u32. */
  readonly data: Uint32Array<ArrayBuffer>;
  /** Private arrays of the kernel are this long: the topologies' sizes rounded up, so that shapes share pipelines. */
  readonly maxGpus: number;
  readonly maxReplicas: number;
}

/** A size of the kernels' arrays, so that shapes share pipelines. */
export const roundUp = (value: number, least: number) => Math.max(least, 2 ** Math.ceil(Math.log2(value)));

/** Replicas of experts that have more than one. */
function choices({ experts, replicaStart }: Topology): number {
  let count = 0;
  for (let e = 0; e < experts; e++) {
    const replicas = replicaStart[e + 1] - replicaStart[e];
    if (replicas > 1) count += replicas;
  }
  return count;
}

/** Sizes of the kernels' arrays for topologies of equal G. */
export function arraySizes(topologies: readonly Topology[]): Pick<TopologyTable, "maxGpus" | "maxReplicas"> {
  return {
    maxGpus: roundUp(topologies[0].gpus, 8),
    maxReplicas: roundUp(Math.max(1, ...topologies.map(choices)), 32),
  };
}

/**
 * Packs topologies of equal G, E and P, one record each.
 *
 * @param sizes  Of the arrays, where they are to be those of another table: of the same topologies when more GPUs were alive.
 */
export function topologyTable(
  topologies: readonly Topology[],
  sizes?: Pick<TopologyTable, "maxGpus" | "maxReplicas">,
): TopologyTable {
  const { allGpus, experts, slots } = topologies[0];
  const { maxGpus, maxReplicas } = sizes ?? arraySizes(topologies);
  const at = {} as Record<Part, number>;
  let stride = 0;
  for (const [part, length] of Object.entries(parts(topologies[0], maxGpus, maxReplicas))) {
    at[part as Part] = stride;
    stride += length;
  }
  const data = new Uint32Array(topologies.length * stride);
  for (const [i, topology] of topologies.entries()) {
    writeRecord(topology, at, maxReplicas, data.subarray(i * stride, (i + 1) * stride));
  }
  return { data, topologies: topologies.length, stride, gpus: allGpus, experts, slots, maxGpus, maxReplicas };
}

/** What the kernels write 0 into: in a record, a slot that has no replica. */
export const IDLE_SLOT = 2 ** 32 - 1;

function writeRecord(topology: Topology, at: Record<Part, number>, maxReplicas: number, record: Uint32Array): void {
  const { gpus, experts, slots, replicaStart, replicaGpu, slotReplica, slotOrdinal, replicaSlots, speed } = topology;
  const put = (part: Part, i: number, value: number) => {
    record[at[part] + i] = value;
  };
  const paces = pacesOf(speed);
  const mean = speed.reduce((a, b) => a + b) / gpus;
  const bits = new Uint32Array(Float32Array.from(speed, (v) => v / mean).buffer);
  put("gpus", 0, gpus);
  for (let g = 0; g < gpus; g++) {
    put("label", g, topology.label[g]);
    put("speed", g, bits[g]);
    put("pace", g, paces[g]);
  }

  // Replicas with a choice are renumbered without the others.
  const renumbered = new Int32Array(replicaGpu.length);
  const { gpuStart, gpuReplica, replicaExpert } = adjacency(topology);
  let several = 0;
  let singles = 0;
  let replicas = 0;
  for (let e = 0; e < experts; e++) {
    if (replicaStart[e + 1] === replicaStart[e]) continue; // lost
    if (replicaStart[e + 1] - replicaStart[e] === 1) {
      renumbered[replicaStart[e]] = maxReplicas + singles;
      put("single", singles, e);
      put("singleGpu", singles++, replicaGpu[replicaStart[e]]);
      continue;
    }
    put("expert", several, e);
    put("start", several, replicas);
    for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) {
      renumbered[r] = replicas;
      put("gpu", replicas, replicaGpu[r]);
      put("owner", replicas++, several);
    }
    several++;
  }
  put("start", several, replicas);
  put("experts", 0, several);
  put("singles", 0, singles);

  const hasChoice = (r: number) => replicaStart[replicaExpert[r] + 1] - replicaStart[replicaExpert[r]] > 1;
  let listed = 0;
  for (let g = 0; g < gpus; g++) {
    put("gpuStart", g, listed);
    for (let i = gpuStart[g]; i < gpuStart[g + 1]; i++) {
      if (hasChoice(gpuReplica[i])) put("gpuReplica", listed++, renumbered[gpuReplica[i]]);
    }
  }
  put("gpuStart", gpus, listed);
  for (let p = 0; p < slots; p++) {
    const idle = slotReplica[p] === NO_REPLICA;
    put("slot", p, idle ? IDLE_SLOT : renumbered[slotReplica[p]]);
    put("share", p, idle ? 0 : slotOrdinal[p] + replicaSlots[slotReplica[p]] * 65536);
  }
}
