/** Problems that are refused by name, before a device is asked for anything. */
import { beforeAll, describe, expect, test } from "vitest";
import {
  ArgumentError,
  createSolver,
  type EdgeSolution,
  LoadError,
  PlacementError,
  type ReplicaSolution,
  requestDevice,
  ShapeError,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { backends } from "../../src/lp/solver_options.ts";
import {
  type Bad,
  badArrays,
  badElements,
  expectError,
  missing,
  negative,
  noArrays,
  noNumbers,
  type Shown,
} from "../helpers/bad_input.ts";
import { countCalls } from "../helpers/gpu_calls.ts";
import { edgeForm, pairs, placement, replicaForm } from "./small_problems.ts";

const tooMuch = (argument: string, most: string, lp: number, total: string) =>
  `${argument}: expected a total of at most ${most} in LP ${lp}, base loads included by magnitude, got ${total}.`;
const inUnits = ` Solve in larger units, or with tokens: "fractional".`;

const badReplicaLoads: Bad[] = [
  ...badArrays("expertLoad", [missing, ...noArrays]),
  ...badArrays("baseLoad"),
  ...badElements("expertLoad", 6, "a finite number >= 0", LoadError, [...noNumbers, ...negative]),
  ...badElements("baseLoad", 3, "a finite number", LoadError, noNumbers),
  ["expertLoad: expected B * E values with E = 3 and B >= 1, got 0.", ShapeError, { expertLoad: [] }],
  ["expertLoad: expected B * E values with E = 3 and B >= 1, got 4.", ShapeError, { expertLoad: [1, 2, 3, 4] }],
  ["baseLoad: expected B * gpus = 1 * 3 = 3 values, got 2.", ShapeError, { baseLoad: Float32Array.of(1, 2) }],
  ["baseLoad: expected B * gpus = 2 * 3 = 6 values, got 3.", ShapeError, { expertLoad: new Int32Array(6) }],
  [tooMuch("expertLoad", "2147483647", 0, "2147483648") + inUnits, LoadError, { expertLoad: [2 ** 31 - 10, 0, 0] }],
  [
    tooMuch("expertLoad", "2147483647", 1, "2147483648") + inUnits,
    LoadError,
    { expertLoad: [1, 2, 3, 2 ** 30, 0, 0], baseLoad: [0, 0, 0, 0, -(2 ** 30), 0] },
  ],
  [tooMuch("expertLoad", "1e+270", 0, "1e+300"), LoadError, { expertLoad: [1e300, 0.5, 0] }],
  [tooMuch("expertLoad", "1e+270", 0, "Infinity"), LoadError, { expertLoad: [1.5e308, 1.5e308, 0.5] }],
];

const badEdgeLoads: Bad[] = [
  ...badArrays("load", [missing, ...noArrays]),
  ...badArrays("capacity", [missing, ...noArrays]),
  ...badElements("load", 3, "a finite number >= 0", LoadError, [...noNumbers, ...negative]),
  ...badElements("capacity", 2, "a finite number >= 0", LoadError, [...noNumbers, ...negative]),
  ["load: expected B * gpus values with gpus = 3 and B >= 1, got 0.", ShapeError, { load: [] }],
  ["load: expected B * gpus values with gpus = 3 and B >= 1, got 4.", ShapeError, { load: [1, 2, 3, 4] }],
  ["capacity: expected B * edges = 1 * 2 = 2 values, got 0.", ShapeError, { capacity: [] }],
  ["capacity: expected B * edges = 2 * 2 = 4 values, got 2.", ShapeError, { load: new Float64Array(6) }],
  [
    tooMuch("load and capacity", "2147483647", 0, "2147483648") + inUnits,
    LoadError,
    { load: [2 ** 31, 0, 0], capacity: [0, 0] },
  ],
  [
    tooMuch("load and capacity", "2147483647", 0, "2147483648") + inUnits,
    LoadError,
    { load: [0, 0, 0], capacity: [2 ** 30, 0] }, // and so a base load of -2^30
  ],
  [tooMuch("load and capacity", "1e+270", 0, "1e+300"), LoadError, { load: [1e300, 0.5, 0], capacity: [0, 0] }],
];

const speeds = "a number > 0, within 1e-30 to 1e+30";
const badSpeeds: Bad[] = [
  ...badArrays("speed"),
  ...badElements("speed", 3, speeds, ArgumentError, [...noNumbers, ...negative, ["0", 0], ["1e-31", 1e-31]]),
  [`speed[0]: expected ${speeds}, got 1e+31.`, ArgumentError, { speed: [1e31, 1, 1] }],
  ["speed: expected gpus = 3 values, got 2.", ShapeError, { speed: [1, 1] }],
  ["speed: expected gpus = 3 values, got 0.", ShapeError, { speed: [] }],
];

const noPair = "edges[1]: expected a pair [from, to]";
const badGraphs: Bad[] = [
  ...[...noNumbers, ["0", 0], ["-3", -3], ["1.5", 1.5], ["65537", 65537]].map(([shown, gpus]): Bad => {
    return [`gpus: expected an integer from 1 to 65536, got ${shown}.`, ArgumentError, { gpus }];
  }),
  ...[missing, ...noArrays].map(([shown, edges]): Bad => {
    return [`edges: expected an array of [from, to] pairs, got ${shown}.`, PlacementError, { edges }];
  }),
  ["edges[1]: expected GPUs in 0..2, got 3.", PlacementError, { edges: pairs([0, 1], [2, 3]) }],
  ["edges[0]: expected GPUs in 0..2, got -1.", PlacementError, { edges: pairs([-1, 0], [1, 2]) }],
  ["edges[1]: expected GPUs in 0..2, got 0.5.", PlacementError, { edges: pairs([0, 1], [0.5, 1]) }],
  ["edges[0]: expected GPUs in 0..2, got NaN.", PlacementError, { edges: pairs([0, Number.NaN]) }],
  ['edges[0]: expected GPUs in 0..2, got "1".', PlacementError, { edges: [[0, "1"]] }],
  ["edges[0]: expected GPUs in 0..2, got 1n.", PlacementError, { edges: [[0, 1n]] }],
  ["edges[1]: expected two different GPUs, got 2.", PlacementError, { edges: pairs([0, 1], [2, 2]) }],
  [`${noPair}, got Array of length 1.`, PlacementError, { edges: [[0, 1], [2]] }],
  [
    `${noPair}, got Array of length 3.`,
    PlacementError,
    {
      edges: [
        [0, 1],
        [0, 1, 2],
      ],
    },
  ],
  [`${noPair}, got undefined.`, PlacementError, { edges: [[0, 1], undefined] }],
  [`${noPair}, got null.`, PlacementError, { edges: [[0, 1], null] }],
  [`${noPair}, got "12".`, PlacementError, { edges: [[0, 1], "12"] }],
  [`${noPair}, got an object of Object.`, PlacementError, { edges: [[0, 1], { length: 2 }] }],
  [`${noPair}, got Int32Array of length 2.`, PlacementError, { edges: [[0, 1], Int32Array.of(1, 2)] }],
];

const forms = "a Placement, or a graph { gpus, edges }";
const badPlacements: Bad[] = [
  [`placement: expected ${forms}, got undefined.`, PlacementError, { placement: undefined }],
  [`placement: expected ${forms}, got null.`, PlacementError, { placement: null }],
  [`placement: expected ${forms}, got Array of length 3.`, PlacementError, { placement: [0, 1, 2] }],
  [`placement: expected ${forms}, got an object of Object.`, PlacementError, { placement: { gpus: 3 } }],
];

const badSolverOptions: Bad[] = [
  ['backend: expected "auto", "webgpu" or "cpu", got "gpu".', ArgumentError, { backend: "gpu" }],
  ['backend: expected "auto", "webgpu" or "cpu", got null.', ArgumentError, { backend: null }],
  ['adapter: expected one of auto, hardware, software, got "gpu".', ArgumentError, { adapter: "gpu" }],
  ["adapter: expected one of auto, hardware, software, got null.", ArgumentError, { adapter: null }],
  ["device: expected a GPUDevice, got an object of Object.", ArgumentError, { device: {} }],
  ["device: expected a GPUDevice, got null.", ArgumentError, { device: null }],
];
const badSolveOptions: Bad[] = [
  ['tokens: expected "integer" or "fractional", got "whole".', ArgumentError, { tokens: "whole" }],
  ['tokens: expected "integer" or "fractional", got null.', ArgumentError, { tokens: null }],
  ["signal: expected an AbortSignal, got an object of Object.", ArgumentError, { signal: {} }],
  [
    "signal: expected an AbortSignal, got an object of AbortController.",
    ArgumentError,
    { signal: new AbortController() },
  ],
];

// Bad input has no type: the functions as JavaScript calls them.
type Untyped<Result> = (first: unknown, options?: unknown) => Promise<Result>;
const solve = solveLoadBalanceLP as Untyped<ReplicaSolution | EdgeSolution>;
const create = createSolver as Untyped<{ solve: typeof solve; destroy(): void }>;

let device: GPUDevice;
let asked: ReturnType<typeof countCalls>;
beforeAll(async () => {
  device = (await requestDevice()).device;
  asked = countCalls(device);
});

/** What a promise rejects with; while it does, nothing is asked of the device. */
async function errorOf(run: () => Promise<unknown>): Promise<unknown> {
  asked();
  const error = await run().then(
    () => "solved",
    (reason) => reason,
  );
  expect(asked()).toEqual({});
  return error;
}

describe.each(backends)("on backend %s, before any GPU work", (backend) => {
  test.each([...badReplicaLoads, ...badSpeeds, ...badPlacements])("%s", async (message, kind, part) => {
    expectError(await errorOf(() => solve({ ...replicaForm, ...part }, { backend, device })), message, kind);
  });

  test.each([...badEdgeLoads, ...badSpeeds, ...badGraphs])("%s", async (message, kind, part) => {
    expectError(await errorOf(() => solve({ ...edgeForm, ...part }, { backend, device })), message, kind);
  });

  test.each([...badSolverOptions, ...badSolveOptions])("%s", async (message, kind, part) => {
    expectError(await errorOf(() => solve(replicaForm, { backend, device, ...part })), message, kind);
  });

  test("a fraction where whole tokens were asked for", async () => {
    for (const [argument, problem] of Object.entries({
      "expertLoad[1]": { ...replicaForm, expertLoad: [1, 2.5, 3] },
      "baseLoad[2]": { ...replicaForm, baseLoad: [1, 2, 2.5] },
      "load[0]": { ...edgeForm, load: [2.5, 2, 3] },
      "capacity[1]": { ...edgeForm, capacity: [1, 2.5] },
    })) {
      const error = await errorOf(() => solve(problem, { backend, device, tokens: "integer" }));
      expectError(error, `${argument}: expected an integer, because tokens is "integer", got 2.5.`, LoadError);
    }
  });

  test("createSolver checks what a solver keeps", async () => {
    for (const [message, kind, part] of badGraphs) {
      expectError(await errorOf(() => create({ ...edgeForm, ...part }, { backend, device })), message, kind);
    }
    for (const [message, kind, { placement }] of badPlacements) {
      expectError(await errorOf(() => create(placement, { backend, device })), message, kind);
    }
    for (const [message, kind, part] of [...badSpeeds, ...badSolverOptions]) {
      expectError(await errorOf(() => create(placement, { backend, device, ...part })), message, kind);
      expectError(await errorOf(() => create(edgeForm, { backend, device, ...part })), message, kind);
    }
  });

  test.each([
    { form: "replica", topology: placement, good: replicaForm, bad: badReplicaLoads, first: "expertLoad" },
    { form: "edge", topology: edgeForm, good: edgeForm, bad: badEdgeLoads, first: "load" },
  ])("a solver of the $form form goes on as if no bad call had been", async ({ topology, good, bad, first }) => {
    const solver = await create(topology, { backend, device });
    const before = await solver.solve(good);
    for (const [message, kind, part] of bad) {
      expectError(await errorOf(() => solver.solve({ ...good, ...part })), message, kind);
    }
    for (const [message, kind, part] of badSolveOptions) {
      expectError(await errorOf(() => solver.solve(good, part)), message, kind);
    }
    const noLoads = "loads: expected an object, got undefined.";
    expectError(await errorOf(() => solver.solve(undefined)), noLoads, ArgumentError);
    const otherForm = `${first}: expected an array or TypedArray of numbers, got undefined.`;
    expectError(await errorOf(() => solver.solve({})), otherForm, ArgumentError);
    expect(await solver.solve(good)).toEqual(before);
    solver.destroy();
  });
});

test.each<Shown>([
  ["null", null],
  ["3", 3],
  ['"cpu"', "cpu"],
  ["a function", () => replicaForm],
])("%s is no problem, and no options", async (shown, value) => {
  expectError(await errorOf(() => solve(value)), `problem: expected an object, got ${shown}.`, ArgumentError);
  const message = `options: expected an object, got ${shown}.`;
  expectError(await errorOf(() => solve(replicaForm, value)), message, ArgumentError);
  expectError(await errorOf(() => create(placement, value)), message, ArgumentError);
  const solver = await createSolver(placement, { backend: "cpu" });
  expectError(
    await errorOf(() => (solver as { solve: typeof solve }).solve(replicaForm, value)),
    message,
    ArgumentError,
  );
});

test("bad input comes to light before a device is looked for", async () => {
  const error = await errorOf(() =>
    solve({ placement, expertLoad: [1, -2, 3] }, { backend: "webgpu", adapter: "hardware" }),
  );
  expectError(error, "expertLoad[1]: expected a finite number >= 0, got -2.", LoadError);
});
