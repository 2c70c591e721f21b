import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { BoundReport } from "../../../src/cli/reports/bound_report.ts";
import { certifyBound } from "../../../src/serving/bound/certify_bound.ts";
import { needsRecordedData, recordedDataPresent, recordedPath } from "../../helpers/recorded.ts";
import { cli, evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { expectRefused } from "../refused.ts";

const { file, path } = ownFiles();

/** Two requests of 3 + 2 tokens, which hold 4 in their first round and 5 in their second. */
const two = file("input_tokens,output_tokens\n3,2\n3,2\n");
const burst = ["--clock", "rounds", "--rate", "inf"];
const timed = file(["arrived_at,num_prefill_tokens,num_decode_tokens", "0,3,2", "0,2,4", "0.5,4,3"].join("\n"));
const many = file(
  `input_tokens,output_tokens\n${Array.from({ length: 40 }, (_, i) => `${3 + (i % 9)},${2 + ((7 * i) % 11)}`).join("\n")}\n`,
);

const plainTime = { base: 0.1, perSequence: 0, perKvToken: 0, perPrefillToken: 0, perContext: 0 };

async function report(args: string[]): Promise<BoundReport> {
  const { code, stdout, stderr } = await evenkeel(["bound", ...args, "--json"], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

async function words(args: string[], expected = 0): Promise<string> {
  const { code, stdout, stderr } = await evenkeel(["bound", ...args], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: expected, stderr: "" });
  return stdout;
}

describe("by hand", () => {
  test("memory for one and a half: the second begins a round later at the least", async () => {
    const { bound, schedules, dearest } = await report([two, "--kv-tokens", "9", ...burst, "--backend", "cpu"]);
    expect(bound).toMatchObject({ total: 5, mean: 2.5, proof: "prices", round: 1, backend: "cpu" });
    expect(schedules.map(({ schedule }) => schedule)).toEqual(["fcfs", "mcsf", "svf", "best found"]);
    expect(schedules[3]).toEqual({ schedule: "best found", mean: 2.5, overBound: 1 }); // so that it is the optimum
    for (const { mean, overBound } of schedules.slice(0, 3)) {
      expect(mean).toBe(3); // they are asked where a request ends: 2 + 4
      expect(overBound).toBeCloseTo(1.2, 12);
    }
    expect(dearest.kv!.price).toBeGreaterThan(0);
    expect(dearest).not.toHaveProperty("slot");
  });

  test("what reaches the bound is optimal, and said to be", async () => {
    const said = (await words([two, "--kv-tokens", "9", ...burst])).replaceAll("\n", " ");
    expect(said).toContain("It is reached by best found, which is optimal.");
  });

  test("as many workers as requests, and one slot for both", async () => {
    const apart = await report([two, "--kv-tokens", "9", "--workers", "2", ...burst]);
    expect(apart.bound).toMatchObject({ total: 4, proof: "alone" });
    expect(apart.schedules.map(({ overBound }) => overBound)).toEqual([1, 1, 1, 1]);
    const slot = await report([two, "--kv-tokens", "90", "--slots", "1", ...burst]);
    expect(slot.bound).toMatchObject({ total: 6, proof: "prices" }); // 2 + 4
    expect(slot.dearest.slot!.price).toBeGreaterThan(0);
  });

  test("in seconds steps last what the file says", async () => {
    const stepTime = file({ base: 2, perSequence: 0.5, perKvToken: 0, perPrefillToken: 0.25, perContext: 0 });
    const { bound, clock } = await report([timed, "--kv-tokens", "100", "--workers", "3", "--step-time", stepTime]);
    expect(clock).toBe("seconds");
    // A worker each: steps of 2.5 s, and 0.25 s per prompt token.
    expect(bound.mean).toBeCloseTo((2.5 * (2 + 4 + 3) + 0.25 * (3 + 2 + 4)) / 3, 12);
    expect(bound.round).toBe(2.5);
  });

  test("resume allows more, and bounds less", async () => {
    const args = [many, "--kv-tokens", "60", "--clock", "rounds", "--rate", "0.5", "--seed", "3"];
    const [restart, resume] = [await report(args), await report([...args, "--preemption", "resume"])];
    expect(resume.eviction).toBe("recompute");
    expect(resume.bound.mean).toBeLessThanOrEqual(restart.bound.mean);
  });
});

test("says on a terminal what is proven, and what of it is not", async () => {
  const said = (await words([many, "--kv-tokens", "60", ...burst, "--requests", "20"])).replaceAll("\n", " ");
  expect(said).toMatch(/^schedule +E2E mean, rounds +x bound fcfs .* bound +[\d.]+ +1\.000 /);
  expect(said).toContain(
    `The first 20 of 40 requests of ${many}, which all arrive at once. 1 worker with 60 KV tokens.`,
  );
  expect(said).toContain(
    "Bound: no schedule has a lower mean E2E, even one that knows all requests beforehand; proven by prices of memory (",
  );
  expect(said).toMatch(/Dearest: KV memory from rounds [\d,]+ to [\d,]+, where 1,000 more tokens for a round/);
  expect(said).not.toMatch(/optim/i);
});

test("a trace from standard input, in gzip, and more requests than it has", async () => {
  const args = ["bound", "-", "--kv-tokens", "60", ...burst, "--requests", "100", "--json"];
  const { code, stdout, stderr } = await evenkeel(args, withoutSoftware, gzipSync(readFileSync(many)));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout)).toMatchObject({ source: "standard input", requests: 100, recorded: 40, drawn: true });
});

