import { type Machine, nodeOf, type Rows } from "./arrangement.ts";

/**
 * The same placement with its GPUs renamed, among those that are alike to it (as many slots, the same speed, and where there are nodes, the same node), so that many
 * experts stay where they were: the pairs of GPUs with most experts in common first.
 */
export function leastMoved(machine: Machine, held: Rows, rows: Rows): Rows {
  const { gpus, nodes, speed } = machine;
  const alike = (g: number, to: number) =>
    speed[g] === speed[to] &&
    held[to].length === held[g].length &&
    rows[g].length === rows[to].length &&
    (nodes === 1 || nodeOf(machine, g) === nodeOf(machine, to));
  const sets = held.map((row) => new Set(row));
  const pairs: { from: number; to: number; common: number }[] = [];
  for (let from = 0; from < gpus; from++) {
    for (let to = 0; to < gpus; to++) {
      if (!alike(from, to)) continue;
      pairs.push({ from, to, common: rows[from].filter((e) => sets[to].has(e)).length });
    }
  }
  pairs.sort((a, b) => b.common - a.common || a.from - b.from || a.to - b.to);
  const placed: (readonly number[] | undefined)[] = new Array(gpus).fill(undefined);
  const gone = new Uint8Array(gpus);
  for (const { from, to } of pairs) {
    if (gone[from] || placed[to]) continue;
    placed[to] = rows[from];
    gone[from] = 1;
  }
  return placed as Rows;
}
