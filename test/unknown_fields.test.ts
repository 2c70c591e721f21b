/** A field that nobody reads is an error that names the nearest one, wherever objects are taken. */
import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  type BalancerBuffers,
  certify,
  createBalancer,
  createSolver,
  expertPrice,
  measureImbalance,
  optimizePlacement,
  Placement,
  placementsFromJSON,
  rebalanceExperts,
  replicateHeaviest,
  requestDevice,
  sharesFromJSON,
  solveLoadBalanceLP,
  topologies,
} from "../src/index.ts";

const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });
const problem = { placement, expertLoad: [3, 4, 5] };
const graph = { gpus: 2, edges: [[0, 1] as const] };
const edges = { ...graph, load: [9, 1], capacity: [4] };
const cpu = { backend: "cpu" } as const;
const webgpu = { backend: "webgpu" } as const;

const maps = { physical_to_logical_map: [[0, 1, 1, 2]] };
const history = { loads: [1, 2, 3], steps: 1, layers: 1, experts: 3 };
const ids = Int32Array.of(0, 1);
const solution = await solveLoadBalanceLP(problem, cpu);
const solver = await createSolver(placement, cpu);
const balancer = await createBalancer({ placement, topK: 1, maxTokens: 2, ...cpu });
const onGpu = await createSolver(placement, webgpu);
const balancerOnGpu = await createBalancer({ placement, topK: 1, maxTokens: 2, ...webgpu });
const encoder = balancerOnGpu.device!.createCommandEncoder();
const buffer = balancerOnGpu.device!.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE });

/** What is called with a misspelt field, the field, and the one that was meant. */
const calls: [field: string, meant: string, argument: string, (extra: object) => unknown][] = [
  ["bakend", "backend", "options", (extra) => solveLoadBalanceLP(problem, { ...cpu, ...extra })],
  ["token", "tokens", "options", (extra) => solveLoadBalanceLP(problem, { ...cpu, ...extra })],
  ["baseload", "baseLoad", "problem", (extra) => solveLoadBalanceLP({ ...problem, ...extra }, cpu)],
  ["capacities", "capacity", "problem", (extra) => solveLoadBalanceLP({ ...edges, ...extra }, cpu)],
  ["kernal", "kernel", "options", (extra) => createSolver(placement, { ...cpu, ...extra })],
  ["speeds", "speed", "graph", (extra) => createSolver({ ...graph, ...extra }, cpu)],
  ["base_load", "baseLoad", "loads", (extra) => solver.solve({ expertLoad: [1, 2, 3], ...extra })],
  ["levels", "level", "options", (extra) => solver.solve({ expertLoad: [1, 2, 3] }, extra)],
  [
    "qouta",
    "quota",
    "buffers",
    (extra) => onGpu.encode(encoder, { ...({} as BalancerBuffers), batch: 1, ...extra } as never),
  ],
  [
    "skipbelow",
    "skipBelow",
    "options",
    (extra) => createBalancer({ placement, topK: 1, maxTokens: 2, ...cpu, ...extra }),
  ],
  ["count", "counts", "rank", (extra) => balancer.balance(ids, { counts: [1, 1, 0], before: [0, 0, 0], ...extra })],
  [
    "quotas",
    "quota",
    "buffers",
    (extra) => balancerOnGpu.encode(encoder, { tokens: 2, topkIds: buffer, physicalIds: buffer, ...extra }),
  ],
  [
    "ofset",
    "offset",
    "topkIds",
    (extra) => balancerOnGpu.encode(encoder, { tokens: 2, topkIds: { buffer, ...extra }, physicalIds: buffer }),
  ],
  ["share", "shares", "input", (extra) => measureImbalance({ placement, counts: [1, 2, 3], ...extra }, cpu)],
  [
    "Backend",
    "backend",
    "options",
    (extra) => measureImbalance({ placement, counts: [1, 2, 3] }, { ...cpu, ...extra }),
  ],
  ["budget", "budgetMs", "options", (extra) => optimizePlacement(history, { gpus: 2, redundant: 1, ...extra })],
  [
    "slot",
    "slots",
    "unchangedWeights",
    (extra) =>
      optimizePlacement(history, {
        gpus: 2,
        redundant: 1,
        unchangedWeights: { placements: [placement], slots: 1, ...extra },
      }),
  ],
  ["group", "groups", "options", (extra) => rebalanceExperts([[1, 2, 3, 4]], { replicas: 4, gpus: 2, ...extra })],
  [
    "redundantPerRank",
    "redundantsPerRank",
    "shape",
    (extra) => replicateHeaviest([[1, 2, 3, 4]], topologies.ring(2), { epSize: 2, ...extra }),
  ],
  ["slotPerGpu", "slotsPerGpu", "shape", (extra) => Placement.fromPhysicalToLogical([0, 1, 2], { gpus: 3, ...extra })],
  [
    "epsize",
    "epSize",
    "shape",
    (extra) => Placement.fromRedundantToOriginal(topologies.ring(2), { logicalExperts: 2, epSize: 2, ...extra }),
  ],
  ["gpu", "gpus", "shape", (extra) => placementsFromJSON(maps, { gpus: 2, ...extra })],
  ["gpu", "gpus", "shape", (extra) => sharesFromJSON(maps, { gpus: 2, ...extra })],
  ["adaptor", "adapter", "options", (extra) => requestDevice(extra)],
  ["speedup", "speed", "problem", (extra) => certify({ ...problem, ...extra }, solution)],
  ["expertload", "expertLoad", "problem", (extra) => expertPrice({ ...problem, ...extra }, solution)],
];

