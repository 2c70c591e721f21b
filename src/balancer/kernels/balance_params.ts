import { ShapeError } from "../../common/errors.ts";
import { WORD } from "../../gpu/constants.ts";
import type { Slots } from "../../placement/living_slots.ts";
import { widestReplica } from "../../placement/per_layer.ts";
import { METRICS_WORDS } from "./imbalance.ts";

/** Ids that one workgroup of `count` and `remap` walks: long enough to pay for its table of experts, short enough to spread. */
export const CHUNK = 2048;
/** One invocation per expert or slot, in kernels that need no workgroup memory. */
export const LANES = 64;
/** The most experts: workgroup memory holds a table of them. */
export const MAX_EXPERTS = 1024;

/** Placements of L layers, or one for all of them, of equal sizes; as the balancer's kernels read them. */
export interface PlacementTable {
  /**
   * [placements, E (1 + X) + G + 2] u32: per record E replica counts, E rows of X slots, the first slot of each GPU, with DEAD where it is, P, and
   * how many GPUs are alive.
   */
  readonly data: Uint32Array<ArrayBuffer>;
  readonly placements: number;
  readonly gpus: number;
  readonly experts: number;
  readonly slots: number;
  /** X, the most slots of any expert. */
  readonly replicas: number;
}

/** Beside the first slot of a GPU that is dead, DEAD of balance.wgsl. */
const DEAD = 2 ** 31;

/** X, and the words of a record. */
function recordOf(placements: readonly Slots[]) {
  const { gpus, logicalExperts } = placements[0];
  const replicas = widestReplica(placements);
  return { replicas, stride: logicalExperts * (1 + replicas) + gpus + 2 };
}

/** @param active  [G] 1 where a GPU is alive; all are, if undefined. */
export function placementTable(placements: readonly Slots[], active?: Uint8Array): PlacementTable {
  const { gpus, logicalExperts: experts, physicalExperts: slots } = placements[0];
  const { replicas, stride } = recordOf(placements);
  const data = new Uint32Array(placements.length * stride);
  for (const [i, { replicaCount, logicalToPhysical, maxReplicas, gpuOf }] of placements.entries()) {
    data.set(replicaCount, i * stride);
    data.fill(-1, i * stride + experts, i * stride + experts * (1 + replicas));
    for (let e = 0; e < experts; e++) {
      const row = logicalToPhysical.subarray(e * maxReplicas, (e + 1) * maxReplicas);
      data.set(row, i * stride + experts + e * replicas); // beyond the count dead slots, which `shares` alone reads, and -1
    }
    const firsts = data.subarray((i + 1) * stride - gpus - 2, (i + 1) * stride);
    for (const g of gpuOf) firsts[g + 1]++; // a GPU's slots end where the next one's begin
    for (let g = 1; g <= gpus; g++) firsts[g] += firsts[g - 1];
    firsts[gpus + 1] = gpus;
    for (let g = 0; g < gpus; g++) {
      if (active?.[g] !== 0) continue;
      firsts[g] += DEAD;
      firsts[gpus + 1]--;
    }
  }
  return { data, placements: placements.length, gpus, experts, slots, replicas };
}

/** Words of struct BalanceParams. */
export const BALANCE_PARAMS_BYTES = 12 * WORD;

/** Whose tokens a batch's are, as kernels read it. */
export interface TokenSources {
  topK: number;
  sources: number;
  /** Of all tokens; undefined: they are dealt to the sources in order. */
  rank?: number;
}

/** No rank's number, DEALT of balance.wgsl. */
const DEALT = 2 ** 32 - 1;

/** struct BalanceParams of balance.wgsl. */
export function balanceParams(
  table: PlacementTable,
  layers: number,
  assignments: number,
  skipBelow: number,
  { topK, sources, rank = DEALT }: TokenSources = { topK: 1, sources: 1, rank: 0 },
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(BALANCE_PARAMS_BYTES / WORD);
  const { experts, slots, gpus, replicas, placements } = table;
  words.set([layers, assignments, chunksOf(assignments), experts, slots, gpus, replicas, placements]);
  new Float32Array(words.buffer)[8] = skipBelow;
  words.set([topK, sources, rank], 9);
  return words;
}

/** C, chunks of N assignments; never none, so that empty batches take the same path. */
export function chunksOf(assignments: number): number {
  return Math.max(1, Math.ceil(assignments / CHUNK));
}

/**
 * What is too much for a device's grid, bindings and buffers, if anything: WebGPU itself would answer zeros.
 *
 * @param assignments  N of a layer.  @param readBack  u32 words of a layer that are read back, the ids aside.
 */
export function tooLargeFor(
  {
    maxComputeWorkgroupsPerDimension: workgroups,
    maxStorageBufferBindingSize: bytes,
    maxBufferSize,
  }: GPUSupportedLimits,
  placements: readonly Slots[],
  layers: number,
  assignments: number,
  readBack: number,
): ShapeError | undefined {
  const { gpus, logicalExperts, physicalExperts } = placements[0];
  const widest = Math.max(physicalExperts, gpus, METRICS_WORDS, chunksOf(assignments) * logicalExperts);
  const most = Math.min(workgroups, ...[bytes / widest, maxBufferSize / readBack].map((n) => Math.floor(n / WORD)));
  const remedy = `Use backend "cpu".`;
  if (layers > most) return new ShapeError("layers", `at most ${most} on this device`, layers, remedy);
  const table = WORD * placements.length * recordOf(placements).stride;
  if (table <= bytes) return undefined;
  return new ShapeError("placement", `tables of at most ${bytes} bytes on this device`, table, remedy);
}
