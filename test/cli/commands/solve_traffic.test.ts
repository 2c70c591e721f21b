/** `solve` and `certify` where the problem tells whose tokens are whose. */
import { writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { Placement, solveLoadBalanceLP } from "../../../src/index.ts";
import { evenkeel, type Run, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { expectRefused } from "../refused.ts";

/** Two nodes of two GPUs, two copies of each of the first four experts, one on either node: the example of the API. */
const placement = { gpus: 4, physicalToLogical: [0, 1, 4, 2, 3, 5, 2, 3, 6, 0, 1, 7] };
const sourceLoad = [
  [
    [30, 10, 5, 5, 9, 1, 1, 1],
    [5, 10, 30, 5, 1, 9, 1, 1],
    [5, 20, 5, 10, 1, 1, 9, 1],
    [10, 5, 10, 20, 1, 1, 1, 9],
  ],
  [
    [3, 1, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 2, 0],
    [0, 0, 0, 0, 0, 0, 0, 0],
    [9, 9, 9, 9, 0, 0, 0, 0],
  ],
];
const problem = { placement, sourceLoad, nodes: 2 };

interface Answer {
  maxLoad: number[];
  quota: number[][];
  sourceQuota: number[][][];
  traffic: number[];
  trafficBound: number[];
  loadLimit: number[];
  potential: { gpu: number[]; source: number[][] }[];
  status: string[];
}

const { path, file } = ownFiles();
const problemFile = file(problem, ".json");
const run = (args: string[], input?: object): Promise<Run> =>
  evenkeel(args, withoutSoftware, input && JSON.stringify(input));

async function solved(given: object, ...args: string[]): Promise<Answer> {
  const { code, stdout, stderr } = await run(["solve", "-", "--backend", "cpu", "--json", ...args], given);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

let answer: Answer;
beforeAll(async () => {
  answer = await solved(problem);
});

test("the library's answer in rows, a line per LP; valid once it is read again", async () => {
  const placed = Placement.fromPhysicalToLogical(placement.physicalToLogical, { gpus: 4 });
  const expected = await solveLoadBalanceLP({ ...problem, placement: placed }, { backend: "cpu" });
  expect(answer.sourceQuota.flat(2)).toEqual([...expected.sourceQuota!]);
  expect(answer.potential.flatMap(({ gpu }) => gpu)).toEqual([...expected.potential!.gpu]);
  expect(answer.potential.flatMap(({ source }) => source.flat())).toEqual([...expected.potential!.source]);
  for (const name of ["traffic", "trafficBound", "loadLimit"] as const)
    expect(answer[name]).toEqual([...expected[name]!]);
  expect(answer.sourceQuota.map((rows) => rows.map((row) => row.length))).toEqual([
    [12, 12, 12, 12],
    [12, 12, 12, 12],
  ]);
  const certified = await run(["certify", problemFile, "-", "--json"], answer);
  expect(certified).toMatchObject({ code: 0, stderr: "" });
  const claims = { trafficTrue: true, trafficBoundValid: true, valid: true };
  expect(JSON.parse(certified.stdout)).toMatchObject({ optimal: 2, certificates: [claims, claims] });
  const { stdout } = await run(["certify", problemFile, "-"], answer);
  expect(stdout).toMatch(
    /^LP +conserved .+ bound valid +traffic true +traffic bound valid +gap +verdict\n0( +yes){6} +0 +optimal$/m,
  );
});

test("distances instead of nodes, in rows or flat, and loads of the experts besides: the same", async () => {
  const far = (s: number, g: number) => (s === g ? 0 : s >> 1 === g >> 1 ? 1 : 9);
  const distance = [0, 1, 2, 3].map((s) => [0, 1, 2, 3].map((g) => far(s, g)));
  const expertLoad = sourceLoad.map((lp) => lp[0].map((_, e) => lp.reduce((sum, row) => sum + row[e], 0)));
  const { sourceQuota, traffic } = answer;
  for (const given of [
    { placement, sourceLoad, distance },
    { placement, sourceLoad: sourceLoad.flat(2), distance: distance.flat(), expertLoad },
  ]) {
    expect(await solved(given)).toMatchObject({ sourceQuota, traffic });
  }
});

/** Shares of the assignments of one LP, by hand from what was answered. */
function sharesOf(sourceQuota: number[][]): string[] {
  const at = [0, 0, 0];
  for (const [s, row] of sourceQuota.entries()) {
    for (const [p, tokens] of row.entries()) {
      const g = Math.floor(p / 3);
      at[s === g ? 0 : s >> 1 === g >> 1 ? 1 : 2] += tokens;
    }
  }
  const total = at.reduce((a, b) => a + b);
  return at.map((tokens) => `${((100 * tokens) / total).toFixed(1)} %`);
}

test("a table for people: traffic, its bound, and where the assignments go", async () => {
  const { sourceQuota, traffic, maxLoad } = answer;
  const { stdout } = await run(["solve", problemFile, "--backend", "cpu"]);
  const [head, ...rows] = stdout.split("\n").map((line) => line.split(/ {2,}/));
  expect(head).toEqual([
    ...["LP", "max load", "lower bound", "traffic", "traffic bound", "own GPU", "own node", "other nodes"],
    ...["status", "bottleneck GPUs"],
  ]);
  for (const lp of [0, 1]) {
    const figures = [lp, maxLoad[lp], maxLoad[lp], traffic[lp], traffic[lp]].map(String);
    expect(rows[lp].slice(0, -1)).toEqual([...figures, ...sharesOf(sourceQuota[lp]), "optimal"]);
  }
  expect(stdout).toContain("Traffic is the sum of distance x assignments; no split of as much load has less");
});

test("--slack buys traffic with load, and is certified as well", async () => {
  const some = await solved(problem, "--slack", "0.1");
  expect(some.traffic[0]).toBeLessThan(answer.traffic[0]);
  expect(some.loadLimit[0]).toBeCloseTo(1.1 * answer.maxLoad[0], 9);
  expect(some.maxLoad[0]).toBeGreaterThan(answer.maxLoad[0]);
  expect(some.maxLoad[0]).toBeLessThanOrEqual(some.loadLimit[0]);
  const { code, stdout } = await run(["certify", problemFile, "-", "--json"], some);
  expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, invalid: 0 });
  const words = (await run(["solve", problemFile, "--slack", "0.1"])).stdout.replaceAll("\n", " ");
  expect(words).toContain(
    "no split of load up to 1.1 times the least has less than the bound. The status speaks of the load",
  );
});

describe("a spoiled solution is rejected", () => {
  /** Exchanges a token of two sources between two slots of an expert, which leaves the quotas as they are. */
  const exchanged = ({ sourceQuota, ...rest }: Answer): Answer => {
    const rows = structuredClone(sourceQuota);
    const [own] = rows;
    for (const [a, b] of [
      [0, 9],
      [1, 10],
      [3, 6],
      [4, 7],
    ]) {
      const s = own.findIndex((row) => row[a] > 0);
      const t = own.findIndex((row, i) => i !== s && row[b] > 0);
      if (s < 0 || t < 0) continue;
      own[s][a]--;
      own[s][b]++;
      own[t][b]--;
      own[t][a]++;
      return { ...rest, sourceQuota: rows };
    }
    throw new Error("there is nothing to exchange");
  };
  test.each<[string, (answer: Answer) => Answer, RegExp]>([
    [
      "less traffic than there is",
      (a) => ({ ...a, traffic: [a.traffic[0] - 1, a.traffic[1]] }),
      /^0( +yes){4} +NO +yes /m,
    ],
    ["whose tokens go where", exchanged, /^0( +yes){4} +NO +(yes|NO) /m],
    [
      "a bound above what is proven",
      (a) => ({ ...a, trafficBound: a.traffic.map((t) => t + 1) }),
      /^0( +yes){5} +NO /m,
    ],
    [
      "no prices of GPUs",
      (a) => ({ ...a, potential: a.potential.map((p) => ({ ...p, gpu: [0, 0, 0, 0] })) }),
      /^0( +yes){5} +NO /m,
    ],
    [
      "a limit that it does not keep",
      (a) => ({ ...a, loadLimit: a.loadLimit.map((t) => t - 1) }),
      /^0( +yes){5} +NO /m,
    ],
  ])("%s", async (_, spoil, row) => {
    const { code, stdout } = await run(["certify", problemFile, "-"], spoil(answer));
    expect(stdout).toMatch(row);
    expect(code).toBe(1);
    expect(stdout).toMatch(/Where all six hold and it is\s+invalid still/);
  });
});

describe("what is none has exit code 2 and one line", () => {
  const without = (name: string) => file(Object.fromEntries(Object.entries(problem).filter(([key]) => key !== name)));

  test.each<[string, (answer: Answer) => object, string]>([
    [
      "without whose tokens go where",
      ({ sourceQuota: _, ...rest }) => rest,
      "sourceQuota: expected an array of values",
    ],
    [
      "of fewer sources",
      (a) => ({ ...a, sourceQuota: a.sourceQuota.map((rows) => rows.slice(1)) }),
      "sourceQuota[0]: expected 4 rows as there are sources, got 3.",
    ],
    [
      "of flat rows",
      (a) => ({ ...a, sourceQuota: a.sourceQuota.flat(2) }),
      "sourceQuota[0]: expected a row per source, got ",
    ],
    [
      "with short rows",
      (a) => ({ ...a, sourceQuota: a.sourceQuota.map((rows) => rows.map((row) => row.slice(1))) }),
      "sourceQuota[0][0]: expected 12 values as in the problem, got 11.",
    ],
    ["without potentials", (a) => ({ ...a, potential: [1, 2] }), "potential[0]: expected { gpu, source }, got 1."],
    [
      "with potentials in words",
      (a) => ({ ...a, potential: a.potential.map((p) => ({ ...p, gpu: ["0", 0, 0, 0] })) }),
      'potential[0].gpu[0]: expected a number, got "0".',
    ],
    [
      "without traffic",
      ({ traffic: _, ...rest }) => rest,
      "traffic: expected traffic, since the problem has a sourceLoad",
    ],
  ])("a solution %s", async (_, spoil, message) => {
    const { code, stdout, stderr } = await run(["certify", problemFile, "-"], spoil(answer));
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^evenkeel: standard input: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });

  test.each([
    ["no distances", ["solve", without("nodes")], "sourceLoad: expected none without distances"],
    [
      "no loads",
      ["solve", without("sourceLoad")],
      'expected { placement, expertLoad } or { gpus, edges, load, capacity }, got "no expertLoad".',
    ],
    [
      "no nodes that could be",
      ["solve", file({ ...problem, nodes: 3 })],
      "nodes: expected an integer >= 1 that divides gpus = 4, got 3.",
    ],
    [
      "a matrix that is ragged",
      ["solve", file({ placement, sourceLoad, distance: [[0, 1, 2, 3], [1]] })],
      "distance[1]: expected gpus = 4 values, got 1.",
    ],
    [
      "loads that do not add up",
      ["solve", file({ ...problem, expertLoad: sourceLoad.map(([row]) => row) })],
      "expertLoad[0]: expected what the sources have, 50 in all, got 30.",
    ],
    [
      "slack without sources",
      ["solve", file({ placement, expertLoad: sourceLoad[0][0] }), "--slack", "0.1"],
      "--slack: expected 0 without sourceLoad, got 0.1.",
    ],
    ["slack below 0", ["solve", problemFile, "--slack", "-1"], "Expected a number from 0 on."],
  ])("%s", expectRefused);

  test("a solution of a problem that does not tell the sources", async () => {
    const solution = path(".json");
    writeFileSync(solution, JSON.stringify(answer));
    const other = file({ placement, expertLoad: [sourceLoad[0][0], sourceLoad[1][0]] });
    await expectRefused(
      "",
      ["certify", other, solution],
      "problem.sourceLoad: expected what the solution's traffic is of",
    );
  });
});
