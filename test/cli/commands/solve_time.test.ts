/** Time instead of tokens in `solve` and `certify`: --cost, or a cost in the problem's file. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { timeOn } from "../../helpers/curves.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { expectRefused } from "../refused.ts";

const { file, path } = ownFiles();

const gpus = 3;
const map = [0, 1, 0, 2, 1, 3];
const random = seeded(1);
const problem = {
  placement: { gpus, physicalToLogical: map },
  expertLoad: [
    [60, 200, 20, 10],
    [0, 0, 0, 7],
    ...Array.from({ length: 30 }, () => map.slice(2).map(() => random.below(90))),
  ],
  baseLoad: Array.from({ length: 32 }, (_, lp) => [lp, 0.5, 0]),
  speed: [1, 2, 1],
};
const roofline = { model: "roofline", perExpert: 16, perToken: 0.5 };
/** Four experts of a layer, a token has two. */
const csv = "tokens,activated_experts,time_us\n2,4,40\n32,4,44\n128,4,130\n400,4,404\n";
const curve = { tokens: [1, 16, 64, 200], time: [10, 11, 32.5, 101] };

type Solution = Record<"time" | "quota", number[][]> & Record<"maxTime" | "timeBound" | "timeGap", number[]>;

async function run(args: string[], input?: object) {
  const { code, stdout, stderr } = await evenkeel(args, withoutSoftware, input && JSON.stringify(input));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}
const solve = async (given: object, args: string[] = []) =>
  JSON.parse(await run(["solve", "-", "--json", ...args], given)) as Solution;

/** c(x) by its definition. */
const costs: [string, object | string, (x: number) => number][] = [
  ["a roofline", roofline, (x) => (x > 0 ? Math.max(16, 0.5 * x) : 0)],
  ["tiles", { ...roofline, perExpert: 0, tile: 16 }, (x) => 8 * Math.ceil(x / 16)],
  ["a curve", curve, (x) => timeOn(curve, x)],
  ["a table", csv, (x) => timeOn(curve, x)],
];

describe.each(costs)("%s", (_, cost, c) => {
  const costFile = file(cost);
  const args = ["--cost", costFile, ...(cost === csv ? ["--cost-top-k", "2"] : [])];

  test("times are those of the quotas, slot by slot, and certify accepts them", async () => {
    const solution = await solve(problem, args);
    for (const [lp, quota] of solution.quota.entries()) {
      const served = problem.expertLoad[lp].map((_, e) => quota.reduce((sum, x, p) => sum + (map[p] === e ? x : 0), 0));
      expect(served).toEqual(problem.expertLoad[lp]);
      const time = problem.baseLoad[lp].slice();
      for (const [p, x] of quota.entries()) time[Math.floor(p / 2)] += c(x);
      for (let g = 0; g < gpus; g++) expect(solution.time[lp][g]).toBeCloseTo(time[g] / problem.speed[g], 9);
      expect(solution.maxTime[lp]).toBe(Math.max(...solution.time[lp]));
      expect(solution.timeBound[lp]).toBeLessThanOrEqual(soonest(lp, c) + 1e-9);
      expect(solution.maxTime[lp]).toBeGreaterThanOrEqual(soonest(lp, c) - 1e-9);
    }
    const problemFile = file(problem);
    const certified = JSON.parse(await run(["certify", problemFile, "-", "--json", ...args], solution));
    expect(certified).toMatchObject({ batch: 32, invalid: 0 });
    const proven = {
      conserved: true,
      withinCapacity: true,
      loadsTrue: true,
      boundValid: true,
      timeTrue: true,
      timeBoundValid: true,
    };
    for (const [lp, certificate] of certified.certificates.entries()) {
      expect(certificate).toMatchObject({ ...proven, verdict: solution.timeGap[lp] <= 1e-9 ? "optimal" : "gap" });
    }
    const late = solution.time.map((row) => row.map((time) => time + 1e-6));
    const spoilt = await evenkeel(
      ["certify", problemFile, "-", ...args],
      withoutSoftware,
      JSON.stringify({ ...solution, time: late }),
    );
    expect(spoilt).toMatchObject({ code: 1, stderr: "" });
    expect(spoilt.stdout).toMatch(/time bound valid +time gap +verdict\n0( +yes){4} +NO +yes +- +invalid\n/);
  });
});

/** The least time of a batch, by trying all splits of the two experts that have a choice. */
function soonest(lp: number, c: (x: number) => number): number {
  const [w0, w1, w2, w3] = problem.expertLoad[lp];
  const [b0, b1, b2] = problem.baseLoad[lp];
  let least = Infinity;
  for (let x = 0; x <= w0; x++) {
    for (let y = 0; y <= w1; y++) {
      const times = [b0 + c(x) + c(y), (b1 + c(w0 - x) + c(w2)) / 2, b2 + c(w1 - y) + c(w3)];
      least = Math.min(least, Math.max(...times));
    }
  }
  return least;
}

