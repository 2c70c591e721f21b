import { describe, expect, test } from "vitest";
import { certify, createSolver, type ReplicaProblem } from "../src/index.ts";
import { toTopology } from "../src/problem.ts";
import { newtonShape } from "../src/reference/newton.ts";
import { specialise } from "../src/specialised/generate.ts";
import { MAX_STATEMENTS } from "../src/specialised/plan.ts";
import { families, instances, randomPlacement, shapes } from "./helpers/instances.ts";
import { seeded } from "./helpers/random.ts";

const small = ["ring 8", "cube", "EP8 R8", "experts everywhere", "2 GPUs", "disconnected"];

describe("the specialised kernel", () => {
  test.each([false, true])(
    "is optimal to the token like the exact solver; unequal speeds: %s",
    async (unequalSpeeds) => {
      let solved = 0;
      for (const name of small) {
        const all = [...instances([name], Object.keys(families), 70, 6, unequalSpeeds)];
        const first = all[0];
        const form = first.form === "edge" ? first.problem : first.problem.placement;
        // One topology and speeds for all families, so one pipeline.
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
        }
        solver.destroy();
      }
      expect(solved).toBe(small.length * Object.keys(families).length * 6);
    },
  );

  test("answers the same as lane before and after it takes over, and a solve never waits for it", async () => {
    const random = seeded(71);
    const placement = randomPlacement(random, 8, 5, 8, 4);
    const expertLoad = families.normal(random, placement.logicalExperts, 8);
    const solver = await createSolver(placement, { backend: "webgpu" });
    expect(solver.plan.kernel).toBe("lane");
    const before = await solver.solve({ expertLoad });
    expect(solver.plan.kernel).toBe("lane");
    await solver.ready;
    expect(solver.plan.kernel).toBe("specialised");
    const after = await solver.solve({ expertLoad });
    expect(after.maxLoad).toEqual(before.maxLoad);
    solver.destroy();
  });

  test("keeps to its size limit: auto stays with lane, and asking for it is an error", async () => {
    const [instance] = instances(["EP64 R64"], ["normal"], 72, 1, false);
    const { placement } = instance.problem as ReplicaProblem;
    expect(specialise(newtonShape(toTopology(placement, undefined), true)).statements).toBeGreaterThan(MAX_STATEMENTS);
    const solver = await createSolver(placement, { backend: "webgpu" });
    await solver.ready;
    expect(solver.plan).toMatchObject({
      kernel: "lane",
      reason: expect.stringContaining(`more than ${MAX_STATEMENTS}`),
    });
    const asked = createSolver(placement, { backend: "webgpu", kernel: "specialised" });
    await expect(asked).rejects.toThrow(/^kernel: expected "lane"/);
    solver.destroy();
  });

  test("is generated the same for the same topology", () => {
    for (const name of small) {
      const shape = shapes[name];
      if (!("placement" in shape)) continue;
      const generate = () => specialise(newtonShape(toTopology(shape.placement(seeded(73)), undefined), true)).wgsl;
      expect(generate()).toBe(generate());
    }
  });
});
