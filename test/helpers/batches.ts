/** Placements and batches of top-k ids for the balancer and its kernels. */

import { CHUNK } from "../../src/balancer/kernels/balance_params.ts";
import { type Random, seeded } from "../../src/common/random.ts";
import { type Balanced, Placement, type RankCounts } from "../../src/index.ts";
import { faults } from "./balanced.ts";
import { randomPlacement } from "./instances.ts";

/** Around every boundary of the kernels that walk ids: none, one, a chunk less one, a chunk, one more, several. */
export const assignmentCounts = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5000];
/** Around a word of bits, around the wide blocks of `remap`, and the most. */
export const expertCounts = [1, 31, 32, 256, 257, 1024];

/** Neither an expert nor -1, whatever E: as i32 just outside, far outside, and with every sign bit. */
export function oddIds(experts: number): number[] {
  return [experts, experts + 1, 2 ** 31 - 1, -2, -(2 ** 31)];
}

/**
 * `layers` different placements of equal sizes: `experts` on `gpus` GPUs with an eighth more slots, at least. In every other one an expert
 * may sit on a GPU twice, as EPLB has it.
 */
export function layerPlacements(random: Random, layers: number, experts: number, gpus: number): Placement[] {
  const perGpu = Math.min(experts, Math.ceil((experts * 9) / 8 / gpus));
  const extra = gpus * perGpu - experts;
  return Array.from({ length: layers }, (_, layer) => {
    const placement = randomPlacement(random, gpus, perGpu, extra, gpus);
    if (layer % 2 === 0) return placement;
    return Placement.fromPhysicalToLogical(random.shuffle([...placement.physicalToLogical]), { gpus });
  });
}

/**
 * Placements of equal sizes, one per layer, whose GPUs hold different numbers of slots, in every layer others, and some none. Replicas lie
 * anywhere, several on a GPU perhaps.
 */
export function unevenPlacements(
  random: Random,
  layers: number,
  experts: number,
  gpus: number,
  slots: number,
): Placement[] {
  return Array.from({ length: layers }, () => {
    const held = Array.from({ length: slots }, (_, slot) => (slot < experts ? slot : random.below(experts)));
    const slotsPerGpu = new Array<number>(gpus).fill(0);
    const skew = 1 + 2 * random.next();
    for (let slot = 0; slot < slots; slot++) slotsPerGpu[Math.floor(gpus * random.next() ** skew)]++;
    return Placement.fromPhysicalToLogical(random.shuffle(held), { gpus, slotsPerGpu: random.shuffle(slotsPerGpu) });
  });
}

/**
 * [rows, assignments] ids, a share `odd` of them -1 or out of range. A row is uniform, or skewed as routing is, or nearly one expert's
 * alone.
 */
export function randomIds(random: Random, rows: number, assignments: number, experts: number, odd = 0.05): Int32Array {
  const ids = new Int32Array(rows * assignments);
  const strange = [-1, -1, -1, ...oddIds(experts)];
  for (let row = 0; row < rows; row++) {
    const popular = random.shuffle([...new Array(experts).keys()]);
    const skew = random.pick([1, 1.5, 3, 1000]);
    for (let i = row * assignments; i < (row + 1) * assignments; i++) {
      ids[i] = random.next() < odd ? random.pick(strange) : popular[Math.floor(random.next() ** skew * experts)];
    }
  }
  return ids;
}

/** What most tests of the balancer share, so that its pipelines are compiled once a file: 32 experts on 8 GPUs, top-4, 3 layers. */
export const shared = { topK: 4, maxTokens: 300, placement: layerPlacements(seeded(1), 3, 32, 8) };

/** [3, tokens, 4] ids for `shared`. */
export function sharedIds(seed: number, tokens = shared.maxTokens, odd = 0.05): Int32Array {
  return randomIds(seeded(seed), shared.placement.length, tokens * shared.topK, 32, odd);
}

/** What is wrong with an answer to `shared`. */
export function sharedFaults(ids: Int32Array | Uint32Array, balanced: Balanced, rank?: RankCounts): string[] {
  return faults({ placements: shared.placement, layers: shared.placement.length, ids, rank }, balanced);
}
