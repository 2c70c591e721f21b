/** The oracle of levelled loads: brute force over every split of tiny problems. */

import type { Random } from "../../src/common/random.ts";
import type { Placement } from "../../src/index.ts";
import { type FlatReplicas, randomPlacement } from "./instances.ts";

/** The loads [G] of every way to split each expert's tokens over its GPUs. */
function allLoads({ placement, expertLoad, baseLoad }: FlatReplicas): number[][] {
  const { gpus, logicalExperts, physicalToLogical, gpuOf } = placement;
  let loads = [Array.from({ length: gpus }, (_, g) => baseLoad?.[g] ?? 0)];
  for (let e = 0; e < logicalExperts; e++) {
    const hosts = [...new Set(gpuOf.filter((_, slot) => physicalToLogical[slot] === e))];
    for (let token = 0; token < expertLoad[e]; token++) {
      const more = loads.flatMap((load) => hosts.map((host) => load.map((tokens, g) => tokens + (g === host ? 1 : 0))));
      loads = [...new Map(more.map((load) => [load.join(), load])).values()];
    }
  }
  return loads;
}

/** Least in descending order; of equals, the one whose first loads are largest. */
export function levelled(problem: FlatReplicas): number[] {
  const descending = (load: readonly number[]) => [...load].sort((a, b) => b - a);
  const compare = (a: readonly number[], b: readonly number[]) => {
    const at = a.findIndex((tokens, i) => tokens !== b[i]);
    return at < 0 ? 0 : a[at] - b[at];
  };
  let best: number[] | undefined;
  for (const load of allLoads(problem)) {
    const better = best && (compare(descending(load), descending(best)) || compare(best, load));
    if (best === undefined || better! < 0) best = [...load];
  }
  return best!;
}

/** Few enough tokens that all splits can be listed. */
export function tinyProblem(random: Random): FlatReplicas {
  const gpus = 2 + random.below(4);
  const placement = randomPlacement(random, gpus, 2 + random.below(2), 1 + random.below(gpus), 2 + random.below(2));
  const expertLoad = Array.from({ length: placement.logicalExperts }, () => random.below(random.pick([2, 4, 6])));
  const baseLoad = Array.from({ length: gpus }, () => random.below(7) - 3);
  return random.next() < 0.5 ? { placement, expertLoad } : { placement, expertLoad, baseLoad };
}

/** From its definition: whether no residual path leads from a GPU to one at least 2 lower. A search from every GPU, over all experts. */
export function isLevel(placement: Placement, gpuLoad: ArrayLike<number>, quota: ArrayLike<number>): boolean {
  const { gpus, logicalExperts, physicalToLogical, gpuOf } = placement;
  const slotsOf: number[][] = Array.from({ length: logicalExperts }, () => []);
  physicalToLogical.forEach((e, slot) => {
    slotsOf[e].push(slot);
  });
  for (let start = 0; start < gpus; start++) {
    const reached = new Set([start]);
    for (const g of reached) {
      if (gpuLoad[start] - gpuLoad[g] > 1) return false;
      for (const slots of slotsOf) {
        if (slots.some((slot) => gpuOf[slot] === g && quota[slot] > 0))
          for (const slot of slots) reached.add(gpuOf[slot]);
      }
    }
  }
  return true;
}
