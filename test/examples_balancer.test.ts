import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { pollingSeldom } from "./helpers/polling_seldom.ts";
import { needsRecordedData, recordedDataPresent } from "./helpers/recorded.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const recording = join(root, "../shared/data/moe/gptoss20b_decode_topk_ids_292x511x24x4.u8.gz");

const folder = mkdtempSync(join(tmpdir(), "evenkeel-serve-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Run {
  code: number | string | null;
  stdout: string;
  stderr: string;
}

function run(example: string, args: string[] = [], adapter = "software"): Promise<Run> {
  const options = { cwd: root, env: { ...process.env, EVENKEEL_ADAPTER: adapter } };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...pollingSeldom, "scripts/run.mjs", `examples/${example}.ts`, ...args],
      options,
      (error, stdout, stderr) => resolve({ code: error ? (error.code ?? null) : 0, stdout, stderr }),
    );
  });
}

test("owned_device: a pass of the caller's and the balancer's in one submit", async () => {
  const { code, stdout, stderr } = await run("owned_device");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const [by, ...rest] = stdout.split("\n");
  expect(by).toMatch(/^2000 assignments on .*SwiftShader/);
  expect(rest).toEqual([
    "tokens per GPU: 500 500 500 500",
    "every physical id maps back: true; every slot has its quota: true",
    "",
  ]);
});

test.each(["auto", "software"])("ranks: together they meet the quotas, adapter: %s", async (adapter) => {
  const { code, stdout, stderr } = await run("ranks", [], adapter);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const figures = stdout
    .replace(/(?:cpu|webgpu)\n/, "*\n")
    .replace(/\d+ by position, \d+ with/, "* by position, * with");
  expect(figures).toBe(`\
7520 assignments of 8 ranks, optimal, *
imbalance: 1.098 evenly split, 1.000 balanced
all ranks have the same quotas: true; their tokens together meet them: true
to other nodes: * by position, * with the least traffic; as even: true
`);
  if (adapter === "software") expect(stdout).toContain("webgpu");
});

/** What serve says of each number of redundant experts. */
async function serve(args: string[]) {
  const { code, stdout, stderr } = await run("serve", args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" }); // and so no progress where there is no terminal
  const row = /^ +(\d+) +(\d\.\d{4}) +(\d\.\d{4}) +(\d\.\d{4}) +(\d+\.\d) +(.+)$/gm;
  const rows = [...stdout.matchAll(row)].map(([, redundant, ...cells]) => {
    const [contiguous, even, balanced, ms] = cells.slice(0, 4).map(Number);
    expect(ms).toBeGreaterThan(0);
    return { redundant: Number(redundant), contiguous, even, balanced, backend: cells[4] };
  });
  expect(rows.map(({ redundant }) => redundant)).toEqual([8, 16]);
  return { stdout, rows };
}

test(`serve: all steps of gpt-oss-20b, on the CPU ${needsRecordedData}`, async ({ skip }) => {
  skip(!recordedDataPresent);
  const { stdout, rows } = await serve([recording, "--backend", "cpu"]);
  expect(stdout).toContain("placed by steps 0-255; served 255 of the steps 256-510\n");
  expect(stdout).toContain("292 sequences");
  // By an independent program, which tries all sets of GPUs for the optimum. It splits evenly in fractions, hence the tolerance there.
  const [contiguous, backend] = [1.4517, "cpu"];
  expect(rows).toEqual([
    { redundant: 8, contiguous, even: expect.closeTo(1.1717, 2), balanced: 1.052, backend },
    { redundant: 16, contiguous, even: expect.closeTo(1.1456, 2), balanced: 1.0093, backend },
  ]);
  const embedding = readFileSync(join(root, "docs/embedding.md"), "utf8");
  for (const { redundant, ...shown } of rows) {
    const figures = [shown.contiguous, shown.even, shown.balanced].map((value) => value.toFixed(4));
    expect(embedding).toContain(`| ${redundant} | ${figures.join(" | ")} |`);
  }
});

test(`serve: every 50th step of gpt-oss-20b, the same on both backends ${needsRecordedData}`, async ({ skip }) => {
  skip(!recordedDataPresent);
  const [cpu, webgpu] = await Promise.all(
    ["cpu", "webgpu"].map((backend) => serve([recording, "--backend", backend, "--every", "50"])),
  );
  expect(webgpu.stdout).toContain("served 6 of the steps 256-510\n");
  for (const [i, { backend, ...figures }] of webgpu.rows.entries()) {
    expect(backend).toMatch(/^webgpu, .*SwiftShader/);
    expect({ ...figures, backend: "cpu" }).toEqual(cpu.rows[i]);
  }
});

test("serve: without a recording it says so, and serves made-up ids", async () => {
  const { stdout, rows } = await serve(["--backend", "cpu"]);
  expect(stdout).toMatch(/^RANDOM STAND-IN, no recording given: 64 sequences/);
  for (const { contiguous, even, balanced } of rows) {
    expect(contiguous).toBeGreaterThan(even + 0.1);
    expect(even).toBeGreaterThan(balanced + 0.1);
    expect(balanced).toBeGreaterThanOrEqual(1);
  }
});

const file = (name: string, content: Uint8Array) => {
  writeFileSync(join(folder, name), gzipSync(content));
  return join(folder, name);
};
const oneSequence = 511 * 24 * 4;
const spoiled = new Uint8Array(oneSequence);
spoiled[(300 * 24 + 5) * 4] = 32;

test.each([
  ["an id of no expert", [file("spoiled.u8.gz", spoiled)], "step 300, layer 5: expert 32 went to slot -1"],
  [
    "a file too short",
    [file("short.u8.gz", spoiled.subarray(1))],
    `expected a multiple of 511 x 24 x 4 ids, got ${oneSequence - 1}`,
  ],
  ["no file", ["no_such_file"], "ENOENT: no such file or directory, open 'no_such_file'"],
  ["two files", ["a", "b"], "expected one FILE, got a b"],
  ["no steps", ["--every", "0"], "--every: expected an integer >= 1, got 0"],
  ["no backend", ["--backend", "tpu"], 'backend: expected "auto", "webgpu" or "cpu", got "tpu".'],
  ["an unknown option", ["--colour"], "Unknown option '--colour'"],
])("serve: %s is a line on stderr and exit code 1", async (_, args, message) => {
  const { code, stderr } = await run("serve", ["--backend", "cpu", ...args]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^serve: .+\n$/);
  expect(stderr).toContain(message);
});

test("serve: Ctrl-C ends it with exit code 130", async () => {
  const args = ["scripts/run.mjs", "examples/serve.ts", "--backend", "webgpu"]; // compiles for seconds
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  await once(child.stdout, "data");
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([130, null]);
});
