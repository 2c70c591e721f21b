/** What is not a solution of the problem is an error, from whoever takes one. */
import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  certify,
  expertPrice,
  Placement,
  type ReplicaProblem,
  type ReplicaSolution,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { errorOf } from "../helpers/bad_input.ts";

describe("what is not a solution of the problem is an error, not an empty or short list", () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });
  const problem = { placement, expertLoad: [3, 4, 5, 1, 2, 3] };
  const graph = { gpus: 2, edges: [[0, 1]] as [number, number][], load: [9, 1], capacity: [4] };

  /** What both functions that take a solution say of it. */
  async function messages(given: unknown, answer: unknown): Promise<string[]> {
    return [certify, expertPrice].map((call) => {
      const error = errorOf(() => call(given as ReplicaProblem, answer as ReplicaSolution));
      expect(error).toBeInstanceOf(ArgumentError);
      return (error as Error).message;
    });
  }
  async function expectBoth(given: unknown, answer: unknown, message: string) {
    expect(await messages(given, answer)).toEqual([message, message]);
  }

  test("nothing, a promise, arguments the wrong way round", async () => {
    const solution = await solveLoadBalanceLP(problem, { backend: "cpu" });
    const pending = solveLoadBalanceLP(problem, { backend: "cpu" });
    await expectBoth(problem, {}, "solution.batch: expected B = 2 as in the problem, got undefined.");
    await expectBoth(problem, undefined, "solution: expected an object, got undefined.");
    const forgotten = "solution: expected what solve resolves to, got an object of Promise. Did you forget await?";
    await expectBoth(problem, pending, forgotten);
    await pending;
    expect((await messages(solution, problem))[0]).toMatch(/^problem: expected only placement, expertLoad, /);
    await expectBoth(undefined, solution, "problem: expected an object, got undefined.");
    await expectBoth(
      {},
      solution,
      "problem.placement: expected a Placement, or the fields of a graph instead, got undefined.",
    );
  });

  test("another batch, another form, another placement", async () => {
    const solution = await solveLoadBalanceLP(problem, { backend: "cpu" });
    const first = { ...problem, expertLoad: [3, 4, 5] };
    await expectBoth(first, solution, "solution.batch: expected B = 1 as in the problem, got 2.");
    const edge = await solveLoadBalanceLP(graph, { backend: "cpu" });
    await expectBoth(graph, { ...solution, batch: 1 }, "solution.flow: expected an array of values, got undefined.");
    await expectBoth({ ...first }, edge, "solution.quota: expected an array of values, got undefined.");
    const wider = Placement.fromPhysicalToLogical([0, 1, 1, 2, 0, 2], { gpus: 2 });
    const other = { ...problem, placement: wider };
    await expectBoth(other, solution, "solution.quota: expected B * P = 2 * 6 = 12 values, got 8.");
  });

  test("a part is missing, short or no list", async () => {
    const solution = await solveLoadBalanceLP(problem, { backend: "cpu" });
    for (const part of ["quota", "gpuLoad", "price", "maxLoad", "lowerBound", "gap", "status", "bottleneck"] as const) {
      const without = await messages(problem, { ...solution, [part]: undefined });
      expect(without[0]).toMatch(new RegExp(`^solution\\.${part}: expected an array of values, got undefined`));
      const short = Array.from(solution[part] as ArrayLike<unknown>).slice(1);
      expect((await messages(problem, { ...solution, [part]: short }))[0]).toMatch(
        new RegExp(`^solution\\.${part}: expected B.* values, got`),
      );
    }
    await expectBoth(
      problem,
      { ...solution, tokens: "whole" },
      'solution.tokens: expected "integer" or "fractional", got "whole".',
    );
    const bottleneck = [solution.bottleneck[0], 0];
    await expectBoth(problem, { ...solution, bottleneck }, "solution.bottleneck[1]: expected an array of GPUs, got 0.");
  });

  test("a problem whose parts do not fit", async () => {
    const solution = await solveLoadBalanceLP(problem, { backend: "cpu" });
    const spoiled: [object, string][] = [
      [{ expertLoad: [3, 4, 5, 1] }, "problem.expertLoad: expected B * E values with E = 3 and B >= 1, got 4."],
      [{ expertLoad: [] }, "problem.expertLoad: expected B * E values with E = 3 and B >= 1, got 0."],
      [{ expertLoad: [3, 4, 5, 1, 2, Number.NaN] }, "problem.expertLoad[5]: expected a finite number, got NaN."],
      [{ baseLoad: [0, 0] }, "problem.baseLoad: expected B * gpus = 2 * 2 = 4 values, got 2."],
      [{ speed: [1] }, "problem.speed: expected gpus = 2 values, got 1."],
    ];
    for (const [part, message] of spoiled) await expectBoth({ ...problem, ...part }, solution, message);
    const edge = await solveLoadBalanceLP(graph, { backend: "cpu" });
    await expectBoth(
      { ...graph, capacity: [] },
      edge,
      "problem.capacity: expected B * edges = 1 * 1 = 1 values, got 0.",
    );
    await expectBoth(
      { ...graph, edges: [[0, 2]] },
      edge,
      "problem.edges[0]: expected a pair of GPUs in 0..1, got Array of length 2.",
    );
  });
});
