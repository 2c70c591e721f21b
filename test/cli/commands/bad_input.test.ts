import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { cli, evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-bad-"));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
/** Writes a file of its own and returns its path. */
function file(content: string | Buffer): string {
  const path = join(folder, `in-${written++}`);
  writeFileSync(path, content);
  return path;
}

const good = file(JSON.stringify([[[5, 6, 7, 8]], [[1, 2, 3, 4]]])); // 2 steps, 1 layer, 4 experts
const on2 = ["--gpus", "2"];
const planned = [...on2, "--redundant", "2", "--budget", "0"];
const map = (...rows: number[][]) => file(JSON.stringify({ physical_to_logical_map: rows }));
const equalSlots = "Every GPU holds equally many of the 4 experts and their replicas.";

describe("is one line on stderr, exit code 2, and no file:", () => {
  const out = join(folder, "out");
  const cases: [string, string[], string | RegExp][] = [
    [
      "no JSON",
      ["analyze", file("loads: 7"), ...on2],
      /: expected JSON, plain or in gzip, got "8 bytes"\. Unexpected token/,
    ],
    ["a folder", ["analyze", folder, ...on2], /: expected a file that can be read, got "EISDIR/],
    [
      "half a gzip file",
      ["analyze", file(gzipSync("[[1]]").subarray(0, 12)), ...on2],
      /: expected an undamaged gzip file/,
    ],
    [
      "ragged rows",
      ["plan", file("[[[1,2]],[[3]]]"), ...planned],
      /: loads\[1\]\[0\]: expected 2 experts as in the first row, got 1\./,
    ],
    [
      "ragged layers",
      ["plan", file("[[[1],[2]],[[3]]]"), ...planned],
      /: loads\[1\]: expected 2 layers as in the first step, got 1\./,
    ],
    ["NaN", ["plan", file("[[1,NaN]]"), ...planned], /: expected JSON, plain or in gzip/],
    [
      "null for NaN",
      ["plan", file("[[1,null]]"), ...planned],
      /: loads\[0\]\[1\]: expected a finite number >= 0, got null\./,
    ],
    [
      "a negative load",
      ["analyze", file("[[1,-1]]"), ...on2],
      /: loads\[0\]\[1\]: expected a finite number >= 0, got -1\./,
    ],
    [
      "text that moves the cursor",
      ["plan", file('[["\\u001b[2J\\n"]]'), ...planned],
      /: loads\[0\]\[0\]: expected a finite number >= 0, got " \[2J "\./,
    ],
    [
      "loads without a token",
      ["analyze", file("[[[0,0]],[[0,0]]]"), ...on2],
      /in-\d+: expected at least one step with tokens, got 0\.$/,
    ],
    [
      "loads without a token, to plan by",
      ["plan", file('{"logical_count":[[[0,0]]]}'), ...planned],
      /in-\d+: expected at least one step with tokens, got 0\.$/,
    ],
    [
      "too many tokens even for fractions",
      ["analyze", file("[[1e30,1e31]]"), ...on2],
      /: loads\[0\]: expected a total below 2\^100, got 1\.1e\+31\.$/,
    ],
    ["other JSON", ["plan", file('{"loads":7}'), ...planned], /: expected \[steps\]\[layers\]\[E\]/],
    [
      "redundant that does not divide",
      ["plan", good, ...on2, "--redundant", "3"],
      `redundant: expected a multiple of the 2 GPUs, got 3. ${equalSlots}`,
    ],
    [
      "GPUs that do not divide",
      ["analyze", good, "--gpus", "3", "--redundant", "3"],
      `redundant: expected 2 plus a multiple of the 3 GPUs, got 3. ${equalSlots}`,
    ],
    [
      "too much of a good thing",
      ["plan", good, ...on2, "--redundant", "6"],
      "redundant: expected at most 4, enough for every expert on every GPU, got 6.",
    ],
    [
      "nodes that do not divide",
      ["plan", good, ...planned, "--nodes", "3"],
      "gpus: expected a multiple of nodes = 3, got 2.",
    ],
    [
      "a placement of other experts",
      ["analyze", good, ...on2, "--placement", map([0, 1, 2, 3, 4, 0])],
      /in-\d+: layer 0: expected 4 experts as in the recording, got 5\.$/,
    ],
    [
      "a placement of other layers",
      ["analyze", good, ...on2, "--placement", map([0, 1, 2, 3], [0, 1, 2, 3])],
      /: expected 1 layers as in the recording, got 2\.$/,
    ],
    [
      "a placement of other GPUs",
      ["analyze", good, "--gpus", "3", "--placement", map([0, 1, 2, 3])],
      /in-\d+: physical_to_logical_map\[0\]: expected a multiple of gpus = 3 slots, got 4\./,
    ],
    [
      "a placement with a hole",
      ["plan", good, ...planned, "--placement", map([0, 1, 3, 3, 0, 1])],
      /in-\d+: .+ expected a slot for expert 2, got "none"\./,
    ],
    [
      "a placement of other slots",
      ["plan", good, ...planned, "--placement", map([0, 1, 2, 3])],
      /physicalExperts: expected E \+ redundant = 6, got 4\.$/,
    ],
    ["no placement", ["analyze", good, ...on2, "--placement", good], /in-\d+: .+ expected /],
    [
      "--max-moved without --placement",
      ["plan", good, ...planned, "--max-moved", "2"],
      "--max-moved needs --placement",
    ],
    [
      "--format lplb without its graph",
      ["plan", good, ...planned, "--format", "lplb"],
      "--format lplb needs --shared-topology ring or cube8 or hypercube16",
    ],
    [
      "an unknown format",
      ["plan", good, ...planned, "--format", "tgi"],
      /^option '--format <system>' argument 'tgi' is invalid\. Allowed choices are vllm, sglang, eplb, lplb, trtllm, vllm-ascend\.$/,
    ],
    ["no --gpus", ["analyze", good], "required option '--gpus <n>' not specified"],
    ["no file", ["plan", ...planned], "missing required argument 'loads'"],
    [
      "ids of other lengths",
      ["replay", file("[[[0,1],[2]]]"), ...on2],
      /: topk_ids\[0\]\[1\]: expected k = 2 ids as for the first token, got 1\./,
    ],
    [
      "an id that is none",
      ["replay", file("[[[0,1.5]]]"), ...on2],
      /: topk_ids\[0\]\[0\]\[1\]: expected an expert id, an integer >= 0, or -1 for none, got 1\.5\./,
    ],
    [
      "an id that is no expert's",
      ["replay", file("[[[0,2000000000]]]"), ...on2],
      /: expected ids of at most 1024 experts, got 2000000000\. --experts says how many there are; ids beyond go nowhere\.$/,
    ],
    [
      "ids without a token",
      ["replay", file("[[[],[]],[[],[]]]"), ...on2],
      /: expected at least one step with tokens, got 0\.$/,
    ],
    ["padding alone", ["replay", file("[[[-1,-1]]]"), ...on2], /: expected at least one step with tokens, got 0\.$/],
    [
      "ids beyond the experts alone",
      ["replay", file("[[[4,5]]]"), ...on2, "--experts", "4"],
      /: expected at least one step with tokens, got 0\.$/,
    ],
    [
      "a layer with fewer tokens than another",
      ["replay", file("[[[],[[0,1]]]]"), ...on2],
      /: topk_ids\[0\]\[1\]: expected 0 tokens as in the first layer, got 1\.$/,
    ],
    [
      "raw ids without their axes",
      ["replay", file(Buffer.from([0, 1, 2, 3])), ...on2],
      /: expected JSON, plain or in gzip, got "4 bytes"\. .+ For raw bytes, an id each, give --shape\.$/,
    ],
    [
      "ids of other sizes",
      ["replay", file("abcde"), ...on2, "--shape", "layers=1,tokens=3,k=2"],
      /: expected 1 x 3 x 2 = 6 bytes, an id each, got 5\./,
    ],
    [
      "no shape",
      ["replay", good, ...on2, "--shape", "layers=1,k=2"],
      `--shape: expected tokens once, got "layers=1,k=2".`,
    ],
    [
      "a problem of neither form",
      ["solve", file("{}")],
      /: expected \{ placement, expertLoad \} or \{ gpus, edges, load, capacity \}, got "no placement"\./,
    ],
    [
      "a misspelt field",
      ["solve", file('{"gpus":2,"edges":[[0,1]],"load":[1,2],"capacity":[1],"speeds":[1,2]}')],
      /: expected no fields but gpus, edges, load, capacity, speed, got "speeds"\./,
    ],
    [
      "loads of other GPUs",
      ["solve", file('{"gpus":2,"edges":[[0,1]],"load":[[1,2],[3]],"capacity":[[1],[1]]}')],
      "load[1]: expected gpus = 2 values, got 1.",
    ],
    [
      "more whole tokens than 32 bits hold",
      ["solve", file('{"placement":{"gpus":2,"physicalToLogical":[0,1]},"expertLoad":[2147483647,1]}')],
      /^expertLoad: .+ got 2147483648\. Solve in larger units, or with --tokens fractional\.$/,
    ],
    [
      "half a token",
      ["solve", file('{"gpus":2,"edges":[[0,1]],"load":[1,2],"capacity":[0.5]}'), "--tokens", "integer"],
      `capacity[0]: expected an integer, because tokens is "integer", got 0.5.`,
    ],
  ];

  test.concurrent.each(cases)("%s", async (_, args, message) => {
    const [command] = args;
    const withOut = command === "plan" ? ["--out", out] : command === "analyze" ? ["--html", out] : [];
    const { code, stdout, stderr } = await evenkeel([...args, ...withOut], withoutSoftware);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^evenkeel: [^\p{Cc}]+\n$/u);
    const said = stderr.slice("evenkeel: ".length, -1);
    if (typeof message === "string") expect(said).toBe(message);
    else expect(said).toMatch(message);
    expect(existsSync(out)).toBe(false);
  });

  test.each([
    ["plan", planned, "--out"],
    ["analyze", on2, "--html"],
  ])("nowhere to write to: %s says so before it works", async (command, args, option) => {
    const nowhere = join(folder, "not", "there");
    const unread = join(folder, "unread");
    const { code, stderr } = await evenkeel([command, unread, ...args, option, nowhere], withoutSoftware);
    expect(code).toBe(2);
    const reason = "ENOENT: no such file or directory"; // whole, however long the path
    expect(stderr).toBe(`evenkeel: ${option} ${nowhere}: expected a file that can be written, got "${reason}".\n`);
    const folderItself = await evenkeel([command, unread, ...args, option, folder], withoutSoftware);
    expect(folderItself.stderr).toContain("EISDIR");
  });
});

test("what is there stays there when the work fails", async () => {
  const kept = file("kept");
  const { code } = await evenkeel(
    ["plan", good, ...planned, "--placement", map([0, 1]), "--out", kept],
    withoutSoftware,
  );
  expect(code).toBe(2);
  expect(readFileSync(kept, "utf8")).toBe("kept");
});

test.runIf(existsSync("/dev/full"))("standard output that is full is a failure in one line", async () => {
  const env = { ...process.env, ...withoutSoftware };
  const full = openSync("/dev/full", "w");
  const run = spawn(process.execPath, [cli, "analyze", good, ...on2], { env, stdio: ["ignore", full, "pipe"] });
  closeSync(full);
  const [said, [code]] = await Promise.all([text(run.stderr!), once(run, "exit")]);
  expect({ code, said }).toEqual({ code: 1, said: "evenkeel: standard output: ENOSPC: no space left on device\n" });
});

test("a backend that is not there is a failure, not bad input", async () => {
  const problem = file('{"gpus":2,"edges":[[0,1]],"load":[1,2],"capacity":[1]}');
  const hidden = { EVENKEEL_ADAPTER: "hardware", VK_DRIVER_FILES: "/dev/null", VK_ICD_FILENAMES: "/dev/null" };
  const { code, stderr } = await evenkeel(["solve", problem, "--backend", "webgpu"], hidden);
  if (code !== 0) {
    expect(code).toBe(1); // a GPU that is reached without Vulkan still answers
    expect(stderr).toMatch(/^evenkeel: No hardware WebGPU adapter\. .+\n$/);
  }
});

test("--help tells the exit codes", async () => {
  for (const args of [["--help"], ["plan", "--help"]]) {
    const { code, stdout } = await evenkeel(args);
    expect(code).toBe(0);
    expect(stdout).toContain("Exit code: 0 done, 1 failed, 2 bad input or usage, 130 interrupted.");
  }
});
