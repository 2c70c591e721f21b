/** Loads in rows, of whatever arrays, are the same loads as flat ones, wherever loads are taken. */
import { describe, expect, test } from "vitest";
import {
  certify,
  createBalancer,
  createSolver,
  type EdgeProblem,
  expertPrice,
  LoadError,
  measureImbalance,
  optimizePlacement,
  Placement,
  quotaToShares,
  type ReplicaProblem,
  type Rows,
  ShapeError,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { errorOf } from "../helpers/bad_input.ts";

const placement = Placement.fromPhysicalToLogical([0, 1, 0, 2, 1, 3], { gpus: 3 });
const expertLoad = [60, 200, 20, 10, 7, 0, 90, 3];
const baseLoad = [0, 30, 0, 5, 0, -2];
const flat: ReplicaProblem = { placement, expertLoad, baseLoad };
const edges: EdgeProblem = { gpus: 2, edges: [[0, 1]], load: [10, 2, 3, 3], capacity: [8, 1] };
const cpu = { backend: "cpu" } as const;

const rowsOf = (values: number[], width: number) =>
  Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));

const kinds: Record<string, (values: number[], width: number) => Rows> = {
  arrays: rowsOf,
  Int32Arrays: (values, width) => rowsOf(values, width).map((row) => Int32Array.from(row)),
  "arrays of either kind": (values, width) =>
    rowsOf(values, width).map((row, i) => (i === 0 ? row : Float32Array.from(row))),
};

describe.each(Object.entries(kinds))("rows as %s", (_, nest) => {
  const nested = { placement, expertLoad: nest(expertLoad, 4), baseLoad: nest(baseLoad, 3) };
  const nestedEdges = { ...edges, load: nest([10, 2, 3, 3], 2), capacity: nest([8, 1], 1) };

  test("are solved, certified and priced", async () => {
    const solution = await solveLoadBalanceLP(nested, cpu);
    expect(solution).toEqual(await solveLoadBalanceLP(flat, cpu));
    expect(certify(nested, solution)).toEqual(certify(flat, solution));
    expect(certify(nested, solution).map(({ verdict }) => verdict)).toEqual(["optimal", "optimal"]);
    expect(expertPrice(nested, solution)).toEqual(expertPrice(flat, solution));
    const flows = await solveLoadBalanceLP(nestedEdges, cpu);
    expect(flows).toEqual(await solveLoadBalanceLP(edges, cpu));
    expect(certify(nestedEdges, flows).map(({ verdict }) => verdict)).toEqual(["optimal", "optimal"]);
  });

  test("are certified for what they say, not for what flat ones would", async () => {
    const solution = await solveLoadBalanceLP(nested, cpu);
    const other = { ...nested, expertLoad: nest([60, 200, 20, 10, 7, 0, 90, 4], 4) };
    expect(certify(other, solution).map(({ verdict }) => verdict)).toEqual(["optimal", "invalid"]);
  });

  test("are taken by a solver, a measurement, quotaToShares, ranks and the search", async () => {
    const solver = await createSolver(placement, cpu);
    const { quota, maxLoad } = await solver.solve({ expertLoad: nested.expertLoad });
    expect(maxLoad).toEqual((await solver.solve({ expertLoad })).maxLoad);
    solver.destroy();

    const measured = await measureImbalance({ placement, counts: nested.expertLoad, quota: nest([...quota], 6) }, cpu);
    expect(measured).toEqual(await measureImbalance({ placement, counts: expertLoad, quota }, cpu));
    const both = [placement, placement];
    const shares = quotaToShares(both, nest([...quota], 6)); // [L][E][X]
    expect(shares).toEqual(quotaToShares(both, quota));
    const shared = await measureImbalance({ placement, counts: expertLoad, shares }, cpu);
    expect(shared).toEqual(await measureImbalance({ placement, counts: expertLoad, shares: shares.flat(2) }, cpu));

    const balancer = await createBalancer({ placement, layers: 2, topK: 1, maxTokens: 4, ...cpu });
    const [counts, before] = [[1, 1, 1, 1, 2, 2, 0, 0], new Array<number>(8).fill(0)];
    const ids = Int32Array.of(0, 1, 2, 3, 0, 1, 0, 1);
    const ranked = await balancer.balance(ids, { counts: nest(counts, 4), before: nest(before, 4) });
    expect(ranked.physicalIds).toEqual((await balancer.balance(ids, { counts, before })).physicalIds);
    balancer.destroy();

    const history = { loads: expertLoad, steps: 2, layers: 1, experts: 4 };
    const options = { gpus: 3, redundant: 2, budgetMs: 0 };
    const steps = { ...history, loads: [[expertLoad.slice(0, 4)], [Int32Array.from(expertLoad.slice(4))]] };
    expect((await optimizePlacement(steps, options)).placements).toEqual(
      (await optimizePlacement(history, options)).placements,
    );
  });

  test("are read at the call, and not written", async () => {
    const loads = { expertLoad: nest(expertLoad, 4) as number[][] };
    const solver = await createSolver(placement, cpu);
    const solving = solver.solve(loads);
    loads.expertLoad[1][0] = 1e6;
    expect((await solving).maxLoad).toEqual((await solver.solve({ expertLoad })).maxLoad);
    solver.destroy();
  });
});

