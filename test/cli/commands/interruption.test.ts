import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { generateLoads } from "../../../src/cli/reports/generated_loads.ts";
import { cli, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-interrupted-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("Ctrl-C", () => {
  const { loads, ...shape } = generateLoads({ steps: 200, layers: 60, experts: 128 }, 1);
  const long = JSON.stringify(
    Array.from({ length: shape.steps }, (_, step) =>
      Array.from({ length: shape.layers }, (_, layer) => {
        const at = (step * shape.layers + layer) * shape.experts;
        return [...loads.subarray(at, at + shape.experts)];
      }),
    ),
  );

  const cost = join(folder, "cost.json");
  writeFileSync(cost, '{ "model": "affine", "perExpert": 6.3, "perToken": 0.035 }');

  test.each([
    ["plan", "plan", (path: string) => [path, "--gpus", "16", "--redundant", "16", "--out"]],
    ["analyze", "analyze", (path: string) => [path, "--gpus", "32", "--html"]],
    ["analyze with a cost", "analyze", (path: string) => [path, "--gpus", "32", "--cost", cost, "--html"]],
    ["solve", "solve", () => ["-"]],
  ])("ends %s with exit code 130, without a word or a file", async (name, command, args) => {
    const there = join(folder, name);
    mkdirSync(there);
    const path = join(folder, "long.json");
    writeFileSync(path, long);
    const options = args(path);
    const target = options.length > 1 ? [join(there, "out")] : [];
    const env = { ...process.env, ...withoutSoftware };
    const run = spawn(process.execPath, [cli, command, ...options, ...target], { env, stdio: "pipe" });
    const said = { stdout: "", stderr: "" };
    run.stdout.on("data", (chunk) => (said.stdout += chunk));
    run.stderr.on("data", (chunk) => (said.stderr += chunk));
    await new Promise((resume) => setTimeout(resume, 1500)); // each works for longer, or waits for its input
    run.kill("SIGINT");
    expect(await once(run, "exit")).toEqual([130, null]);
    expect(said).toEqual({ stdout: "", stderr: "" });
    expect(readdirSync(there)).toEqual([]);
  });
});