test("a cost in the file is --cost, and beside it the same or nothing", async () => {
  const costed = { ...problem, cost: roofline };
  const expected = await solve(problem, ["--cost", file(roofline)]);
  expect(await solve(costed)).toEqual(expected);
  expect(await solve(costed, ["--cost", file({ ...roofline, tile: 1 })])).toEqual(expected);
  const [problemFile, solutionFile] = [file(costed), file(expected)];
  expect(await run(["certify", problemFile, solutionFile])).toMatch(/32 LPs: \d+ proven optimal/);
  const dead = await solve(costed, ["--dead", "1"]);
  expect(dead.time.every(([, time]) => time === 0)).toBe(true);
});

test("tables for people", async () => {
  const small = { placement: { gpus: 2, physicalToLogical: [0, 1, 2, 0, 1, 3] }, expertLoad: [30, 12, 8, 30] };
  const source = file(small);
  const costed = ["--cost", file(roofline)];
  const words = await run(["solve", source, ...costed]);
  expect(words).toMatch(/^LP +max time +time bound +max load +status +bottleneck GPUs\n0 +32 +32 +42 +optimal +0 1$/m);
  expect(words).toContain("Times are in the unit of the cost. Solved by the CPU");
  expect(await run(["solve", source, "--cost", file(csv), "--cost-top-k", "2"])).toContain("Times are in us. Solved");
  const solution = await solve(small, costed);
  const certified = await run(["certify", source, "-", ...costed], solution);
  expect(certified).toMatch(
    /^LP +conserved .* times true +time bound valid +time gap +verdict\n0( +yes){6} +0 +optimal$/m,
  );
  const without = await run(["solve", source]);
  expect(without).toMatch(/^LP +max load +lower bound +status +bottleneck GPUs\n/);
});

test("loads beyond a table get a warning, in one line, and standard output is as ever", async () => {
  const cost = ["--cost", file(csv), "--cost-top-k", "2"];
  const first = [60, 201, 20, 10];
  for (const expertLoad of [first, [first, [1, 2, 0, 3]]]) {
    const given = JSON.stringify({ placement: problem.placement, expertLoad });
    const { code, stdout, stderr } = await evenkeel(["solve", "-", "--json", ...cost], withoutSoftware, given);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).batch).toBe(expertLoad.length === 2 ? 2 : 1);
    const of = expertLoad.length === 2 ? 7 : 4;
    expect(stderr).toBe(
      `evenkeel: warning: ${cost[1]} ends at 200 tokens of an expert, and 1 of ${of} expert loads is larger: their cost is a guess.\n`,
    );
  }
});

describe("bad input is one line", () => {
  const [problemFile, costFile, other] = [file(problem), file(roofline), file({ ...roofline, perExpert: 17 })];
  const costed = file({ ...problem, cost: roofline });
  const edge = file({ gpus: 2, edges: [[0, 1]], load: [10, 2], capacity: [8] });
  const decreasing = file({ tokens: [1, 2], time: [2, 1] });
  const [timed, plain] = [path(), path()];
  test.each<[string, string[], string]>([
    [
      "another cost",
      ["solve", costed, "--cost", other],
      `--cost: expected none, or the same cost as in the file, got "another".`,
    ],
    [
      "another cost",
      ["certify", costed, problemFile, "--cost", other],
      "--cost: expected none, or the same cost as in the file",
    ],
    [
      "the edge form",
      ["solve", edge, "--cost", costFile],
      `--cost: expected none in the edge form, got "${costFile.slice(0, 40)}`,
    ],
    [
      "fractions",
      ["solve", problemFile, "--cost", costFile, "--tokens", "fractional"],
      `tokens: expected "integer" with a cost`,
    ],
    ["levels", ["solve", problemFile, "--cost", costFile, "--level"], "level: expected false with a cost, got true."],
    [
      "two standard inputs",
      ["solve", "-", "--cost", "-"],
      `--cost: expected a file, where another is standard input, got "-".`,
    ],
    [
      "two standard inputs",
      ["certify", problemFile, "-", "--cost", "-"],
      "--cost: expected a file, where another is standard",
    ],
    [
      "a falling curve",
      ["solve", problemFile, "--cost", decreasing],
      `${decreasing}: cost.time[1]: expected a number of at least`,
    ],
    ["no table", ["solve", problemFile, "--cost", costFile, "--cost-top-k", "2"], "--cost-top-k: expected none, as "],
    ["no cost", ["solve", problemFile, "--cost-top-k", "2"], "--cost-top-k: expected --cost with it, got 2."],
    [
      "null",
      ["solve", file({ ...problem, cost: null })],
      "cost: expected { model, perExpert, perToken } or { tokens, time }, got null.",
    ],
  ])("%s", expectRefused);

  test("a cost that was forgotten, or that it was not solved with", async () => {
    const { writeFileSync } = await import("node:fs");
    writeFileSync(timed, await run(["solve", costed, "--json"]));
    writeFileSync(plain, await run(["solve", problemFile, "--json"]));
    const forgotten = `${timed}: maxTime: expected none, since the problem has no cost, got Array of length 32. --cost says what it was`;
    await expectRefused("", ["certify", problemFile, timed], forgotten);
    await expectRefused("", ["certify", costed, plain], `${plain}: time: expected times, since the problem has a cost`);
  });
});
