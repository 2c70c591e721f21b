import { expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { type ExpertCost, Placement } from "../../src/index.ts";
import { checkCost } from "../../src/lp/time/expert_cost.ts";
import type { Spread } from "../../src/planner/arrangement.ts";
import { leastBusiest } from "../../src/planner/bound.ts";
import { leastTime } from "../helpers/brute_force_time.ts";
import { exactOptima, machineOf } from "./drawn.ts";

/** All ways to fill slots of GPUs with sets of distinct experts, every expert somewhere. */
function* placements(slots: readonly number[], experts: number): Generator<number[][]> {
  const sets = (size: number, from = 0): number[][] =>
    size === 0
      ? [[]]
      : Array.from({ length: experts - from }, (_, i) => from + i).flatMap((e) =>
          sets(size - 1, e + 1).map((rest) => [e, ...rest]),
        );
  function* fill(g: number, rows: number[][]): Generator<number[][]> {
    if (g === slots.length) {
      if (new Set(rows.flat()).size === experts) yield rows;
      return;
    }
    for (const set of sets(slots[g])) yield* fill(g + 1, [...rows, set]);
  }
  yield* fill(0, []);
}

const nodeOf = (g: number, gpus: number, nodes: number) => Math.floor((g * nodes) / gpus);
function lies(rows: number[][], nodes: number, spread: Spread): boolean {
  const experts = [...new Set(rows.flat())];
  return experts.every((e) => {
    const homes = rows.flatMap((row, g) => (row.includes(e) ? [nodeOf(g, rows.length, nodes)] : []));
    if (spread === "anywhere") return true;
    return spread === "within-node" ? new Set(homes).size === 1 : new Set(homes).size === homes.length;
  });
}

test.each([
  ["anywhere", 1, 3, 5],
  ["within-node", 2, 4, 0], // on a node of two GPUs all is balanced: the bound knows nothing of the balance of nodes
  ["across-nodes", 2, 4, 5],
] as const)("no placement has less load, %s: listed", (replicas, nodes, gpus, most) => {
  const random = seeded(7);
  const experts = 4;
  const slots = new Array<number>(gpus).fill(2);
  let reached = 0;
  for (let i = 0; i < 40; i++) {
    const speed = Float64Array.from({ length: gpus }, () => (i % 2 === 0 ? 1 : 1 + random.below(3)));
    const loads = Array.from({ length: experts }, () => random.next() ** 4);
    const total = loads.reduce((a, b) => a + b);
    const share = Float64Array.from(loads, (load) => load / total);
    const machine = machineOf(gpus, experts, Int32Array.from(slots), { nodes, replicas, speed });
    const bound = leastBusiest(machine, share) * speed.reduce((a, b) => a + b);
    let least = Infinity;
    for (const rows of placements(slots, experts)) {
      if (lies(rows, nodes, replicas)) least = Math.min(least, exactOptima(rows, machine, share)[0]);
    }
    expect(bound).toBeLessThanOrEqual(least + 1e-9);
    if (bound > least - 1e-9) reached++;
  }
  expect(reached).toBeGreaterThanOrEqual(most); // it is not idle
});

const costs: Record<string, ExpertCost> = {
  roofline: { model: "roofline", perExpert: 4, perToken: 1 },
  affine: { model: "affine", perExpert: 2, perToken: 1 },
  tiles: { model: "affine", perExpert: 0, perToken: 1, tile: 3 },
  activated: { model: "roofline", perExpert: 5, perToken: 0 },
  curve: { tokens: [2, 4, 6], time: [3, 3, 9] }, // a dip: four tokens are cheaper split than six whole
};

test.each(Object.entries(costs))("no placement takes less time, %s: listed", (_, cost) => {
  const random = seeded(9);
  const [gpus, experts] = [3, 4];
  const slots = [2, 2, 2];
  let reached = 0;
  for (let i = 0; i < 12; i++) {
    const expertLoad = Array.from({ length: experts }, () => Math.floor(9 * random.next() ** 2));
    const machine = machineOf(gpus, experts, Int32Array.from(slots));
    const bound = leastBusiest(machine, expertLoad, checkCost(cost));
    let least = Infinity;
    for (const rows of placements(slots, experts)) {
      const placement = Placement.fromPhysicalToLogical(rows.flat(), { gpus });
      least = Math.min(least, leastTime({ placement, expertLoad, cost } as Parameters<typeof leastTime>[0], 0));
    }
    expect(bound).toBeLessThanOrEqual(least + 1e-9);
    if (bound > least - 1e-9) reached++;
  }
  expect(reached).toBeGreaterThan(0);
});

test("one hot expert on few GPUs: by hand", () => {
  const machine = machineOf(4, 4, Int32Array.of(2, 2, 2, 1)); // 3 replicas
  expect(leastBusiest(machine, [0.94, 0.02, 0.02, 0.02])).toBeCloseTo(0.25, 12); // four copies
  expect(leastBusiest({ ...machine, used: 5 }, [0.94, 0.02, 0.02, 0.02])).toBeCloseTo(0.47, 12); // two
});
