import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  certify,
  createBalancer,
  createSolver,
  expertPrice,
  measureImbalance,
  Placement,
  quotaToShares,
  type ReplicaProblem,
  solveLoadBalanceLP,
} from "../../src/index.ts";

describe("what stands for a placement", () => {
  const fields = { gpus: 2, physicalToLogical: [0, 1, 1, -1, 2], slotsPerGpu: [2, 3], logicalExperts: 4 };
  const placement = Placement.fromPhysicalToLogical(fields.physicalToLogical, {
    gpus: 2,
    slotsPerGpu: [2, 3],
    logicalExperts: 4,
  });
  const loads = { expertLoad: [3, 9, 5, 7] };
  const cpu = { backend: "cpu" } as const;

  test.each([
    ["its fields", fields],
    ["its fields from JSON", JSON.parse(JSON.stringify(fields))],
    ["a placement from JSON", JSON.parse(JSON.stringify(placement))],
    ["a placement that was posted", structuredClone(placement)],
    ["a placement", placement],
  ])("%s, wherever one is taken", async (_, like) => {
    const problem = { placement: like, ...loads };
    const expected = await solveLoadBalanceLP({ placement, ...loads }, cpu);
    const solution = await solveLoadBalanceLP(problem, cpu);
    expect(solution).toEqual(expected);
    expect(certify(problem, solution)[0].verdict).toBe("optimal");
    expect(expertPrice(problem, solution)).toEqual(expertPrice({ placement, ...loads }, expected));
    const solver = await createSolver(like, cpu);
    expect(await solver.solve(loads)).toEqual(expected);
    expect(await solver.solve(problem)).toEqual(expected);
    const counts = loads.expertLoad;
    expect(await measureImbalance({ placement: like, counts }, cpu)).toEqual(
      await measureImbalance({ placement, counts }, cpu),
    );
    const balancer = await createBalancer({ placement: [like], topK: 1, maxTokens: 4, ...cpu });
    expect([...(await balancer.balance(Int32Array.of(0, 1, 1, 2))).physicalIds]).toEqual([0, 1, 2, 4]);
    expect(quotaToShares([like], [3, 4, 5, 0, 5])).toEqual(quotaToShares([placement], [3, 4, 5, 0, 5]));
  });

  const path = "problem.placement";
  const cases: [string, unknown][] = [
    ["placement: expected a Placement, or a graph { gpus, edges }, got an object of Object.", { gpus: 2 }],
    [`${path}: expected only gpus, slotsPerGpu, logicalExperts, physicalToLogical, got "gpu".`, { ...fields, gpu: 2 }],
    [`${path}.gpus: expected an integer >= 1, got "2".`, { ...fields, gpus: "2" }],
    [`${path}.physicalToLogical[0]: expected an expert id`, { ...fields, physicalToLogical: [7, 1, 1, -1, 2] }],
    [`${path}.slotsPerGpu: expected gpus = 2 numbers, got 1.`, { ...fields, slotsPerGpu: [5] }],
  ];
  test.each(cases)("%s", async (message, like) => {
    const problem = { placement: like, ...loads } as unknown as ReplicaProblem;
    const error = await solveLoadBalanceLP(problem, cpu).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error.message.startsWith(message) || error.message, error.message).toBe(true);
  });
});