test.each<[string, new (...args: never[]) => Error, object]>([
  [
    "expertLoad[1]: expected E = 4 values, got 3.",
    ShapeError,
    {
      expertLoad: [
        [1, 2, 3, 4],
        [1, 2, 3],
      ],
    },
  ],
  ["expertLoad[1]: expected a row of numbers as the first, got 5.", Error, { expertLoad: [[1, 2, 3, 4], 5] }],
  ["expertLoad[0][2]: expected a finite number >= 0, got NaN.", LoadError, { expertLoad: [[1, 2, Number.NaN, 4]] }],
  [
    "expertLoad[0][1]: expected a finite number >= 0, got Array of length 1.",
    LoadError,
    { expertLoad: [[1, [2], 3, 4]] },
  ],
  ["expertLoad[1]: expected a finite number >= 0, got Array of length 1.", LoadError, { expertLoad: [1, [2], 3, 4] }],
  ["expertLoad[0]: expected numbers rather than bigints", Error, { expertLoad: [new BigInt64Array(4)] }],
  [
    "baseLoad[0]: expected gpus = 3 values, got 4.",
    ShapeError,
    {
      baseLoad: [
        [1, 2, 3, 4],
        [1, 2, 3, 4],
      ],
    },
  ],
  ["baseLoad: expected B * gpus = 2 * 3 = 6 values, got 3.", ShapeError, { baseLoad: [[1, 2, 3]] }],
])("%s", async (message, kind, part) => {
  const problem = { ...flat, ...part } as ReplicaProblem;
  const error = await solveLoadBalanceLP(problem, cpu).catch((error: unknown) => error as Error);
  expect(error).toBeInstanceOf(kind);
  expect((error as Error).message).toContain(message);
});

test("certify names a ragged row, too", async () => {
  const solution = await solveLoadBalanceLP(flat, cpu);
  const messageOf = (part: object) => (errorOf(() => certify({ ...flat, ...part }, solution)) as Error).message;
  expect(
    messageOf({
      expertLoad: [
        [1, 2, 3, 4],
        [1, 2, 3],
      ],
    }),
  ).toBe("problem.expertLoad[1]: expected E = 4 values, got 3.");
  expect(messageOf({ baseLoad: [[1, 2, 3]] })).toBe("problem.baseLoad: expected B = 2 rows, got 1.");
  expect(
    messageOf({
      expertLoad: [
        [1, 2, 3, 4],
        [1, 2, Number.NaN, 4],
      ],
    }),
  ).toBe("problem.expertLoad[1][2]: expected a finite number, got NaN.");
});
