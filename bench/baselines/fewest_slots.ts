/** Of the answers that are optimal in tokens, one that uses few slots: what a system that balances tokens could do for time without knowing it. */
import type { Placement } from "../../src/index.ts";

/**
 * Closes slot after slot, those with fewest tokens first, as long as the others can serve all with no GPU above `most`. No slot of the answer can
 * be closed alone.
 *
 * @param quota  [P] an answer with no GPU above `most`; changed.
 */
export function closeSlots({ gpus, gpuOf, physicalToLogical }: Placement, quota: Int32Array, most: number): void {
  const load = new Float64Array(gpus);
  const slotsOf: number[][] = [];
  for (const [p, e] of physicalToLogical.entries()) {
    load[gpuOf[p]] += quota[p];
    if (!slotsOf[e]) slotsOf[e] = [];
    slotsOf[e].push(p);
  }
  const open = quota.map((tokens) => (tokens > 0 ? 1 : 0));
  const ascending = [...quota.keys()].filter((p) => open[p]).sort((a, b) => quota[a] - quota[b]);
  for (const closed of ascending) {
    if (slotsOf[physicalToLogical[closed]].every((p) => p === closed || !open[p])) continue;
    const [quotaBefore, loadBefore] = [quota.slice(), load.slice()];
    open[closed] = 0;
    while (quota[closed] > 0 && push(closed)) {}
    if (quota[closed] === 0) continue;
    open[closed] = 1;
    quota.set(quotaBefore);
    load.set(loadBefore);
  }

  /** Where the closed slot is, what comes takes the place of what goes. */
  function room(g: number, closed: number): number {
    return g === gpuOf[closed] ? Infinity : most - load[g];
  }

  /** Sends tokens of the slot to a GPU that has room, over others that pass on as many of theirs; false where there is no way. */
  function push(closed: number): boolean {
    const expertOf = physicalToLogical;
    const cameFrom = new Map<number, { from: number; to: number }>(); // GPU: the slots between which tokens move to it
    const queue: number[] = [];
    const leave = (from: number) => {
      for (const to of slotsOf[expertOf[from]]) {
        if (to === from || !open[to] || cameFrom.has(gpuOf[to])) continue;
        cameFrom.set(gpuOf[to], { from, to });
        queue.push(gpuOf[to]);
      }
    };
    leave(closed);
    for (const g of queue) {
      if (room(g, closed) > 0) return move(g, cameFrom, closed);
      for (const p of quota.keys()) if (gpuOf[p] === g && quota[p] > 0 && p !== closed) leave(p);
    }
    return false;
  }

  function move(end: number, cameFrom: Map<number, { from: number; to: number }>, closed: number): boolean {
    const path: { from: number; to: number }[] = [];
    for (let g = end; ; g = gpuOf[path[0].from]) {
      path.unshift(cameFrom.get(g)!);
      if (path[0].from === closed) break;
    }
    const tokens = Math.min(...path.map(({ from }) => quota[from]), room(end, closed));
    for (const { from, to } of path) {
      quota[from] -= tokens;
      quota[to] += tokens;
      load[gpuOf[from]] -= tokens;
      load[gpuOf[to]] += tokens;
    }
    return true;
  }
}
