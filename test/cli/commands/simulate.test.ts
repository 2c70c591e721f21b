import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { SimulationReport } from "../../../src/cli/reports/simulation_report.ts";
import { cli, evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { report } from "../simulated.ts";

const { file, path } = ownFiles();

const vidur = (...rows: number[][]) => ["arrived_at,num_prefill_tokens,num_decode_tokens", ...rows].join("\n");
/** Three requests, of which two come at once: what becomes of them is soon worked out by hand. */
const three = vidur([0, 3, 2], [0, 2, 1], [1, 4, 3]);
const lengths = file("input_tokens,output_tokens\n40,20\n300,60\n900,10\n20,200\n");
const small = ["--slots", "1", "--kv-tokens", "100", "--clock", "rounds"];
const drawn = [lengths, "--workers", "3", "--slots", "8", "--kv-tokens", "4000", "--rate", "40", "--requests", "300"];

const named = ({ policies }: SimulationReport) => Object.fromEntries(policies.map((one) => [one.policy, one]));

describe("by hand", () => {
  test("one worker with one slot: each waits for the one before it", async () => {
    const { policies, ...setting } = await report([file(three), "--workers", "1", ...small, "--route", "least-kv"]);
    expect(setting).toMatchObject({
      requests: 3,
      recorded: 3,
      workers: 1,
      clock: "rounds",
      seeds: [1],
      prefill: "whole",
    });
    expect(setting).not.toHaveProperty("stepTime");
    const [{ policy, figures, summaries }] = policies;
    expect([policies.length, policy]).toEqual([1, "least-kv"]);
    // Starts 0, 2, 3; first tokens 1, 3, 4; ends 2, 3, 6.
    expect(summaries[0]).toMatchObject({
      requests: 3,
      completed: 3,
      rejected: 0,
      from: 0,
      to: 3,
      makespan: 6,
      steps: 6,
    });
    expect(figures["ttft.mean"]!.mean).toBeCloseTo((1 + 3 + 3) / 3, 12);
    expect(figures["latency.mean"]!.mean).toBeCloseTo((2 + 3 + 5) / 3, 12);
    expect(figures["tpot.p99"]!.mean).toBe(1);
    expect(figures["wait.p50"]!.mean).toBe(2);
    expect(figures.queue!.mean).toBeCloseTo((2 + 2) / 3, 12);
    expect(figures["ttft.mean"]!.halfWidth).toBeNull(); // too few
    // The second first would be sooner: 1 + 3 + 5, which no order on one slot is below.
    expect(setting.bound).toMatchObject({ mean: 9 / 3, proof: "prices", round: 1 });
    expect(policies[0].overBound).toBeCloseTo(10 / 9, 12);
  });

  test("two workers: the third goes to the one that is free, or by turns to the other", async () => {
    const both = await report([file(three), "--workers", "2", ...small, "--route", "round-robin"]);
    expect(both.policies.map(({ policy }) => policy)).toEqual(["least-kv", "round-robin"]);
    const { "least-kv": least, "round-robin": turns } = named(both);
    expect(least.figures["latency.mean"]!.mean).toBeCloseTo((2 + 1 + 3) / 3, 12);
    expect(turns.figures["latency.mean"]!.mean).toBeCloseTo((2 + 1 + 4) / 3, 12);
    expect(turns.figures["latency.mean"]!.difference!.mean).toBeCloseTo(1 / 3, 12);
    expect(least.figures["latency.mean"]).not.toHaveProperty("difference");
  });

  test("in seconds a step takes what the file says, and SLOs are in ms", async () => {
    const stepTime = { base: 2, perSequence: 0.5, perKvToken: 0, perPrefillToken: 0.25, perContext: 0 };
    const args = [file(three), "--workers", "1", "--slots", "1", "--kv-tokens", "100", "--slo-ttft", "6000"];
    for (const given of [stepTime, { stepTime, error: 0.1, heldOutError: 0.2 }]) {
      const from = file(given);
      const { policies, ...setting } = await report([...args, "--step-time", from, "--route", "least-kv"]);
      expect(setting).toMatchObject({ stepTime, stepTimeFrom: from, slo: { ttft: 6 } });
      // Prefills last 3.25, 3 and 3.5 s, other steps 2.5 s: first tokens at 3.25, 8.75 and 12.25 s, ends at 5.75, 8.75 and 17.25 s.
      expect(policies[0].figures["ttft.mean"]!.mean).toBeCloseTo((3.25 + 8.75 + 11.25) / 3, 12);
      expect(policies[0].summaries[0].makespan).toBeCloseTo(17.25, 12);
      expect(policies[0].figures.goodput!.mean).toBeCloseTo(1 / 8.75, 12); // until the last start one of the two that ended was in time
    }
  });
});

test("over seeds: means, intervals by Student's t, and differences seed by seed", async () => {
  const three = await report([...drawn, "--seeds", "3", "--seed", "7", "--route", "round-robin"]);
  expect(three).toMatchObject({ seeds: [7, 8, 9], requests: 300, recorded: 4, drawn: true, rate: 40 });
  const { "least-kv": least, "round-robin": turns } = named(three);
  const t2 = 4.30265;
  const estimate = (values: number[]) => {
    const mean = values.reduce((a, b) => a + b) / 3;
    return [mean, t2 * Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 2 / 3)];
  };
  const own = turns.summaries.map(({ ttft }) => ttft.p99);
  expect(new Set(own).size).toBe(3);
  const { mean, halfWidth, difference } = turns.figures["ttft.p99"]!;
  const close = (found: number[], expected: number[]) => {
    for (const [i, value] of expected.entries()) expect(found[i] / value).toBeCloseTo(1, 5);
  };
  close([mean, halfWidth], estimate(own));
  const paired = least.summaries.map(({ ttft }, s) => own[s] - ttft.p99);
  close([difference!.mean, difference!.halfWidth], estimate(paired));
  // One seed alone is one of the three.
  const { summaries } = named(await report([...drawn, "--seed", "8", "--route", "round-robin"]))["round-robin"];
  expect(summaries[0]).toEqual(turns.summaries[1]);
});

