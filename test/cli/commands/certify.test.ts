import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-certify-"));
afterAll(() => rmSync(folder, { recursive: true }));

const problems = {
  replica: {
    placement: { gpus: 3, physicalToLogical: [0, 1, 0, 2, 1, 3] },
    expertLoad: [
      [60, 200, 20, 10],
      [0, 0, 0, 7],
    ],
    speed: [1, 2, 1],
  },
  edge: { gpus: 2, edges: [[0, 1]], load: [10, 2], capacity: [8] },
  unlinked: { gpus: 2, edges: [], load: [10, 2], capacity: [] },
};
type Form = keyof typeof problems;
const pathOf = (form: Form) => join(folder, `${form}.json`);
const solutions = {} as Record<Form, Record<string, unknown>>;

beforeAll(async () => {
  for (const form of Object.keys(problems) as Form[]) {
    writeFileSync(pathOf(form), JSON.stringify(problems[form]));
    solutions[form] = JSON.parse((await evenkeel(["solve", pathOf(form), "--json"], withoutSoftware)).stdout);
  }
});

const certify = (form: Form, solution: unknown, args: string[] = []) =>
  evenkeel(["certify", pathOf(form), "-", ...args], withoutSoftware, JSON.stringify(solution));

test.each(Object.keys(problems) as Form[])("what solve wrote of the %s problem is valid", async (form) => {
  const { code, stdout, stderr } = await certify(form, solutions[form], ["--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { certificates, ...counts } = JSON.parse(stdout);
  const lps = form === "replica" ? 2 : 1;
  expect(counts).toEqual({ batch: lps, optimal: lps, gap: 0, invalid: 0 });
  const proven = { conserved: true, withinCapacity: true, loadsTrue: true, boundValid: true };
  expect(certificates).toEqual(new Array(lps).fill({ ...proven, gap: 0, verdict: "optimal", valid: true }));
});

test("a table for people, which shows what is invalid, and exit code 1 for it", async () => {
  const good = await certify("replica", solutions.replica);
  expect(good).toMatchObject({ code: 0, stderr: "" });
  expect(good.stdout).toMatch(
    /^LP +conserved +within capacity +loads true +bound valid +gap +verdict\n0( +yes){4} +0 +optimal$/m,
  );
  expect(good.stdout).toContain("2 LPs: 2 proven optimal, 0 with a certified gap, 0 invalid.");

  const [first, second] = solutions.replica.quota as number[][];
  const moved = [first, [...second.slice(0, -1), 6]]; // a token of the second LP is lost
  const bad = await certify("replica", { ...solutions.replica, quota: moved });
  expect(bad).toMatchObject({ code: 1, stderr: "" });
  expect(bad.stdout).toMatch(/verdict\n1 +NO +yes +NO +yes +\S+ +invalid\n\n2 LPs: 1 proven optimal/);
  const json = await certify("replica", { ...solutions.replica, quota: moved }, ["--json"]);
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ optimal: 1, invalid: 1 });
});

describe("what is no solution of the problem has exit code 2 and one line", () => {
  test.each<[string, Form, (solution: Record<string, unknown>) => unknown, RegExp]>([
    [
      "of another problem",
      "edge",
      () => solutions.replica,
      /standard input: gpuLoad\[0\]: expected 2 values as in the problem, got 3\./,
    ],
    [
      "the problem itself",
      "replica",
      () => problems.replica,
      /standard input: batch: expected B = 2 .* got undefined\./,
    ],
    ["a number", "replica", () => 3, /standard input: expected an object, got 3\./],
    ["a part missing", "replica", ({ price, ...rest }) => rest, /standard input: price: expected an array/],
    [
      "a flat part",
      "replica",
      (s) => ({ ...s, quota: (s.quota as number[][]).flat() }),
      /quota\[0\]: expected a row of numbers/,
    ],
    // As many values in all: only the rows tell that they are in the wrong places.
    [
      "a row too long",
      "replica",
      (s) => ({
        ...s,
        gpuLoad: [
          [1, 2, 3, 4],
          [5, 6],
        ],
      }),
      /gpuLoad\[0\]: expected 3 values .* got 4\./,
    ],
    [
      "a number as text",
      "replica",
      (s) => ({
        ...s,
        price: [
          ["0.5", 0, 0],
          [0, 0, 1],
        ],
      }),
      /price\[0\]\[0\]: expected a number, got "0.5"/,
    ],
    ["unserved as text", "replica", (s) => ({ ...s, unserved: ["0", 0] }), /unserved\[0\]: expected a number, got "0"/],
    ["null", "replica", (s) => ({ ...s, maxLoad: [null, 7] }), /maxLoad\[0\]: expected a number, got null/],
  ])("%s", async (_, form, spoil, message) => {
    const { code, stdout, stderr } = await certify(form, spoil(solutions[form]));
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain("\n");
  });

  test("a file that is none, the same input twice, and a problem that is none", async () => {
    const run = (args: string[], input = "") => evenkeel(["certify", ...args], withoutSoftware, input);
    expect(await run(["-", "-"])).toMatchObject({ code: 2, stdout: "" });
    expect(await run([pathOf("edge"), join(folder, "missing.json")])).toMatchObject({ code: 2, stdout: "" });
    expect(await run([pathOf("edge"), "-"], "{")).toMatchObject({ code: 2, stdout: "" });
    expect(await run(["-", pathOf("edge")], "{}")).toMatchObject({ code: 2, stdout: "" });
  });
});

test("files in gzip", async () => {
  const [problem, solution] = ["problem.json.gz", "solution.json.gz"].map((name) => join(folder, name));
  writeFileSync(problem, gzipSync(JSON.stringify(problems.edge)));
  writeFileSync(solution, gzipSync(JSON.stringify(solutions.edge)));
  expect(await evenkeel(["certify", problem, solution], withoutSoftware)).toMatchObject({ code: 0, stderr: "" });
});
