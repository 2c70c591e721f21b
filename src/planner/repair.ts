import { PlacementError } from "../common/errors.ts";
import { EMPTY } from "./arrangement.ts";
import { EvenLoads, type LayerSlots } from "./even_loads.ts";

/** Experts 0 to experts - 1 that no slot of a living GPU holds, ascending. */
export function lostExperts({ gpuOf, experts, living }: LayerSlots, count: number): number[] {
  const lives = new Uint8Array(count);
  for (let p = 0; p < experts.length; p++) if (experts[p] !== EMPTY && living[gpuOf[p]]) lives[experts[p]] = 1;
  return [...lives.keys()].filter((e) => !lives[e]);
}

/** LayerSlots of living GPUs without an expert. */
export function emptySlots({ gpuOf, experts, living }: LayerSlots): number[] {
  return Array.from(experts, (_, p) => p).filter((p) => experts[p] === EMPTY && living[gpuOf[p]]);
}

/** @throws {PlacementError} Living GPUs have fewer slots than there are experts. */
export function requireSlotForEach(experts: number, slots: number): void {
  if (slots < experts)
    throw new PlacementError("slots of living GPUs", `at least ${experts}, one for each expert`, slots);
}

/**
 * Gives each expert without a living copy one slot of a living GPU: an empty one, or where there is none, one whose expert has another living
 * copy. So many slots must change, one for each such expert, and no more do: it is the least number.
 *
 * That is possible wherever the living GPUs have a slot for every expert. Which slots, is chosen by the even loads of `weight`: the heaviest
 * expert first, each to the slot where the sum of squares grows least; then any expert to another slot, and the slot's old one back, while that
 * lowers the sum.
 *
 * @param weight  [E] mean loads.
 * @returns [P] the expert in each slot; slots of GPUs that are not alive are as they were.
 * @throws {PlacementError} The living GPUs have fewer slots than there are experts.
 */
export function repairSlots(slots: LayerSlots, weight: ArrayLike<number>): Int32Array {
  const { gpuOf, living } = slots;
  const candidates = Array.from(gpuOf, (_, p) => p).filter((p) => living[gpuOf[p]]);
  requireSlotForEach(weight.length, candidates.length);
  const loads = new EvenLoads(slots, weight);
  const lost = lostExperts(slots, weight.length).sort((a, b) => weight[b] - weight[a] || a - b);
  const home = new Map<number, number>();
  for (const e of lost) {
    const empty = candidates.filter((p) => loads.slot[p] === EMPTY);
    const spare = empty.length > 0 ? empty : candidates.filter((p) => loads.isSpare(p));
    const best = leastSum(loads, spare, e);
    loads.put(best, e);
    home.set(e, best);
  }
  let better = true;
  while (better) {
    better = false;
    for (const e of lost) better = settle(loads, slots, candidates, home, e) || better;
  }
  return loads.slot;
}

/** Improvements below this share are rounding, of which there would be no end. */
const ENOUGH = 1e-9;

/** Moves a repaired expert to the slot that is best for it, and returns whether that is another. */
function settle(
  loads: EvenLoads,
  { experts }: LayerSlots,
  candidates: readonly number[],
  home: Map<number, number>,
  e: number,
): boolean {
  const from = home.get(e)!;
  const before = loads.sum();
  loads.put(from, experts[from]);
  // An empty slot costs no expert its copy: as many as before stay in use.
  const fits = (p: number) => (experts[from] === EMPTY ? loads.slot[p] === EMPTY : loads.isSpare(p));
  const to = leastSum(loads, candidates.filter(fits), e);
  const better = loads.ifPut(to, e) < before * (1 - ENOUGH);
  home.set(e, better ? to : from);
  loads.put(better ? to : from, e);
  return better;
}

/** The slot, the first of several, where the expert leaves the least sum. */
function leastSum(loads: EvenLoads, candidates: readonly number[], expert: number): number {
  let best = candidates[0];
  let least = Infinity;
  for (const p of candidates) {
    const sum = loads.ifPut(p, expert);
    if (sum < least) [best, least] = [p, sum];
  }
  return best;
}

/**
 * Gives slots of living GPUs that serve nothing, the empty ones first and then those whose GPU has the expert twice, to further replicas, as long as
 * `budget` lasts: each time the expert and the slot that lower the sum of squares of the even loads most. A replica only adds ways: the LP's optimum
 * of no batch gets worse.
 *
 * @param slots  in which every expert lives.
 * @returns [P] the expert in each slot.
 */
export function fillSlots(slots: LayerSlots, weight: ArrayLike<number>, budget: number): Int32Array {
  const { gpuOf, living } = slots;
  const loads = new EvenLoads(slots, weight);
  const free = Array.from(gpuOf, (_, p) => p).filter((p) => living[gpuOf[p]]);
  for (let left = budget; left > 0; left--) {
    const fill =
      bestFill(
        loads,
        slots,
        weight,
        free.filter((p) => loads.slot[p] === EMPTY),
      ) ??
      bestFill(
        loads,
        slots,
        weight,
        free.filter((p) => loads.isTwice(p)),
      );
    if (!fill) break;
    loads.put(fill.slot, fill.expert);
  }
  return loads.slot;
}

/**
 * The best expert and slot; none where every GPU has all experts. Where an expert gets its replica changes nothing on the GPUs that have it, so
 * the GPU with the least load serves it best.
 */
function bestFill(loads: EvenLoads, { gpuOf }: LayerSlots, weight: ArrayLike<number>, free: readonly number[]) {
  const byLoad = [...free].sort((a, b) => loads.load[gpuOf[a]] - loads.load[gpuOf[b]] || a - b);
  let best: { slot: number; expert: number } | undefined;
  let least = Infinity;
  for (let expert = 0; expert < weight.length; expert++) {
    const slot = byLoad.find((p) => !loads.holds(gpuOf[p], expert));
    if (slot === undefined) continue;
    const sum = loads.ifPut(slot, expert);
    if (sum < least) [best, least] = [{ slot, expert }, sum];
  }
  return best;
}