test("a trace keeps its order where only arrivals are drawn, and is cut where fewer requests are asked for", async () => {
  const args = ["--workers", "1", ...small, "--route", "least-kv"];
  const all = await report([file(three), ...args, "--rate", "inf"]);
  expect(all).toMatchObject({ rate: "inf", drawn: false });
  expect(all.policies[0].figures["latency.mean"]!.mean).toBeCloseTo((2 + 3 + 6) / 3, 12);
  const two = await report([file(three), ...args, "--requests", "2"]);
  expect(two).toMatchObject({ requests: 2, recorded: 3 });
  expect(two.policies[0].summaries[0].makespan).toBe(3);
});

test("standard input, in gzip; a closed pool behind a barrier; what is too large is counted", async () => {
  const input = gzipSync(vidur([0, 3, 2], [0, 200, 1], [0, 4, 3]));
  const args = ["-", "--workers", "2", ...small, "--pool", "2", "--barrier", "--reject", "--prediction", "bins:4"];
  const result = await report(args, input);
  expect(result).toMatchObject({ source: "standard input", pool: 2, barrier: true, tooLarge: "reject" });
  expect(result.policies.map(({ policy }) => policy)).toEqual(["round-robin", "least-kv", "bfio"]);
  for (const { summaries } of result.policies)
    expect(summaries[0]).toMatchObject({ completed: 2, rejected: 1, steps: 3 });
});

test("prefill in chunks, or by workers of its own; stale signals; a warm-up", async () => {
  const base = [file(three), "--workers", "1", ...small, "--route", "least-kv"];
  const chunked = await report([...base, "--chunk", "2"]);
  expect(chunked.policies[0].summaries[0].makespan).toBe(6 + 1 + 1); // the prompts of 3 and 4 take a step more each
  const apart = await report([...base, "--prefill-workers", "1", "--bandwidth", "2", "--staleness", "3"]);
  expect(apart).toMatchObject({ prefill: { workers: 1, bandwidth: 2 }, staleness: 3 });
  const late = await report([...base, "--warm-up", "1"]);
  expect(late.policies[0].summaries[0]).toMatchObject({ requests: 1, from: 1, ttft: { mean: 3 } });
});