describe("the proof", () => {
  const args = [many, "--kv-tokens", "60", "--slots", "8", ...burst];

  test("is written, proves the bound by itself, and is checked without a search", async () => {
    const prices = path(".json");
    const { bound } = await report([...args, "--prices", prices]);
    const { kv, slot, mean } = JSON.parse(readFileSync(prices, "utf8"));
    expect(mean).toBe(bound.mean);
    const rows = readFileSync(many, "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(",").map(Number));
    const trace = {
      ...{ requests: 40, arrival: new Float64Array(40) },
      ...{ input: Int32Array.from(rows, ([s]) => s), output: Int32Array.from(rows, ([, o]) => o) },
    };
    expect(certifyBound(trace, { kvTokens: 60, slots: 8 }, { kv, slot })).toEqual({ valid: true, total: bound.total });
    const certificate = JSON.parse(await words([...args, "--certify", prices, "--json"]));
    expect(certificate).toEqual({ valid: true, claimed: bound.mean, proven: bound.mean });
    expect((await words([...args, "--certify", prices])).replaceAll("\n", " ")).toContain(
      "Proven: a bound of mean E2E of ",
    );
  });

  test("of another memory, or with a claim that is too high, proves less, with exit code 1", async () => {
    const prices = path(".json");
    await report([...args, "--prices", prices]);
    const wider = args.map((arg) => (arg === "60" ? "70" : arg));
    expect((await words([...wider, "--certify", prices], 1)).replaceAll("\n", " ")).toMatch(
      /^NOT proven: .*: the prices prove [\d.]+ rounds\./,
    );
    const more = { ...JSON.parse(readFileSync(prices, "utf8")) };
    more.mean += 1e-9;
    expect(JSON.parse(await words([...args, "--certify", file(more), "--json"], 1))).toMatchObject({ valid: false });
    more.kv[1] = -1;
    expect(await words([...args, "--certify", file(more)], 1)).toContain("the prices prove nothing");
  });

  test("in seconds has prices of workers' time, too", async () => {
    const [prices, stepTime] = [path(".json"), file({ ...plainTime, perSequence: 0.01, perPrefillToken: 1e-3 })];
    const seconds = [
      many,
      "--kv-tokens",
      "200",
      "--workers",
      "2",
      "--rate",
      "3",
      "--requests",
      "400",
      "--step-time",
      stepTime,
    ];
    const { bound } = await report([...seconds, "--prices", prices]);
    expect(bound.proof).toBe("steps");
    const certificate = JSON.parse(await words([...seconds, "--certify", prices, "--json"]));
    expect(certificate).toEqual({ valid: true, claimed: bound.mean, proven: bound.mean });
    const other = JSON.parse(readFileSync(prices, "utf8"));
    other.steps.step[0] *= 2;
    expect(JSON.parse(await words([...seconds, "--certify", file(other), "--json"], 1)).proven).toBeLessThan(
      bound.mean,
    );
    other.steps.step[0] = -1;
    expect(await words([...seconds, "--certify", file(other)], 1)).toContain("the prices prove nothing");
    delete other.steps.kv;
    await expectRefused("", ["bound", ...seconds, "--certify", file(other)], "steps.kv: expected an array of prices");
  });

  test.each([
    ["no JSON", "kv", "JSON, plain or in gzip"],
    ["something else", { kv: [1] }, "{ mean, kv, slot }, as bound --prices writes them"],
    ["no array", { mean: 1, kv: 3 }, "kv: expected an array of prices"],
    ["no number", { mean: 1, kv: [0, "1"] }, "kv[1]: expected a number"],
    [
      "slots of another length",
      { mean: 1, kv: [0, 1], slot: [0] },
      "slot: expected 2 prices, as there are of the first kind, got 1",
    ],
  ])("a file that is %s is refused", async (name, content, message) => {
    await expectRefused(name, ["bound", ...args, "--certify", file(content)], message);
  });
});

test("writes a page with the price of memory over time, without scripts", async () => {
  const page = path(".html");
  await words([many, "--kv-tokens", "60", ...burst, "--html", page]);
  const html = readFileSync(page, "utf8");
  expect(html).toContain("<title>How far from the best: ");
  expect(html).toContain("shadow price of 1,000 KV tokens");
  expect(html).not.toContain("<script");
  const free = path(".html");
  await words([two, "--kv-tokens", "90", ...burst, "--html", free]);
  expect(readFileSync(free, "utf8")).toContain("Nothing has a price");
});

test.each([
  ["no memory", [two, ...burst], "--kv-tokens"],
  [
    "too little memory",
    [two, "--kv-tokens", "4", ...burst],
    "--kv-tokens: expected at least the 5 that request 0 holds at its end, got 4",
  ],
  ["requests that all come at once, unasked", [two, "--kv-tokens", "9"], "--rate inf lets all come at once"],
  [
    "a step time of rounds",
    [two, "--kv-tokens", "9", ...burst, "--step-time", two],
    "--step-time needs --clock seconds",
  ],
  ["a search and a check", [two, "--kv-tokens", "9", ...burst, "--certify", two, "--prices", "p"], "--certify <file>"],
  [
    "standard input twice",
    ["-", "--kv-tokens", "9", ...burst, "--certify", "-"],
    "--certify: expected a file, where the trace is standard input",
  ],
  ["no evaluations", [two, "--kv-tokens", "9", ...burst, "--evaluations", "0"], "Expected an integer from 1"],
  ["a folder to write to", [two, "--kv-tokens", "9", ...burst, "--prices", "/"], "--prices"],
])("%s is refused", async (name, args, message) => {
  await expectRefused(name, ["bound", ...args], message);
});

test("Ctrl-C ends the search with exit code 130, without a word or a file", async () => {
  const folder = path();
  mkdirSync(folder);
  const rows = Array.from({ length: 20_000 }, (_, i) => `${1 + (i % 97)},${1 + ((31 * i) % 211)}`);
  const long = file(`input_tokens,output_tokens\n${rows.join("\n")}\n`);
  const target = join(folder, "prices.json");
  const args = [
    "bound",
    long,
    "--kv-tokens",
    "4000",
    ...burst,
    "--backend",
    "cpu",
    "--evaluations",
    "1000000",
    "--prices",
    target,
  ];
  const run = spawn(process.execPath, [cli, ...args], { env: { ...process.env, ...withoutSoftware }, stdio: "pipe" });
  const said = { stdout: "", stderr: "" };
  run.stdout.on("data", (chunk) => (said.stdout += chunk));
  run.stderr.on("data", (chunk) => (said.stderr += chunk));
  await new Promise((resume) => setTimeout(resume, 1500)); // it works for much longer
  run.kill("SIGINT");
  expect(await once(run, "exit")).toEqual([130, null]);
  expect(said).toEqual({ stdout: "", stderr: "" });
  expect([existsSync(target), readdirSync(folder)]).toEqual([false, []]);
});

test.skipIf(!recordedDataPresent)(`1,000 requests of BurstGPT ${needsRecordedData}`, async () => {
  const recorded = recordedPath("requests/burstgpt_8000_lengths.csv.gz");
  const args = [recorded, "--kv-tokens", "16492", ...burst, "--requests", "1000", "--backend", "cpu"];
  const { bound, schedules } = await report(args);
  expect(bound.mean).toBeGreaterThan(195.7); // the linear program's optimum: 195.90
  expect(bound.mean).toBeLessThan(195.91);
  const [fcfs, , svf, best] = schedules.map(({ overBound }) => overBound);
  expect(svf).toBeCloseTo(1.047, 3);
  expect(fcfs).toBeCloseTo(8.745, 2);
  expect(best).toBeLessThan(1.034); // a mean of 202.5
  expect(best).toBeGreaterThan(1);
});
