import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { elements, jsonLines } from "../../../src/cli/files/json_lines.ts";
import { seeded } from "../../../src/common/random.ts";
import { certify, Placement, type ReplicaSolution } from "../../../src/index.ts";
import { cli, evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-many-"));
afterAll(() => rmSync(folder, { recursive: true }));

const placement = { gpus: 3, physicalToLogical: [0, 1, 0, 2, 1, 3] };

function write(lps: number) {
  const random = seeded(lps);
  const expertLoad = Array.from({ length: lps }, () => Array.from({ length: 4 }, () => random.below(100)));
  const file = join(folder, `${lps}.json`);
  writeFileSync(file, JSON.stringify({ placement, expertLoad }));
  return { file, expertLoad };
}

const args = (file: string) => ["solve", file, "--backend", "cpu", "--json"];
const start = (file: string) =>
  spawn(process.execPath, [cli, ...args(file)], { env: { ...process.env, ...withoutSoftware }, stdio: "pipe" });

test("ten times as many LPs take about ten times as long, and every one is answered in its place", async () => {
  const timeOf = async (lps: number) => {
    const { file, expertLoad } = write(lps);
    const begun = performance.now();
    const { code, stdout, stderr } = await evenkeel(args(file), withoutSoftware);
    const ms = performance.now() - begun;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const rows = JSON.parse(stdout);
    const solution = { ...rows, quota: rows.quota.flat(), gpuLoad: rows.gpuLoad.flat(), price: rows.price.flat() };
    const problem = {
      placement: Placement.fromPhysicalToLogical(placement.physicalToLogical, { gpus: placement.gpus }),
      expertLoad: expertLoad.flat(),
    };
    expect(certify(problem, solution as ReplicaSolution).filter(({ verdict }) => verdict !== "optimal")).toEqual([]);
    return ms;
  };
  const few = await timeOf(2_000);
  expect((await timeOf(20_000)) / few).toBeLessThan(25); // where the time grows with the square: 100, but for the start
});

test("the lines of an object are its JSON, and every value is read once", () => {
  let read = 0;
  const counted = new Proxy([1, 2, 3, 4, 5, 6], {
    get: (values, name) => {
      if (/^\d+$/.test(String(name))) read++;
      return Reflect.get(values, name);
    },
  });
  const fields = {
    rows: elements(counted, 3, 2),
    perLp: elements(["a\n", "b"], 2),
    empty: elements([], 2, 0),
    none: elements([], 0),
    skipped: undefined,
    last: { nested: [1] },
  };
  const lines = [...jsonLines(fields)];
  expect(JSON.parse(lines.join("\n"))).toEqual({
    rows: [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    perLp: ["a\n", "b"],
    empty: [[], []],
    none: [],
    last: { nested: [1] },
  });
  expect(read).toBe(6);
  expect(JSON.parse([...jsonLines({ a: elements([7], 1) })].join("\n"))).toEqual({ a: [7] });
});

test("Ctrl-C while nobody reads: exit code 130, and no half line", async () => {
  const run = start(write(20_000).file);
  await once(run.stdout, "readable");
  await new Promise((resume) => setTimeout(resume, 300)); // the pipe fills
  run.kill("SIGINT");
  const [code] = await once(run, "exit");
  let said = "";
  for await (const chunk of run.stdout) said += chunk;
  expect(code).toBe(130);
  expect(said.length).toBeGreaterThan(1000);
  expect(said.slice(-1)).toBe("\n");
  expect(said.slice(-2)).not.toBe("}\n"); // it was in the middle of it
});

test("a reader that has seen enough is no failure", async () => {
  const run = start(write(20_000).file);
  let stderr = "";
  run.stderr.on("data", (chunk) => (stderr += chunk));
  await once(run.stdout, "readable");
  run.stdout.destroy();
  expect(await once(run, "exit")).toEqual([0, null]);
  expect(stderr).toBe("");
});
