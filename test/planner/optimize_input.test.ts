import { expect, test } from "vitest";
import {
  ArgumentError,
  LoadError,
  type LoadHistory,
  type OptimizeOptions,
  optimizePlacement,
  Placement,
  PlacementError,
  ShapeError,
} from "../../src/index.ts";
import { type Bad, expectError, missing, noNumbers } from "../helpers/bad_input.ts";

const history = { loads: [1, 2, 3, 4, 5, 6, 7, 8], steps: 2, layers: 1, experts: 4 };
const options = { gpus: 2, redundant: 2, backend: "cpu" };

async function errorOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  return "nothing thrown";
}

const count = "an integer >= 1";
const counts = [["0", 0], ["1.5", 1.5], missing, ...noNumbers] as const;
const badHistories: Bad[] = [
  ...(["steps", "layers", "experts"] as const).flatMap((name) =>
    counts.map(
      ([shown, value]): Bad => [`history.${name}: expected ${count}, got ${shown}.`, ArgumentError, { [name]: value }],
    ),
  ),
  [
    "history.loads: expected steps * layers * experts = 2 * 1 * 4 = 8 values, got 7.",
    ShapeError,
    { loads: [1, 2, 3, 4, 5, 6, 7] },
  ],
  ["history.loads: expected an array or TypedArray of numbers, got null.", ArgumentError, { loads: null }],
  ...(
    [
      ["NaN", NaN],
      ["-1", -1],
      ["Infinity", Infinity],
      ["5n", 5n],
      ["undefined", undefined],
    ] as const
  ).map(
    ([shown, value]): Bad => [
      `history.loads[2]: expected a finite number >= 0, below 2^100, got ${shown}.`,
      LoadError,
      { loads: [1, 2, value, 4, 5, 6, 7, 8] },
    ],
  ),
];
test.each(badHistories)("%s", async (message, kind, part) => {
  const run = () => optimizePlacement({ ...history, ...part } as LoadHistory, options as OptimizeOptions);
  expectError(await errorOf(run), message, kind);
});

const inForce = Placement.fromPhysicalToLogical([0, 1, 2, 3, 0, 1], { gpus: 2 });
const twice = Placement.fromPhysicalToLogical([0, 0, 1, 2, 3, 1], { gpus: 2 });
const small = Placement.fromPhysicalToLogical([0, 1, 2, 3], { gpus: 2 });
const force = (placements: unknown, slots: unknown = 1) => ({ unchangedWeights: { placements, slots } });
const badOptions: Bad[] = [
  ...counts.map(([shown, value]): Bad => [`gpus: expected ${count}, got ${shown}.`, ArgumentError, { gpus: value }]),
  ...([["-1", -1], ["0.5", 0.5], missing] as const).map(([shown, value]): Bad => {
    return [`redundant: expected an integer >= 0, got ${shown}.`, ArgumentError, { redundant: value }];
  }),
  [
    "redundant: expected E + redundant = 4 + 1 to be a multiple of gpus = 2, got 1. Or give slotsPerGpu: 3, of which some stay unused.",
    ShapeError,
    { redundant: 1 },
  ],
  ["redundant: expected at most 4, every expert on every GPU of its node, got 6.", ShapeError, { redundant: 6 }],
  ["gpus: expected a multiple of nodes = 2, got 3.", ShapeError, { gpus: 3, nodes: 2 }],
  ["nodes: expected a divisor of E = 4, got 3.", ShapeError, { gpus: 6, nodes: 3 }],
  ["slotsPerGpu: expected a number, or gpus = 2 numbers, got 3.", ShapeError, { slotsPerGpu: [3, 3, 3] }],
  ["slotsPerGpu: expected at least (E + redundant) / nodes = 6 slots, got 4.", ShapeError, { slotsPerGpu: 2 }],
  ["slotsPerGpu[1]: expected an integer >= 1, got 0.", ArgumentError, { slotsPerGpu: [6, 0] }],
  [`objective: expected "mean", "p95" or "cvar", got "max".`, ArgumentError, { objective: "max" }],
  ["budgetMs: expected a number >= 0, got NaN.", ArgumentError, { budgetMs: NaN }],
  ["seed: expected an integer, got 0.5.", ArgumentError, { seed: 0.5 }],
  ["signal: expected an AbortSignal, got an object of Object.", ArgumentError, { signal: {} }],
  ["onProgress: expected a function, got true.", ArgumentError, { onProgress: true }],
  [`backend: expected "auto", "webgpu" or "cpu", got "gpu".`, ArgumentError, { backend: "gpu" }],
  ["sharedTopology: expected true, false or an r2o, got 3.", ArgumentError, { sharedTopology: 3 }],
  ["unchangedWeights: expected an object, got 3.", ArgumentError, { unchangedWeights: 3 }],
  ["unchangedWeights.slots: expected an integer >= 0, got -1.", ArgumentError, force([inForce], -1)],
  [
    "unchangedWeights.placements: expected an array with a Placement per layer, got undefined.",
    ArgumentError,
    force(undefined),
  ],
  ["unchangedWeights.placements: expected 1, one per layer, got 2.", ShapeError, force([inForce, inForce])],
  ["unchangedWeights.placements[0].physicalExperts: expected E + redundant = 6, got 4.", ShapeError, force([small])],
  [
    "unchangedWeights.slots: expected at least 1, as many as experts that sit twice on a GPU, got 0.",
    PlacementError,
    force([twice], 0),
  ],
];
test.each(badOptions)("%s", async (message, kind, part) => {
  const run = () => optimizePlacement(history, { ...options, ...part } as OptimizeOptions);
  expectError(await errorOf(run), message, kind);
});

test.each(["speed", "no options"])("%s", async (what) => {
  const bad = what === "speed" ? { ...options, speed: [1, 0] } : undefined;
  await expect(optimizePlacement(history, bad as OptimizeOptions)).rejects.toThrow(ArgumentError);
});
