import { readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { certify, createSolver, Placement, type ReplicaProblem, topologies } from "../../../src/index.ts";
import { toTopology } from "../../../src/lp/forms.ts";
import { canonicalForm } from "../../../src/lp/kernels/canonical.ts";
import { specialise } from "../../../src/lp/kernels/generate.ts";
import { MAX_STATEMENTS } from "../../../src/lp/kernels/specialised.ts";
import * as reference from "../../../src/lp/twins/specialised.ts";
import { families, instances, randomPlacement, shapes, topologyAndLoads } from "../../helpers/instances.ts";
import {
  checkNegative,
  checkRaw,
  expectFewLeft,
  expectOrdinary,
  expectSame,
  judgeRaw,
  negativeLoads,
  specialisedFor,
} from "../../helpers/raw.ts";

const text = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
const pairwise = text("src/lp/text/pairwise.ts");
const pushRelabel = text("src/lp/text/push_relabel.ts");

const small = ["ring 8", "cube", "EP8 R8", "experts everywhere", "2 GPUs", "disconnected"];

describe("the specialised kernel and its twin", () => {
  test.each([false, true])(
    "agree on optima, raw, and on sweeps up to f32; unequal speeds: %s",
    async (unequalSpeeds) => {
      const differences: number[] = [];
      let left = 0;
      for (const name of small) {
        const all = [...instances([name], Object.keys(families), 74, 3, unequalSpeeds)];
        const solve = await specialisedFor((await topologyAndLoads(all[0])).topology);
        for (const instance of all) {
          const { topology, loads } = await topologyAndLoads(instance);
          const answer = await solve(loads);
          const checked = checkRaw([topology], loads, answer, instance.name);
          left += checked.left;
          expectOrdinary(instance.name, answer, { iterations: pairwise, moves: pushRelabel });
          const solve64 = reference.specialised(topology);
          for (let lp = 0; lp < loads.batch; lp++) {
            const { maxLoad, sweeps, closed, kept, tokens } = solve64(loads, lp);
            expect(kept.map((row) => row.reduce((a, b) => a + b, 0))).toEqual(tokens);
            const optimum = checked.optima[lp];
            expect({ closed, maxLoad }, `${instance.name}, LP ${lp}`).toEqual({ closed: true, maxLoad: optimum });
            differences.push(Math.abs(answer.iterations[lp] - sweeps));
          }
        }
      }
      expectSame(differences);
      expectFewLeft(left, differences.length, unequalSpeeds);
    },
  );
});

describe("the specialised kernel", () => {
  test.each([false, true])(
    "is optimal to the token like the exact solver; unequal speeds: %s",
    async (unequalSpeeds) => {
      let solved = 0;
      let left = 0;
      for (const name of small) {
        const all = [...instances([name], Object.keys(families), 74, 6, unequalSpeeds)];
        const first = all[0];
        const form = first.form === "edge" ? first.problem : first.problem.placement;
        // One topology and speeds for all families, and the test above, so one pipeline.
        const { speed } = first.problem;
        const solver = await createSolver(form as ReplicaProblem["placement"], {
          backend: "webgpu",
          kernel: "specialised",
          speed,
        });
        const exact = await createSolver(form as ReplicaProblem["placement"], { backend: "cpu", speed });
        await solver.ready;
        expect(solver.plan.kernel, solver.plan.reason).toBe("specialised");
        for (const { problem, name: title } of all) {
          const solution = await solver.solve(problem as ReplicaProblem);
          const { maxLoad } = await exact.solve(problem as ReplicaProblem);
          expect(solution.maxLoad, title).toEqual(maxLoad);
          const verdicts = certify(problem as ReplicaProblem, solution).map(({ verdict }) => verdict);
          expect(new Set(verdicts), title).toEqual(new Set(["optimal"]));
          solved += solution.batch;
          left += solution.finishedOnCpu;
        }
        solver.destroy();
      }
      expect(solved).toBe(small.length * Object.keys(families).length * 6);
      expectFewLeft(left, solved, unequalSpeeds);
    },
  );

  test("does not call optimal what it cannot prove: loads below 0 at unequal speeds", async () => {
    const given = negativeLoads();
    const solve = await specialisedFor(given.topology);
    checkNegative(given, await solve(given.loads));
  });

  test("calls optimal what it closes and nothing else, where it has too few rounds", async () => {
    const [first, ...others] = instances(["ring 8"], Object.keys(families), 77, 6, false);
    const solve = await specialisedFor((await topologyAndLoads(first)).topology, (text) =>
      text.replace("< 256)", "< 1)"),
    );
    const found = new Set<string>();
    for (const instance of [first, ...others]) {
      const { topology, loads } = await topologyAndLoads(instance);
      const answer = await solve(loads);
      for (const [lp, status] of answer.status.entries()) {
        const { maxLoad, bound } = judgeRaw(topology, loads, answer, lp, `${instance.name}, LP ${lp}`);
        expect(status, `${instance.name}, LP ${lp}`).toBe(maxLoad === bound ? "optimal" : "gap");
        found.add(status);
      }
    }
    expect(found).toEqual(new Set(["optimal", "gap"]));
  });

  test("takes over from lane after eight solves, none of which waits for it, and answers the same", async () => {
    const random = seeded(71);
    const placement = randomPlacement(random, 8, 5, 8, 4);
    const expertLoad = families.normal(random, placement.logicalExperts, 8);
    const solver = await createSolver(placement, { backend: "webgpu" });
    const before = await solver.solve({ expertLoad });
    for (let solves = 1; solves < 8; solves++) {
      expect(solver.plan).toMatchObject({ kernel: "lane", reason: "This topology has not come back yet." });
      await solver.solve({ expertLoad });
    }
    expect(solver.plan).toMatchObject({ kernel: "lane", reason: "The specialised pipeline is being compiled." });
    await vi.waitFor(() => expect(solver.plan.kernel).toBe("specialised"), 60_000); // nobody asks for `ready`
    const after = await solver.solve({ expertLoad });
    expect(after.maxLoad).toEqual(before.maxLoad);
    solver.destroy();
  });

  test("takes over at once where `ready` is asked for", async () => {
    const solver = await createSolver(randomPlacement(seeded(71), 8, 5, 8, 4), { backend: "webgpu" });
    await solver.ready;
    expect(solver.plan.kernel).toBe("specialised");
    solver.destroy();
  });

  test("keeps to its size limit: auto stays with group, and asking for it is an error", async () => {
    const placement = randomPlacement(seeded(72), 64, 6, 128, 4);
    expect(specialise(canonicalForm(toTopology(placement, undefined))).statements).toBeGreaterThan(MAX_STATEMENTS);
    const solver = await createSolver(placement, { backend: "webgpu" });
    await solver.ready;
    expect(solver.plan).toMatchObject({
      kernel: "group",
      reason: expect.stringContaining(`more than ${MAX_STATEMENTS}`),
    });
    const asked = createSolver(placement, { backend: "webgpu", kernel: "specialised" });
    await expect(asked).rejects.toThrow(/^kernel: expected "group"/);
    solver.destroy();
  });

  test("is generated the same for the same topology", () => {
    for (const name of small) {
      const shape = shapes[name];
      if (!("placement" in shape)) continue;
      const generate = () => specialise(canonicalForm(toTopology(shape.placement(seeded(73)), undefined))).wgsl;
      expect(generate()).toBe(generate());
    }
  });
});

describe("the canonical form", () => {
  /** The same placement with GPUs, slots within them and experts under other names. */
  function relabelled(placement: Placement, seed: number): Placement {
    const random = seeded(seed);
    const { gpus, physicalToLogical, logicalExperts } = placement;
    const perGpu = physicalToLogical.length / gpus;
    const name = random.shuffle([...new Array(logicalExperts).keys()]);
    const map = random
      .shuffle([...new Array(gpus).keys()])
      .flatMap((g) => random.shuffle([...physicalToLogical.subarray(g * perGpu, (g + 1) * perGpu)]))
      .map((e) => name[e]);
    return Placement.fromPhysicalToLogical(map, { gpus });
  }
  const named: Record<string, Placement> = {
    cube: Placement.fromRedundantToOriginal(topologies.cube8(), { logicalExperts: 32, epSize: 8 }),
    hypercube: Placement.fromRedundantToOriginal(topologies.hypercube16(), { logicalExperts: 64, epSize: 16 }),
    random: randomPlacement(seeded(75), 8, 6, 16, 4),
    "two rings": Placement.fromRedundantToOriginal(topologies.ring(4), { logicalExperts: 16, epSize: 8 }),
    "experts twice on a GPU": Placement.fromPhysicalToLogical([0, 0, 1, 1, 0, 2, 2, 1, 2, 0, 3, 4], { gpus: 3 }),
    "merged experts": Placement.fromPhysicalToLogical([0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 6, 7], { gpus: 4 }),
  };

  test.each(Object.keys(named))("of %s does not depend on labels, so one pipeline serves all of them", async (name) => {
    const forms = [0, 1, 2, 3].map((seed) => canonicalForm(toTopology(relabelled(named[name], seed), undefined)));
    expect(new Set(forms.map(({ key }) => key)).size).toBe(1);
    expect(new Set(forms.map((form) => specialise(form).wgsl)).size).toBe(1);
    for (const seed of [0, 1]) {
      const placement = relabelled(named[name], seed);
      const random = seeded(76);
      const expertLoad = Array.from({ length: 8 }, () =>
        families.zipf(random, placement.logicalExperts, placement.gpus),
      ).flat();
      const baseLoad = Array.from({ length: 8 * placement.gpus }, () => random.below(500) - 100);
      const solver = await createSolver(placement, { backend: "webgpu", kernel: "specialised" });
      await solver.ready;
      const solution = await solver.solve({ expertLoad, baseLoad });
      expect(solution.finishedOnCpu).toBe(0);
      const verdicts = certify({ placement, expertLoad, baseLoad }, solution).map(({ verdict }) => verdict);
      expect(new Set(verdicts)).toEqual(new Set(["optimal"]));
      solver.destroy();
    }
  });

  test("does not depend on which way an edge points", () => {
    const key = (edges: number[][]) => canonicalForm(toTopology({ gpus: 3, edges }, undefined)).key;
    expect(
      key([
        [0, 1],
        [1, 0],
        [1, 2],
      ]),
    ).toBe(
      key([
        [1, 0],
        [1, 0],
        [2, 1],
      ]),
    );
  });

  test("tells topologies apart", () => {
    const keys = Object.values(named).map((placement) => canonicalForm(toTopology(placement, undefined)).key);
    expect(new Set(keys).size).toBe(keys.length);
    const slower = canonicalForm(toTopology(named.cube, new Float64Array([1, 1, 1, 1, 1, 1, 1, 2]))).key;
    expect(keys).not.toContain(slower);
  });

  test("merges experts with the same GPUs and splits components", () => {
    const { shape, labels } = canonicalForm(toTopology(named["merged experts"], undefined));
    expect(shape.experts.length).toBe(2);
    expect(labels.expert.flat().sort()).toEqual([0, 1, 2, 3]);
    expect(shape.components.map(({ gpus }) => gpus.length)).toEqual([2, 2]);
    expect(canonicalForm(toTopology(named["two rings"], undefined)).shape.components.length).toBe(2);
    expect(canonicalForm(toTopology(named.cube, undefined)).shape.components.length).toBe(1);
  });
});
