import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../src/common/random.ts";
import {
  type Certificate,
  certify,
  type EdgeProblem,
  Placement,
  type ReplicaProblem,
  type ReplicaSolution,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { families, type Instance, instances, shapes } from "../helpers/instances.ts";
import { certifyInstance, solveInstance } from "../helpers/solve.ts";

/**
 * A problem whose optimum is known without solving: GPUs 0..inside - 1 are the bottleneck S. The experts confined to S can be spread
 * evenly over it at `top` tokens per GPU; everybody else can always escape to the last GPU, which stays below.
 */
function plantedBottleneck(random: Random): { problem: ReplicaProblem; inside: number; top: number } {
  const inside = 2 + random.below(4);
  const gpus = inside + 2;
  const top = 100 + random.below(1000);
  // Experts 0..inside - 1 fill S: expert i lives on i and i + 1. Experts inside, inside + 1 live on S's GPU 0 and one outside each.
  const map: number[] = [];
  for (let g = 0; g < inside; g++) map.push(g, (g + inside - 1) % inside);
  map.push(inside, inside + 1, inside + 1, inside);
  const load = new Array<number>(inside).fill(top);
  const moved = random.below(top); // shifts load along the ring; the sum inside S stays inside * top
  load[0] += moved;
  load[1] -= moved;
  return {
    problem: {
      placement: Placement.fromPhysicalToLogical(map, { gpus }),
      expertLoad: [...load, random.below(top), random.below(top)],
    },
    inside,
    top,
  };
}

describe("planted optima", () => {
  test.each(["webgpu", "cpu"] as const)("%s finds them and certify accepts them", async (backend) => {
    for (let seed = 0; seed < 50; seed++) {
      const { problem, inside, top } = plantedBottleneck(seeded(seed));
      const solution = await solveLoadBalanceLP(problem, { backend });
      expect(solution.maxLoad[0], `seed ${seed}`).toBe(top);
      expect(
        solution.bottleneck[0].every((g) => g < inside),
        `seed ${seed}`,
      ).toBe(true);
      expect(certify(problem, solution)[0], `seed ${seed}`).toMatchObject({ valid: true, gap: 0, verdict: "optimal" });
    }
  });
});

/** Copies a solution and spoils one part of one LP. */
const perturbations: Record<string, (solution: ReplicaSolution, lp: number, random: Random) => void> = {
  "a quota one up": ({ quota, batch }, lp, random) => {
    const slots = quota.length / batch;
    quota[lp * slots + random.below(slots)] += 1;
  },
  "a token moved between slots": ({ quota, batch }, lp, random) => {
    const slots = quota.length / batch;
    const slot = random.below(slots);
    quota[lp * slots + slot] += 1;
    quota[lp * slots + ((slot + 1 + random.below(slots - 1)) % slots)] -= 1;
  },
  "a quota that is not a number": ({ quota, batch }, lp, random) => {
    const slots = quota.length / batch;
    quota[lp * slots + random.below(slots)] = Number.NaN;
  },
  "a price changed": ({ price, batch }, lp, random) => {
    const gpus = price.length / batch;
    price[lp * gpus + random.below(gpus)] += 0.01;
  },
  "a GPU added to or taken from the bottleneck": ({ bottleneck, gpuLoad, batch }, lp, random) => {
    const gpu = random.below(gpuLoad.length / batch);
    const without = bottleneck[lp].filter((g) => g !== gpu);
    bottleneck[lp] = without.length < bottleneck[lp].length ? without : [...without, gpu].sort((a, b) => a - b);
  },
  "an empty bottleneck": ({ bottleneck }, lp) => {
    bottleneck[lp] = [];
  },
  "a higher lower bound": ({ lowerBound, maxLoad, gap, status }, lp) => {
    lowerBound[lp] += 1;
    maxLoad[lp] += 1;
    gap[lp] = 0;
    status[lp] = "optimal";
  },
  "a lower max load": ({ maxLoad }, lp) => {
    maxLoad[lp] -= 1;
  },
  "another load": ({ gpuLoad, batch }, lp, random) => {
    const gpus = gpuLoad.length / batch;
    gpuLoad[lp * gpus + random.below(gpus)] += 1;
  },
  "another status": ({ status }, lp) => {
    status[lp] = "gap";
  },
  "another gap": ({ gap }, lp) => {
    gap[lp] = 1e-3;
  },
};

function copy(solution: ReplicaSolution): ReplicaSolution {
  return { ...structuredClone({ ...solution, adapter: undefined }), quota: Float64Array.from(solution.quota) };
}

describe("negative controls: certify rejects", () => {
  test.each(Object.keys(perturbations))("%s", async (name) => {
    const random = seeded(5);
    let rejected = 0;
    for (const unequalSpeeds of [false, true]) {
      for (const instance of instances(
        ["EP8 R8", "disconnected", "experts everywhere"],
        Object.keys(families),
        6,
        3,
        unequalSpeeds,
      )) {
        if (instance.form === "edge") continue;
        const solution = await solveLoadBalanceLP(instance.problem, { backend: "cpu" });
        for (let lp = 0; lp < instance.batch; lp++) {
          const spoiled = copy(solution);
          expect(certify(instance.problem, spoiled)[lp].valid, instance.name).toBe(true);
          perturbations[name](spoiled, lp, random);
          const verdicts = certify(instance.problem, spoiled).map(({ valid }) => valid);
          expect(verdicts, `${instance.name}, LP ${lp}`).toEqual(verdicts.map((_, i) => i !== lp));
          rejected++;
        }
      }
    }
    expect(rejected).toBe(2 * 3 * Object.keys(families).length * 3);
  });

  test("a bottleneck that is not ascending, or names a GPU twice or one that there is not", async () => {
    const [instance] = instances(["EP8, 4 replicas"], ["equal"], 6, 3, false);
    const { problem } = instance as Instance & { form: "replica" };
    const solution = await solveLoadBalanceLP(problem, { backend: "cpu" });
    const [first, ...others] = solution.bottleneck[1];
    expect(others.length).toBeGreaterThan(0);
    for (const bottleneck of [
      [...others, first],
      [first, first, ...others],
      [-1, first, ...others],
      [first, ...others, problem.placement.gpus],
      [first, first + 0.5, ...others],
    ]) {
      const spoiled = copy(solution);
      spoiled.bottleneck[1] = bottleneck;
      const verdicts = certify(problem, spoiled).map(({ valid, boundValid }) => [valid, boundValid]);
      expect(verdicts, `${bottleneck}`).toEqual([
        [true, true],
        [false, false],
        [true, true],
      ]);
    }
  });

  test("a flow, in the edge form", async () => {
    const instance = [...instances(["cube"], ["normal"], 7, 4, false)][0] as Instance & { form: "edge" };
    const solution = await solveLoadBalanceLP(instance.problem, { backend: "cpu" });
    for (const amount of [1, -1, 0.5, 1e9]) {
      const spoiled = { ...solution, flow: Float64Array.from(solution.flow) };
      spoiled.flow[2 * instance.problem.edges.length + 3] += amount;
      expect(certify(instance.problem, spoiled).map(({ valid }) => valid)).toEqual([true, true, false, true]);
    }
  });
});

describe("each check sees what no other does", () => {
  /** What certify finds wrong. */
  const faults = (certificate: Certificate) =>
    (["conserved", "withinCapacity", "loadsTrue", "boundValid"] as const).filter((check) => !certificate[check]);
  // Expert 0 is twice on GPU 0: what one of its slots there has too much and the other too little changes no sum.
  const placement = Placement.fromPhysicalToLogical([0, 0, 1, 0, 2, 1], { gpus: 2 });
  const problem = { placement, expertLoad: [20, 8, 6] };

  test.each([
    ["a quota below 0", (quota: number) => -1 - quota, ["withinCapacity"]],
    ["a fraction of a token", () => 0.5, ["withinCapacity"]],
    ["nothing", () => 1, []],
  ] as const)("in the replica form: %s", async (_, moved, expected) => {
    const spoiled = copy(await solveLoadBalanceLP(problem, { backend: "cpu" }));
    const by = moved(spoiled.quota[0]);
    spoiled.quota[0] += by;
    spoiled.quota[1] -= by;
    const [certificate] = certify(problem, spoiled);
    expect(faults(certificate)).toEqual(expected);
    expect(certificate.valid).toBe(expected.length === 0);
  });

  test("a token of one expert served as another's, on the same GPU", async () => {
    const solution = copy(await solveLoadBalanceLP(problem, { backend: "cpu" }));
    solution.quota[1] -= 1;
    solution.quota[2] += 1;
    expect(faults(certify(problem, solution)[0])).toEqual(["conserved"]);
  });

  // Two edges from GPU 0 to GPU 1.
  const graph: EdgeProblem = {
    gpus: 2,
    edges: [
      [0, 1],
      [0, 1],
    ],
    load: [20, 4],
    capacity: [5, 5],
  };

  test.each([
    ["a flow below 0", [-1, 9], ["withinCapacity"]],
    ["a flow beyond its capacity", [6, 2], ["withinCapacity"]],
    ["a fraction of a token", [3.5, 4.5], ["withinCapacity"]],
    ["nothing", [5, 3], []],
    ["a flow that is not a number", [Number.NaN, 3], ["conserved", "withinCapacity", "loadsTrue"]],
  ] as const)("in the edge form: %s", async (_, flow, expected) => {
    const solution = await solveLoadBalanceLP(graph, { backend: "cpu" });
    expect(solution.maxLoad[0]).toBe(12);
    const [certificate] = certify(graph, { ...solution, flow: Float64Array.from(flow) });
    expect(faults(certificate)).toEqual(expected);
    expect(certificate.valid).toBe(expected.length === 0);
  });
});

test("fractional solutions are certified with their gap, in both forms and on both backends", async () => {
  for (const instance of instances(Object.keys(shapes), ["lognormal", "8 tokens per GPU"], 8, 3, true)) {
    for (const backend of ["webgpu", "cpu"] as const) {
      const solution = await solveInstance(instance, { backend, tokens: "fractional" });
      const certificates = certifyInstance(instance, solution);
      expect(
        certificates.map(({ verdict }) => verdict),
        instance.name,
      ).toEqual(solution.status);
    }
  }
});