describe("--schedule", () => {
  test("every way to schedule with every way to route, and SVF beside them", async () => {
    const ways = ["--route", "round-robin", "--schedule", "fcfs,mcsf", "--prediction", "exact"];
    const result = await report([
      ...drawn,
      ...ways,
      "--eviction",
      "recompute",
      "--classes",
      "100",
      "--slo-ttft",
      "400,900",
    ]);
    const policies = ["least-kv", "round-robin"].flatMap((route) =>
      ["fcfs", "mcsf", "svf"].map((one) => `${route} + ${one}`),
    );
    expect(result.policies.map(({ policy }) => policy)).toEqual(policies);
    expect(result).toMatchObject({
      reference: "least-kv + svf",
      eviction: "recompute",
      classes: [100],
      slo: [{ ttft: 0.4 }, { ttft: 0.9 }],
    });
    for (const { summaries, figures, policy } of result.policies) {
      expect(summaries[0].completed).toBe(300);
      expect(summaries[0].fairness).toBeLessThanOrEqual(1);
      expect(figures["latency.mean"]!.difference === undefined).toBe(policy === "least-kv + svf");
    }
  });

  test("without predictions those that need none, compared with the first", async () => {
    const result = await report([...drawn, "--route", "least-kv", "--schedule", "sjf,priority"]);
    expect(result.policies.map(({ policy }) => policy)).toEqual(["least-kv + sjf", "least-kv + priority"]);
    expect(result.reference).toBe("least-kv + sjf");
  });

  test("WAIT has its thresholds from the trace's own rates and lengths, or says that the memory is too small for it", async () => {
    const base = [...drawn.slice(0, drawn.indexOf("--slots")), "--slots", "2000", "--rate", "5", "--requests", "200"];
    const { code, stderr } = await evenkeel(
      ["simulate", ...base, "--kv-tokens", "1000", "--schedule", "wait", "--route", "least-kv"],
      withoutSoftware,
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^evenkeel: .*--schedule wait: --kv-tokens: expected at least M_pi = .*There is no WAIT for this budget\.\n$/,
    );
    const result = await report([
      ...base,
      "--kv-tokens",
      "10000000",
      "--schedule",
      "fcfs,wait,nested-wait",
      "--route",
      "least-kv",
    ]);
    expect(result.policies.map(({ summaries }) => summaries[0].completed)).toEqual([200, 200, 200]);
  });
});

test("--vllm writes the run of one policy, for who plots those of vLLM", async () => {
  const to = path(".json");
  const result = await report([...drawn, "--route", "power-of-two", "--vllm", to]);
  const run = JSON.parse(readFileSync(to, "utf8"));
  expect(run.input_lens).toHaveLength(300);
  const { ttft } = named(result)["power-of-two"].summaries[0];
  expect(run.mean_ttft_ms).toBeCloseTo(1e3 * ttft.mean, 6);
  expect(run.mean_ttft_ms).not.toBeCloseTo(1e3 * named(result)["least-kv"].summaries[0].ttft.mean, 6);
});

test("Ctrl-C ends it with exit code 130, without a word or a file", async () => {
  const there = path();
  mkdirSync(there);
  const long = drawn.with(-1, "3000000");
  const args = [cli, "simulate", ...long, "--html", join(there, "out")];
  const run = spawn(process.execPath, args, { env: { ...process.env, ...withoutSoftware }, stdio: "pipe" });
  const said = { stdout: "", stderr: "" };
  run.stdout.on("data", (chunk) => (said.stdout += chunk));
  run.stderr.on("data", (chunk) => (said.stderr += chunk));
  await new Promise((resume) => setTimeout(resume, 1500));
  run.kill("SIGINT");
  expect(await once(run, "exit")).toEqual([130, null]);
  expect(said).toEqual({ stdout: "", stderr: "" });
  expect(existsSync(there) && readdirSync(there)).toEqual([]);
});
