/** What is no cost, or not with one: told before anything is computed, by the name of the field. */
import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  certify,
  createBalancer,
  createSolver,
  type ExpertCost,
  LoadError,
  measureImbalance,
  Placement,
  ShapeError,
  solveLoadBalanceLP,
} from "../../../src/index.ts";
import { errorOf } from "../../helpers/bad_input.ts";

const placement = Placement.fromPhysicalToLogical([0, 1, 0, 2], { gpus: 2 });
const expertLoad = [5, 2, 3];
const good: ExpertCost = { model: "roofline", perExpert: 6.3, perToken: 0.035 };
const loads = { placement, expertLoad };

const bad: [what: string, cost: unknown, argument: string, error?: typeof ShapeError][] = [
  ["nothing", null, "cost"],
  ["a number", 6.3, "cost"],
  ["an unknown model", { ...good, model: "linear" }, "cost.model"],
  ["a misspelt field", { ...good, perTokens: 1 }, "cost"],
  ["both 0", { ...good, perExpert: 0, perToken: 0 }, "cost"],
  ["a negative time", { ...good, perExpert: -1 }, "cost.perExpert"],
  ["NaN", { ...good, perToken: Number.NaN }, "cost.perToken"],
  ["Infinity", { ...good, perToken: Infinity }, "cost.perToken"],
  ["a string", { ...good, perToken: "0.035" }, "cost.perToken"],
  ["no perToken", { model: "affine", perExpert: 1 }, "cost.perToken"],
  ["a tile below 1", { ...good, tile: 0 }, "cost.tile"],
  ["half a tile", { ...good, tile: 0.5 }, "cost.tile"],
  ["a tile that is not whole", { ...good, tile: 64.5 }, "cost.tile"],
  ["one point", { tokens: [1], time: [6.3] }, "cost.tokens", ShapeError],
  ["no times", { tokens: [1, 2] }, "cost.time"],
  ["fewer times than points", { tokens: [1, 2, 3], time: [1, 2] }, "cost.time", ShapeError],
  ["a curve that decreases", { tokens: [1, 2, 3], time: [3, 4, 3.9] }, "cost.time[2]"],
  ["a curve above 0 at 0 tokens", { tokens: [0, 2, 3], time: [1, 4, 5] }, "cost.time[0]"],
  ["a curve that holds NaN", { tokens: [1, 2, 3], time: [1, Number.NaN, 5] }, "cost.time[1]"],
  ["a curve with a token count of NaN", { tokens: [1, Number.NaN], time: [1, 5] }, "cost.tokens[1]"],
  ["tokens that do not ascend", { tokens: [1, 3, 3], time: [1, 2, 3] }, "cost.tokens[2]"],
  ["negative tokens", { tokens: [-1, 3], time: [0, 2] }, "cost.tokens[0]"],
  ["a curve without any time", { tokens: [1, 3], time: [0, 0] }, "cost.time"],
  ["a misspelt field of a curve", { tokens: [1, 3], times: [0, 2] }, "cost"],
  ["a curve of strings", { tokens: ["1", "3"], time: [1, 2] }, "cost.tokens[0]"],
];

/** Everything that takes a cost. */
const takers: Record<string, (cost: ExpertCost) => Promise<unknown>> = {
  solveLoadBalanceLP: (cost) => solveLoadBalanceLP({ ...loads, cost }),
  "the options of solveLoadBalanceLP": (cost) => solveLoadBalanceLP(loads, { cost }),
  createSolver: (cost) => createSolver(placement, { cost }),
  createBalancer: (cost) => createBalancer({ placement, topK: 1, maxTokens: 4, cost }),
  measureImbalance: (cost) => measureImbalance({ placement, counts: expertLoad, cost }),
};

describe.each(bad)("%s", (_, cost, argument, error = ArgumentError) => {
  test.each(Object.keys(takers))("is refused by %s, by name", async (taker) => {
    const failure = await takers[taker](cost as ExpertCost).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(failure).toBeInstanceOf(error);
    expect((failure as ArgumentError).argument).toBe(argument);
    expect((failure as Error).message).toMatch(/: expected .+, got .+\./);
  });

  test("is refused by certify", async () => {
    const solution = await solveLoadBalanceLP({ ...loads, cost: good }, { backend: "cpu" });
    const failure = errorOf(() => certify({ ...loads, cost: cost as ExpertCost }, solution));
    expect(failure).toBeInstanceOf(error);
    expect((failure as ArgumentError).argument).toBe(`problem.${argument}`);
  });
});

