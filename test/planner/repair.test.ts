import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../src/common/errors.ts";
import { type Random, seeded } from "../../src/common/random.ts";
import { optimizePlacement } from "../../src/index.ts";
import type { LayerSlots } from "../../src/planner/even_loads.ts";
import { movesBetween } from "../../src/planner/moves.ts";
import { emptySlots, fillSlots, lostExperts, repairSlots } from "../../src/planner/repair.ts";

interface Drawn extends LayerSlots {
  experts: Int32Array;
  gpuOf: Int32Array;
  living: Uint8Array;
}

/** With empty slots, experts twice on a GPU, experts without any slot, and dead GPUs. */
function draw(
  random: Random,
  most = { gpus: 4, perGpu: 2, experts: 5 },
): { slots: Drawn; experts: number; weight: number[] } {
  const gpus = 2 + random.below(most.gpus - 1);
  const perGpu = 1 + random.below(most.perGpu);
  const experts = 1 + random.below(most.experts);
  const gpuOf = Int32Array.from({ length: gpus * perGpu }, (_, p) => Math.floor(p / perGpu));
  const slots = {
    gpuOf,
    experts: gpuOf.map(() => random.below(experts + 1) - 1),
    living: Uint8Array.from({ length: gpus }, () => (random.next() < 0.7 ? 1 : 0)),
  };
  return { slots, experts, weight: Array.from({ length: experts }, () => random.below(20)) };
}

const livingSlots = ({ gpuOf, living }: Drawn) => [...gpuOf.keys()].filter((p) => living[gpuOf[p]]);
const allLive = (slots: Drawn, map: ArrayLike<number>, experts: number) =>
  new Set(livingSlots(slots).map((p) => map[p])).size - (livingSlots(slots).some((p) => map[p] < 0) ? 1 : 0) ===
  experts;

/** Every way to fill the living slots: the fewest that must change, or none where no way serves every expert. */
function fewestChanges(slots: Drawn, experts: number): number | undefined {
  const living = livingSlots(slots);
  let fewest: number | undefined;
  const map = [...slots.experts];
  const visit = (i: number, changes: number) => {
    if (changes >= (fewest ?? Infinity)) return;
    if (i === living.length) {
      if (allLive(slots, map, experts)) fewest = changes;
      return;
    }
    const p = living[i];
    for (let e = 0; e < experts; e++) {
      map[p] = e;
      visit(i + 1, changes + (e === slots.experts[p] ? 0 : 1));
    }
    map[p] = slots.experts[p];
    if (map[p] < 0) visit(i + 1, changes);
  };
  visit(0, 0);
  return fewest;
}

test("every expert lives with as few slots changed as any way has, or there is no way", () => {
  const seen = { repaired: 0, impossible: 0, emptyFirst: 0 };
  for (let seed = 0; seed < 800; seed++) {
    const { slots, experts, weight } = draw(seeded(seed));
    const where = `seed ${seed}`;
    const fewest = fewestChanges(slots, experts);
    if (fewest === undefined) {
      expect(() => repairSlots(slots, weight), where).toThrow(ArgumentError);
      seen.impossible++;
      continue;
    }
    const after = repairSlots(slots, weight);
    expect(allLive(slots, after, experts), where).toBe(true);
    const changed = [...after.keys()].filter((p) => after[p] !== slots.experts[p]);
    expect(changed.length, where).toBe(fewest);
    expect(lostExperts(slots, experts).length, where).toBe(fewest);
    for (const p of changed) expect(slots.living[slots.gpuOf[p]], where).toBe(1);
    const empty = emptySlots(slots).length;
    expect(changed.filter((p) => slots.experts[p] < 0).length, where).toBe(Math.min(empty, fewest));
    if (fewest > 0) seen.repaired++;
    if (empty > 0 && fewest > empty) seen.emptyFirst++;
  }
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(20);
});

test("slots are given up where the balance suffers least", () => {
  // GPU 3 died, and expert 4 with it. Experts 0 and 1 have two living copies; without its second copy, 0 would load GPU 0 with 100.
  const slots = { gpuOf: [0, 0, 1, 1, 2, 2, 3, 3], experts: [0, 2, 1, 3, 0, 1, 4, 4], living: [1, 1, 1, 0] };
  expect([...repairSlots(slots, [100, 2, 1, 1, 10])]).toEqual([0, 2, 4, 3, 0, 1, 4, 4]);
  // An expert twice on a GPU is of no use there.
  const twice = { ...slots, experts: [0, 0, 1, 2, 1, 3, 4, 4] };
  expect([...repairSlots(twice, [2, 10, 1, 1, 10])]).toEqual([4, 0, 1, 2, 1, 3, 4, 4]);
});

/** Of the GPUs' loads where each expert's load is shared evenly by the GPUs that hold it. */
function sumOfSquares({ gpuOf, living }: LayerSlots, map: ArrayLike<number>, weight: readonly number[]): number {
  const load = new Array<number>(living.length).fill(0);
  for (const [e, tokens] of weight.entries()) {
    const gpus = new Set(Array.from(gpuOf).filter((g, p) => map[p] === e && living[g]));
    for (const g of gpus) load[g] += tokens / gpus.size;
  }
  return load.reduce((sum, one) => sum + one * one, 0);
}