describe("an unknown field", () => {
  test.each(calls)("%s: did you mean %s, in %s?", async (field, meant, argument, call) => {
    const error = await (async () => call({ [field]: 1 }))().then(
      () => "nothing thrown",
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error.message).toMatch(
      new RegExp(`^${argument}: expected only .*, got "${field}"\\. Did you mean ${meant}\\?$`),
    );
  });

  test("of a record that says how large a placement is may be anything that does not look misspelt", () => {
    const machine = { gpus: 2, name: "mine", experts: 3 };
    expect(Placement.fromPhysicalToLogical([0, 1, 1, 2], machine).gpus).toBe(2);
    expect(placementsFromJSON(maps, machine)).toHaveLength(1);
  });

  test("that is undefined counts as absent, and so does all that a class has of its own", async () => {
    await solveLoadBalanceLP(
      { ...problem, base: undefined } as typeof problem,
      { ...cpu, bakend: undefined } as typeof cpu,
    );
    class Options {
      backend = "cpu" as const;
      note = "mine";
    }
    expect((await solveLoadBalanceLP(problem, new Options())).maxLoad[0]).toBe(6);
  });
});

describe("a solver and a whole problem", () => {
  test("is made for an edge problem as for its graph, and solves the problem that it was made for", async () => {
    const edgeSolver = await createSolver(edges, cpu);
    expect((await edgeSolver.solve(edges)).maxLoad[0]).toBe(5);
    expect((await solver.solve(problem)).maxLoad[0]).toBe(6);
    expect((await solver.solve({ ...problem, speed: [1, 1] } as typeof problem)).maxLoad[0]).toBe(6);
  });

  test("refuses another placement, graph or speed rather than pass it over", async () => {
    const other = Placement.fromPhysicalToLogical([0, 1, 2, 2], { gpus: 2 });
    const edgeSolver = await createSolver(edges, cpu);
    const turned = { ...edges, edges: [[1, 0]] };
    const message = (call: Promise<unknown>) =>
      call.then(
        () => "solved",
        (error) => error.message,
      );
    const asked = "or the placement that the solver was made for, got";
    expect(await message(solver.solve({ ...problem, placement: other } as typeof problem))).toContain(asked);
    expect(await message(edgeSolver.solve(turned))).toMatch(/^loads\.edges: expected/);
    expect(await message(solver.solve({ ...problem, speed: [1, 2] } as typeof problem))).toMatch(
      /^loads\.speed: expected/,
    );
  });

  test("speeds in two places must be the same", async () => {
    const twice = (speed: number[]) => solveLoadBalanceLP({ ...problem, speed: [2, 1] }, { ...cpu, speed });
    expect((await twice([2, 1])).maxLoad[0]).toBe(5);
    await expect(twice([1, 2])).rejects.toThrow(/^options\.speed: expected none, or the same speeds/);
    await expect(createSolver({ ...graph, speed: [2, 1] }, { ...cpu, speed: [1, 1] })).rejects.toThrow(
      /^options\.speed/,
    );
  });
});