describe("with a cost", () => {
  const refused = async (work: Promise<unknown>, error: typeof ArgumentError, message: RegExp) => {
    await expect(work).rejects.toThrow(error);
    await expect(work).rejects.toThrow(message);
  };

  test("the edge form is refused, as a graph, a problem and by option", async () => {
    const edges = { gpus: 2, edges: [[0, 1]], load: [5, 1], capacity: [4] };
    const given = { ...edges, cost: good } as typeof edges;
    await refused(solveLoadBalanceLP(given), ArgumentError, /^cost: expected none in the edge form/);
    await refused(solveLoadBalanceLP(edges, { cost: good }), ArgumentError, /^cost: expected none in the edge form/);
    await refused(createSolver({ gpus: 2, edges: [[0, 1]] }, { cost: good }), ArgumentError, /^cost: /);
    const solution = await solveLoadBalanceLP(edges, { backend: "cpu" });
    expect(() => certify(given, solution)).toThrow(/^cost: expected none in the edge form/);
  });

  test("loads are whole, and fractions and levelling are not for it", async () => {
    const fractions = { placement, expertLoad: [5, 2.5, 3], cost: good };
    await refused(solveLoadBalanceLP(fractions), LoadError, /^expertLoad\[1\]: expected an integer, because cost is/);
    const options = { tokens: "fractional" } as const;
    await refused(
      solveLoadBalanceLP({ ...loads, cost: good }, options),
      ArgumentError,
      /^tokens: expected "integer" with a cost/,
    );
    await refused(
      solveLoadBalanceLP({ ...loads, cost: good }, { level: true }),
      ArgumentError,
      /^level: expected false with a cost/,
    );
    const solver = await createSolver(placement, { cost: good });
    await refused(solver.solve({ expertLoad }, options), ArgumentError, /^tokens: /);
    await refused(solver.solve({ expertLoad }, { level: true }), ArgumentError, /^level: /);
    await refused(solver.solve({ expertLoad: [5, 2.5, 3] }), LoadError, /^expertLoad\[1\]: /);
    solver.destroy();
  });

  test("a kernel cannot be chosen", async () => {
    await refused(
      createSolver(placement, { cost: good, kernel: "lane" }),
      ArgumentError,
      /^kernel: expected "auto" with a cost/,
    );
  });

  test("two costs must be the same", async () => {
    const other = { ...good, perToken: 0.036 };
    await refused(
      solveLoadBalanceLP({ ...loads, cost: good }, { cost: other }),
      ArgumentError,
      /^options\.cost: expected none, or the same/,
    );
    const same = await solveLoadBalanceLP({ ...loads, cost: good }, { cost: { ...good, tile: 1 } });
    expect(same.status).toEqual(["optimal"]);
    const solver = await createSolver(placement, { cost: good });
    await refused(
      solver.solve({ ...loads, cost: other } as typeof loads),
      ArgumentError,
      /^loads\.cost: expected none, or the same/,
    );
    expect((await solver.solve({ ...loads, cost: good } as typeof loads)).maxTime[0]).toBeGreaterThan(0);
    solver.destroy();
    const plain = await createSolver(placement);
    await refused(plain.solve({ ...loads, cost: good } as typeof loads), ArgumentError, /^loads\.cost: /);
    plain.destroy();
  });

  test("base loads are times: any finite number, of dead GPUs anything", async () => {
    const problem = { ...loads, cost: good };
    const answer = await solveLoadBalanceLP({ ...problem, baseLoad: [0.25, -3.5] }, { backend: "cpu" });
    expect(answer.gpuLoad.reduce((a, b) => a + b)).toBe(10);
    await refused(solveLoadBalanceLP({ ...problem, baseLoad: [1, Number.NaN] }), LoadError, /^baseLoad\[1\]: /);
    await refused(solveLoadBalanceLP({ ...problem, baseLoad: [1, Infinity] }), LoadError, /^baseLoad\[1\]: /);
    await refused(
      solveLoadBalanceLP({ ...problem, baseLoad: [1e270, 1e270] }),
      LoadError,
      /^baseLoad: expected a total/,
    );
    await refused(solveLoadBalanceLP({ ...problem, baseLoad: [1] }), ShapeError, /^baseLoad: /);
    const dead = { ...problem, baseLoad: [1, Number.NaN], active: [1, 0] };
    expect((await solveLoadBalanceLP(dead, { backend: "cpu" })).lost).toEqual([2]);
  });

  test("certify wants a solution that has times", async () => {
    const { time, ...untimed } = await solveLoadBalanceLP({ ...loads, cost: good }, { backend: "cpu" });
    expect(time.length).toBe(2);
    expect(() => certify({ ...loads, cost: good }, untimed)).toThrow(
      /^solution\.time: expected .*Was it solved with the cost\?/,
    );
    const short = { ...untimed, time, timeGap: new Float64Array(2) };
    expect(() => certify({ ...loads, cost: good }, short)).toThrow(/^solution\.timeGap: /);
  });

  test("certify wants the cost that a solution's times are of, be it that it was an option", async () => {
    const timed = await solveLoadBalanceLP(loads, { backend: "cpu", cost: good });
    expect(() => certify(loads, timed)).toThrow(/^problem\.cost: expected the cost .*option belongs to the problem/);
    expect(certify({ ...loads, cost: good }, timed)[0].valid).toBe(true);
  });

  test("a balancer's base loads are times >= 0", async () => {
    const options = { placement, topK: 1, maxTokens: 4, cost: good, backend: "cpu" } as const;
    await refused(createBalancer({ ...options, baseLoad: [1, -0.5] }), LoadError, /^baseLoad\[1\]: expected a time/);
    const balancer = await createBalancer({ ...options, baseLoad: [0.5, 2.25] });
    await refused(balancer.balance([0, 1], { baseLoad: [Number.NaN, 0] }), LoadError, /baseLoad\[0\]: expected a time/);
    balancer.destroy();
  });

  test("speeds without a cost say nothing of an imbalance", async () => {
    await refused(
      measureImbalance({ placement, counts: expertLoad, speed: [1, 2] }),
      ArgumentError,
      /^speed: expected none without a cost/,
    );
    await refused(measureImbalance({ placement, counts: expertLoad, speed: [1], cost: good }), ShapeError, /^speed: /);
  });
});