test("no single repaired expert would do better elsewhere, and each replica is the best one", () => {
  let [tried, filled] = [0, 0];
  for (let seed = 0; seed < 300; seed++) {
    const { slots, experts, weight } = draw(seeded(seed), { gpus: 6, perGpu: 4, experts: 14 });
    if (livingSlots(slots).length < experts) continue;
    const where = `seed ${seed}`;
    const after = repairSlots(slots, weight);
    const of = (map: ArrayLike<number>) => sumOfSquares(slots, map, weight);
    for (const from of after.keys()) {
      if (after[from] === slots.experts[from]) continue;
      for (const to of livingSlots(slots)) {
        const other = after.slice();
        other[from] = slots.experts[from];
        other[to] = after[from];
        const changes = other.filter((e, p) => e !== slots.experts[p]).length;
        if (!allLive(slots, other, experts) || changes > lostExperts(slots, experts).length) continue;
        if (slots.experts[from] < 0 && slots.experts[to] >= 0) continue;
        expect(of(other), where).toBeGreaterThanOrEqual(of(after) * (1 - 1e-6));
        tried++;
      }
    }
    const repaired = { ...slots, experts: after };
    const once = fillSlots(repaired, weight, 1);
    const changed = [...once.keys()].filter((p) => once[p] !== after[p]);
    expect(changed.length, where).toBeLessThanOrEqual(1);
    const empty = emptySlots(repaired);
    for (const p of changed.length > 0 ? empty : []) {
      for (let e = 0; e < experts; e++) {
        const other = after.slice();
        other[p] = e;
        // A second copy on its GPU would leave everything as it is.
        if (of(other) !== of(after)) expect(of(other), where).toBeGreaterThanOrEqual(of(once) - 1e-6);
        filled++;
      }
    }
    const full = fillSlots(repaired, weight, Infinity);
    for (const p of emptySlots({ ...slots, experts: full })) {
      const held = new Set([...full].filter((_, q) => slots.gpuOf[q] === slots.gpuOf[p] && full[q] >= 0));
      expect(held.size, where).toBe(experts); // only where the GPU has all of them
    }
  }
  expect(tried).toBeGreaterThan(100);
  expect(filled).toBeGreaterThan(100);
});

test("moves make the new map of the old one, from living GPUs that hold the expert, by preference for good", () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = seeded(seed);
    const { slots, experts } = draw(random);
    const after = slots.experts.map((e, p) => {
      return slots.living[slots.gpuOf[p]] && random.next() < 0.5 ? random.below(experts) : e;
    });
    const moves = movesBetween(7, slots, after);
    const applied = slots.experts.slice();
    for (const { layer, slot, gpu, expert, source } of moves) {
      applied[slot] = expert;
      expect([layer, gpu]).toEqual([7, slots.gpuOf[slot]]);
      expect(slots.experts[slot]).not.toBe(expert);
      const holds = (map: ArrayLike<number>, g: number) =>
        [...slots.gpuOf.keys()].some((p) => slots.gpuOf[p] === g && map[p] === expert);
      const sources = [...slots.living.keys()].filter((g) => slots.living[g] && holds(slots.experts, g));
      if (sources.length === 0) expect(source).toBeNull();
      else expect(sources).toContain(source);
    }
    expect([...applied], `seed ${seed}`).toEqual([...after]);
  }
  const kept = { gpuOf: [0, 1, 2], experts: [5, 5, 6], living: [1, 1, 1] };
  expect(movesBetween(0, kept, [6, 5, 5]).map(({ source }) => source)).toEqual([2, 1]); // GPU 0 loses expert 5
});

describe("optimizePlacement with empty slots in force", () => {
  const history = { loads: [9, 1, 1, 1, 1, 7, 2, 2], steps: 2, layers: 1, experts: 4 };
  const inForce = { gpus: 2, physicalToLogical: [0, 1, 2, -1, 0, 3] };
  const options = { gpus: 2, redundant: 2, backend: "cpu" } as const;

  test.each([0, 1, 2])("fills and moves at most %d slots, the empty one first", async (slots) => {
    const unchangedWeights = { placements: [inForce], slots };
    const { placements, layers } = await optimizePlacement(history, { ...options, unchangedWeights });
    const changed = [...placements[0].physicalToLogical].flatMap((e, p) =>
      e === inForce.physicalToLogical[p] ? [] : [p],
    );
    expect(changed.length).toBe(layers[0].moved);
    expect(changed.length).toBeLessThanOrEqual(slots);
    expect(changed.includes(3)).toBe(slots > 0);
    expect(layers[0].recorded.after).toBeLessThanOrEqual(layers[0].recorded.before);
    expect([...placements[0].replicaCount].every((count) => count > 0)).toBe(true);
  });

  test("not with unequal speeds, whose search knows full slots alone", async () => {
    const unchangedWeights = { placements: [inForce], slots: 1 };
    const asked = optimizePlacement(history, { ...options, speed: [1, 2], unchangedWeights });
    await expect(asked).rejects.toThrow(
      /physicalToLogical\[3\]: expected an expert in every slot, with nodes, speed or/,
    );
  });
});
