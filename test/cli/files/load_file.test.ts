import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { readLoads } from "../../../src/cli/files/read_files.ts";
import { ArgumentError, LoadError, ShapeError } from "../../../src/common/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-loads-"));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
/** Writes a file of its own and returns its path. */
function file(content: string | Buffer): string {
  const path = join(folder, `${written++}`);
  writeFileSync(path, content);
  return path;
}

const step0 = [
  [1, 2, 3],
  [4, 5, 6],
];
const step1 = [
  [7, 8, 9],
  [0, 11, 12],
];
const both = [step0, step1];
const flat = both.flat(2);

test.each([
  ["[steps][layers][E]", both],
  ["{ loads: [steps][layers][E] }", { steps: "ignored", loads: both }],
  ["SGLang's { logical_count: [steps, layers, E] }", { logical_count: both }],
  ["{ groups: [{ loads }] }", { groups: both.map((loads) => ({ loads })) }],
  ["{ runs: { name: { loads } } }", { runs: { first: { loads: step0 }, second: { loads: step1 } } }],
])("reads %s, plain and in gzip", async (_, json) => {
  const plain = await readLoads(file(JSON.stringify(json)));
  expect(plain).toMatchObject({ steps: 2, layers: 2, experts: 3, loads: Int32Array.from(flat) });
  const gzipped = await readLoads(file(gzipSync(JSON.stringify(json))));
  expect(gzipped).toEqual({ ...plain, source: gzipped.source });
});

test.each([
  ["[layers][E]", step1],
  ["{ loads: [layers][E] }", { loads: step1 }],
  ["SGLang's { logical_count: [1, layers, E] }", { rank: 0, logical_count: [step1] }],
])("reads %s as one step", async (_, json) => {
  const path = file(JSON.stringify(json));
  const loads = Int32Array.from(step1.flat());
  expect(await readLoads(path)).toEqual({ source: path, steps: 1, layers: 2, experts: 3, loads });
});

test("keeps fractions as they are", async () => {
  expect((await readLoads(file("[[0.25, 3]]"))).loads).toEqual(Float64Array.of(0.25, 3));
});

test("counts more than 2^31 - 1 tokens of a layer and step in fractions", async () => {
  expect((await readLoads(file("[[2147483646, 1], [0, 0]]"))).loads).toEqual(Int32Array.of(2147483646, 1, 0, 0));
  expect((await readLoads(file("[[2147483647, 1], [1, 0]]"))).loads).toEqual(Float64Array.of(2147483647, 1, 1, 0));
});

describe("refuses, naming the place,", () => {
  test.each([
    ["[]", ShapeError, ": loads: expected at least one layer, got 0."],
    ["[[]]", ShapeError, ": loads[0]: expected at least one expert, got 0."],
    [`{"groups":[]}`, ShapeError, ": expected at least one step, got 0."],
    ["[[[1],[2]],[[3]]]", ShapeError, ": loads[1]: expected 2 layers as in the first step, got 1."],
    ["[[[1,2]],[[3]]]", ShapeError, ": loads[1][0]: expected 2 experts as in the first row, got 1."],
    ["[1,2]", ArgumentError, ": loads[0]: expected an array with a row of expert loads per layer, got 1."],
    ["[[1],2]", ArgumentError, ": loads[1]: expected a row of expert loads, got 2."],
    ["[[1,-2]]", LoadError, ": loads[0][1]: expected a finite number >= 0, got -2."],
    ["[[1,null]]", LoadError, ": loads[0][1]: expected a finite number >= 0, got null."],
    ["[[1,1e999]]", LoadError, ": loads[0][1]: expected a finite number >= 0, got Infinity."],
    [`[[1,"2"]]`, LoadError, `: loads[0][1]: expected a finite number >= 0, got "2".`],
    ["[[1,2],[[3],4]]", LoadError, ": loads[1][0]: expected a finite number >= 0, got Array of length 1."],
    ["[[1,1e31]]", LoadError, ": loads[0]: expected a total below 2^100, got 1e+31."],
    [`{"groups":[{"loads":[[1]]},{"load":[[1]]}]}`, ArgumentError, ": groups[1].loads: expected an array"],
    [`{"runs":{"a":{"loads":[[1]]},"b":null}}`, ArgumentError, ": runs.b.loads: expected an array"],
    [`{"runs":{"a":{"loads":[[-1]]}}}`, LoadError, ": runs.a.loads[0][0]: expected a finite number >= 0, got -1."],
    [`{"load":[[1]]}`, ArgumentError, ": expected [steps][layers][E] or [layers][E] loads, or an object with loads,"],
    ["7", ArgumentError, ": expected [steps][layers][E]"],
    ["null", ArgumentError, ": expected [steps][layers][E]"],
    ["", ArgumentError, `: expected JSON, plain or in gzip, got "0 bytes". Unexpected end of JSON input.`],
    ["[[1,NaN]]", ArgumentError, ": expected JSON, plain or in gzip"],
  ])("%s", async (content, type, message) => {
    const path = file(content);
    const error = await readLoads(path).catch((error) => error);
    expect(error.constructor).toBe(type);
    expect(error.message).toContain(path + message);
  });

  test("a file that is not there, and a folder", async () => {
    const missing = join(folder, "missing.json");
    const got = 'got "ENOENT: no such file or directory".';
    await expect(readLoads(missing)).rejects.toThrow(`${missing}: expected a file that can be read, ${got}`);
    await expect(readLoads(folder)).rejects.toThrow(ArgumentError);
  });

  test("a gzip file that ends too soon, and one of something else", async () => {
    const whole = gzipSync(JSON.stringify(both));
    await expect(readLoads(file(whole.subarray(0, 30)))).rejects.toThrow("expected an undamaged gzip file");
    await expect(readLoads(file(gzipSync("no JSON")))).rejects.toThrow("expected JSON, plain or in gzip");
  });

  test("binary content, without passing its control characters on", async () => {
    const error = await readLoads(file("\x1b[2J\x07")).catch((error) => error);
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error.message).toMatch(/^[ -~]+$/);
  });
});

const recordings: [string, object][] = [
  ["gptoss20b_decode_step_loads.json.gz", { steps: 511, layers: 24, experts: 32 }],
  ["gptoss20b_domain_loads.json.gz", { steps: 703, layers: 24, experts: 32 }],
  ["qwen3_30b_a3b_prefill_loads.json", { steps: 2, layers: 48, experts: 128 }],
];
for (const [name, shape] of recordings) {
  const path = `../shared/data/moe/${name}`;
  test(`reads the recorded loads ${path}`, async ({ skip }) => {
    skip(!existsSync(path), `${path} is absent`);
    const { loads, ...rest } = await readLoads(path);
    expect(rest).toEqual({ source: path, ...shape });
    expect(loads).toBeInstanceOf(Int32Array);
  });
}
