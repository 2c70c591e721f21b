import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { expertPrice, Placement, type ReplicaProblem, solveLoadBalanceLP } from "../../src/index.ts";
import { type FlatReplicas, instances, randomPlacement } from "../helpers/instances.ts";

const fractional = { backend: "cpu", tokens: "fractional" } as const;

async function optimum(problem: ReplicaProblem): Promise<number> {
  return (await solveLoadBalanceLP(problem, fractional)).maxLoad[0];
}

/** One LP per placement, with base loads so that every load can be varied. */
function* problems(): Generator<Required<Pick<FlatReplicas, "placement" | "expertLoad" | "baseLoad" | "speed">>> {
  for (let seed = 40; seed < 60; seed++) {
    for (const instance of instances(
      ["EP8 R8", "EP8, 4 replicas", "disconnected"],
      ["normal", "zipf"],
      seed,
      1,
      true,
    )) {
      if (instance.form === "edge") continue;
      const { placement, expertLoad, speed } = instance.problem;
      const baseLoad = Array.from({ length: placement.gpus }, () => 500 + 1000 * seeded(seed).next());
      yield { placement, expertLoad: Float64Array.from(expertLoad), baseLoad, speed: speed! };
    }
  }
}

/**
 * Compares `slope` with the change of the optimum when `vary` changes the problem by `step`. The optimum is convex and piecewise
 * linear in loads: where the two one-sided slopes differ it has a kink, and no one price. Returns whether it had none.
 */
async function agrees(
  problem: ReplicaProblem,
  vary: (step: number) => ReplicaProblem,
  slope: number,
): Promise<boolean> {
  const step = 1e-3;
  const here = await optimum(problem);
  const up = ((await optimum(vary(step))) - here) / step;
  const down = (here - (await optimum(vary(-step)))) / step;
  const rounding = (4 * here * 2 ** -52) / step + 4e-9 * here; // of the two optima; curvature in the speeds
  if (Math.abs(up - down) > rounding) return false;
  expect(Math.abs(up - slope)).toBeLessThanOrEqual(rounding);
  return true;
}

const plus = (values: ArrayLike<number>, i: number, step: number) =>
  Array.from(values, (x, j) => (j === i ? x + step : x));

describe("prices are the slopes of the optimum", () => {
  test("in base loads, speeds and expert loads, wherever it has no kink", async () => {
    const kept = { base: 0, speed: 0, expert: 0 };
    let total = 0;
    for (const problem of problems()) {
      const solution = await solveLoadBalanceLP(problem, fractional);
      const perExpert = expertPrice(problem, solution);
      const random = seeded(total);
      const g = random.next() < 0.5 ? random.pick(solution.bottleneck[0]) : random.below(problem.placement.gpus);
      const e = random.below(problem.placement.logicalExperts);
      const price = solution.price[g];
      const base = (step: number) => ({ ...problem, baseLoad: plus(problem.baseLoad, g, step) });
      const speed = (step: number) => ({ ...problem, speed: plus(problem.speed, g, step * 1e-3) });
      const load = (step: number) => ({ ...problem, expertLoad: plus(problem.expertLoad, e, step) });
      if (await agrees(problem, base, price)) kept.base++;
      // d t / d v_g = -t y_g: a faster GPU takes its share of t off what it serves. The speed varies by 1e-3 of a step.
      if (await agrees(problem, speed, -solution.maxLoad[0] * price * 1e-3)) kept.speed++;
      if (await agrees(problem, load, perExpert[e])) kept.expert++;
      total++;
    }
    console.log(`${total} problems; without a kink: ${JSON.stringify(kept)}`);
    for (const count of Object.values(kept)) expect(count).toBeGreaterThan(0.7 * total);
  });
});

describe("expertPrice bounds what a replica is worth", () => {
  test("one more replica of any expert, anywhere", async () => {
    let worthwhile = 0;
    for (let seed = 60; seed < 80; seed++) {
      const random = seeded(seed);
      const before = randomPlacement(random, 6, 4, 6, 3);
      const expertLoad = Float64Array.from({ length: before.logicalExperts }, () => random.below(1000));
      const solution = await solveLoadBalanceLP({ placement: before, expertLoad }, fractional);
      const perExpert = expertPrice({ placement: before, expertLoad }, solution);
      // A fifth row of slots: a copy of its first expert on each GPU, but of expert e on GPU h.
      for (let e = 0; e < before.logicalExperts; e++) {
        const h = random.below(6);
        const map = Array.from({ length: 6 }, (_, g) => {
          const row = [...before.physicalToLogical.subarray(4 * g, 4 * g + 4)];
          return [...row, g === h ? e : row[0]];
        });
        const placement = Placement.fromPhysicalToLogical(map.flat(), { gpus: 6 });
        const saved = solution.maxLoad[0] - (await optimum({ placement, expertLoad }));
        const most = expertLoad[e] * Math.max(0, perExpert[e] - solution.price[h]);
        expect(saved, `seed ${seed}, expert ${e} on GPU ${h}`).toBeLessThanOrEqual(most + 1e-9 * solution.maxLoad[0]);
        if (saved > 1) worthwhile++;
      }
    }
    expect(worthwhile).toBeGreaterThan(20);
  });

  test("the worked example of its documentation", async () => {
    const alone = { placement: Placement.fromPhysicalToLogical([0, 1], { gpus: 2 }), expertLoad: [90, 10] };
    const solution = await solveLoadBalanceLP(alone, { backend: "webgpu" });
    expect(solution.maxLoad[0]).toBe(90);
    expect(solution.bottleneck[0]).toEqual([0]);
    expect([...solution.price]).toEqual([1, 0]);
    expect([...expertPrice(alone, solution)]).toEqual([1, 0]);
    const both = { placement: Placement.fromPhysicalToLogical([0, 0, 1, 0], { gpus: 2 }), expertLoad: [90, 10] };
    const shared = await solveLoadBalanceLP(both, { backend: "webgpu" });
    expect(shared.maxLoad[0]).toBe(50);
    expect(shared.bottleneck[0]).toEqual([0, 1]);
  });
});

test("in the edge form an edge's token costs what it does on the cheaper of its GPUs", async () => {
  // GPUs 0 and 1 carry 10 and cannot be relieved; GPU 2 has room, but edge 2 of capacity 0 leads there.
  const edges: [number, number][] = [
    [0, 1],
    [1, 0],
    [1, 2],
  ];
  const problem = { gpus: 3, edges, load: [14, 6, 1], capacity: [9, 9, 0] };
  const solution = await solveLoadBalanceLP(problem, { backend: "cpu" });
  expect([...solution.price]).toEqual([0.5, 0.5, 0]);
  expect([...expertPrice(problem, solution)]).toEqual([0.5, 0.5, 0]);
});
