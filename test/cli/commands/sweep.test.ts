import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { defaultStepTime } from "../../../src/cli/reports/default_step_time.ts";
import { breakingRates } from "../../../src/serving/sweep/breaking_rates.ts";
import { meanOfSeeds, paretoFront } from "../../../src/serving/sweep/pareto.ts";
import { sweep } from "../../../src/serving/sweep/sweep.ts";
import type { SweepGrid } from "../../../src/serving/sweep/sweep_grid.ts";
import { cli, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { captionsOf, headlinesOf, tablesOf } from "../print/html.ts";
import { printed, report, sized, sweptCsv, sweptTrace } from "../swept.ts";

const { file, path } = ownFiles();
const trace = file(sweptCsv);
const worker = { slots: 8, kvTokens: 1500, stepTime: defaultStepTime };
const onCpu = { backend: "cpu" } as const;
/** As JSON has it. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value));

describe("what it finds", () => {
  test("is what the library says of the same grid", async () => {
    const found = await report(sized(trace));
    const grid: SweepGrid = { clock: "seconds", worker, workers: [1, 2, 3], seeds: [1] };
    expect(found.scenarios).toEqual(plain((await sweep(sweptTrace, grid, onCpu)).scenarios));
    expect(found).toMatchObject({ source: trace, requests: 60, recorded: 60, stepTimeFrom: "default" });
    expect(found.grid).toMatchObject({ routing: ["leastKv"], scheduling: ["fcfs"], arrivals: "replay" });
    for (const none of ["fewest", "breaking", "attainment", "shard", "classes"]) expect(found).not.toHaveProperty(none);
  });

  test("with every option: policies, rates drawn for each seed, chunks, classes, predictions, limits in ms", async () => {
    const stepTime = { ...defaultStepTime, base: 0.02 };
    const found = await report([
      ...sized(trace, "--workers", "2,4", "--kv-tokens", "950", "--step-time", file({ stepTime })),
      ...["--route", "bfio,round-robin", "--schedule", "priority,svf", "--rates", "2,4.5", "--arrivals", "poisson"],
      ...["--seeds", "2", "--seed", "5", "--chunk", "128", "--eviction", "recompute", "--prediction", "factor:1.5"],
      ...["--classes", "100", "--slo-ttft", "300", "--slo-tpot", "40", "--attainment", "0.9", "--requests", "50"],
      ...["--reject", "--slots", "6"],
    ]);
    const first = <T extends { slice(from: number, to: number): T }>(values: T) => values.slice(0, 50);
    const { arrival, input, output } = sweptTrace;
    const short = { requests: 50, arrival: first(arrival), input: first(input), output: first(output) };
    const classes = short.input.map((tokens) => (tokens > 100 ? 1 : 0));
    const grid: SweepGrid = {
      ...{ clock: "seconds", worker: { slots: 6, kvTokens: 950, stepTime }, workers: [2, 4] },
      ...{ routing: ["bfio", "roundRobin"], scheduling: ["priority", "svf"], rates: [2, 4.5], arrivals: "poisson" },
      ...{ seeds: [5, 6], prefill: { chunk: 128 }, eviction: "recompute", prediction: { factor: 1.5 } },
      ...{ slo: { ttft: 0.3, tpot: 0.04 }, tooLarge: "reject" },
    };
    const { scenarios } = await sweep({ ...short, class: classes }, grid, onCpu);
    expect(found.scenarios).toEqual(plain(scenarios));
    expect(found).toMatchObject({ classes: [100], attainment: 0.9, requests: 50, recorded: 60 });
    const means = meanOfSeeds(scenarios);
    const fronts = [2, 4.5].map((rate) => paretoFront(means.filter((one) => one.rate === rate)));
    expect(found.front).toEqual(plain(fronts.flat()));
    expect(found.fewest).toHaveLength(8);
    for (const { routing, scheduling, rate, workers } of found.fewest!) {
      const of = means.filter((m) => m.routing === routing && m.scheduling === scheduling && m.rate === rate);
      const good = of.filter((m) => m.attainment! >= 0.9).map((m) => m.workers);
      expect(workers).toBe(good.length > 0 ? Math.min(...good) : null);
    }
    expect(new Set(found.fewest!.map(({ workers }) => workers)).size).toBeGreaterThan(1);
  });

  test("in rounds, and at the trace's own rate times something", async () => {
    const found = await report(sized(trace, "--clock", "rounds", "--rates", "0.1x,1x", "--slo-tpot", "3"));
    expect(found.grid.worker).toEqual({ slots: 8, kvTokens: 1500 });
    expect(found.grid.rates![1]).toBeCloseTo(3, 10);
    expect(found.grid.rates![0]).toBeCloseTo(0.3, 10);
    expect(found.grid.slo).toEqual({ tpot: 3 });
    expect(found).not.toHaveProperty("stepTimeFrom");
  });

  test("breaking rates are the library's", async () => {
    const slo = ["--slo-ttft", "400", "--slo-tpot", "45", "--attainment", "0.95"];
    const routes = ["--route", "round-robin,least-kv", "--workers", "1,2", "--requests", "30"];
    const { breaking } = await report(sized(trace, ...routes, ...slo, "--breaking-rates"));
    const short = {
      requests: 30,
      ...{ arrival: sweptTrace.arrival.slice(0, 30), input: sweptTrace.input.slice(0, 30) },
      output: sweptTrace.output.slice(0, 30),
    };
    const grid: SweepGrid = {
      ...{ clock: "seconds", worker, workers: [1, 2], routing: ["roundRobin", "leastKv"], seeds: [1] },
      slo: { ttft: 0.4, tpot: 0.045 },
    };
    expect(breaking).toEqual(plain(await breakingRates(short, grid, { ...onCpu, attainment: 0.95 })));
    expect(breaking!.every(({ holds, breaks }) => holds > 0 && breaks > holds)).toBe(true);
  });

  test("of standard input, in gzip", async () => {
    const [fromFile, fromInput] = await Promise.all([
      report(sized(trace)),
      report(sized("-"), gzipSync(Buffer.from(sweptCsv))),
    ]);
    expect(fromInput).toEqual({ ...fromFile, source: "standard input" });
  });

  test("a figure that there is not is null: TPOT of single tokens", async () => {
    const ones = file("arrived_at,num_prefill_tokens,num_decode_tokens\n0,3,1\n1,4,1\n");
    const { scenarios, front } = await report(sized(ones));
    expect(scenarios[0].tpot).toEqual({ mean: null, p50: null, p90: null, p95: null, p99: null });
    expect(front.length).toBeGreaterThan(0);
    expect(await printed(sized(ones))).toMatch(/^least-kv +1 +[\d.]+ ms +- /m);
  });
});

test("in words: the front, the fewest workers, the breaking rates, what was served, and how long it took", async () => {
  const slo = ["--slo-ttft", "400", "--attainment", "0.95", "--breaking-rates"];
  const lines = (await printed(sized(trace, "--rates", "1,1e3", ...slo))).split("\n");
  expect(lines[0]).toMatch(/^Pareto front at each rate, \d of 6 configurations:$/);
  expect(lines[1].split(/ {2,}/)).toEqual([
    ...["policy", "requests/s", "workers", "TTFT p99", "TPOT p99", "tokens/s a worker", "J per token", "within SLO"],
  ]);
  expect(lines[2]).toMatch(/^least-kv +1 +1 +[\d.]+ ms +[\d.]+ ms +[\d,.]+ +[\d.]+ +[\d.]+ %$/);
  const fewest = lines.indexOf("Fewest workers within the SLO at each rate:");
  expect(lines[fewest + 1]).toMatch(/^policy +1\/s +1,000\/s$/);
  expect(lines[fewest + 2]).toMatch(/^least-kv +1 +more than 3$/);
  const breaking = lines.indexOf("Rate at which the SLO breaks:");
  expect(lines.slice(breaking + 2, breaking + 5).every((line) => /^least-kv +[123] +[\d.]+ +[\d.]+ /.test(line))).toBe(
    true,
  );
  const text = lines.join(" ");
  expect(text).toContain(`60 requests of ${trace}, arriving as recorded, faster or slower for each rate.`);
  expect(text).toContain("The SLO: 95 % of the requests with TTFT <= 400 ms.");
  expect(lines.at(-2)).toMatch(/^6 scenarios on the CPU, [\d,.]+ ms each\. The caller asked for the CPU\.$/);
});

test("a long front is cut on a terminal, and whole in the files", async () => {
  const [html, out] = [path(), path()];
  const args = sized(trace, "--workers", "1-16", "--route", "least-kv,round-robin,bfio", "--requests", "12");
  const said = await printed([...args, "--rates", "1,2,3,4,5,6,7,8", "--html", html, "--out", out]);
  const { front } = JSON.parse(readFileSync(out, "utf8"));
  expect(said).toContain(`and ${front.length - 40} more, which --json and --html show.`);
  const [table] = tablesOf(readFileSync(html, "utf8"));
  expect(table).toHaveLength(1 + front.length);
  expect(statSync(html).size).toBeLessThan(1e6);
});

test("--html is one file without scripts, with the fronts, what more workers do, and the tables", async () => {
  const hostile = path("<script>alert(1)</script>.html".replaceAll("/", ""));
  const page = async (...args: string[]) => {
    await printed(sized(trace, ...args, "--html", hostile));
    return readFileSync(hostile, "utf8");
  };
  const html = await page("--rates", "1,3", "--slo-ttft", "400", "--breaking-rates", "--route", "least-kv,bfio");
  expect(html).not.toMatch(/<script|<img|<link|url\([^#]|<[^>]* on\w+=/i);
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
  expect(captionsOf(html).map((caption) => caption.split(" ").slice(0, 4).join(" "))).toEqual([
    ...["The most tokens per", "The most tokens per", "99th percentile of TTFT"],
    ...["Share of the requests", "The highest rate at"],
  ]);
  expect(captionsOf(html)[2]).toContain("with the best policy");
  expect(tablesOf(html).map(([head]) => head.length)).toEqual([8, 3, 6]);
  expect(headlinesOf(html).map(([name]) => name)).toEqual([
    ...["99th percentile of TTFT", "99th percentile of TPOT", "Tokens a worker", "Energy per token", "Simulated"],
  ]);
  const single = await page("--workers", "2");
  expect(captionsOf(single)).toHaveLength(2);
  expect(single).not.toMatch(/NaN|undefined|Infinity/);
});

test("Ctrl-C ends it with exit code 130, without a word or a file", async () => {
  const out = path();
  const long = file(`${sweptCsv}\n${Array.from({ length: 4e4 }, (_, i) => `${20 + i},900,120`).join("\n")}`);
  const args = sized(long, "--workers", "1-512", "--out", out);
  const run = spawn(process.execPath, [cli, ...args], { env: { ...process.env, ...withoutSoftware }, stdio: "pipe" });
  let said = "";
  for (const stream of [run.stdout, run.stderr]) stream.on("data", (chunk) => (said += chunk));
  await new Promise((resume) => setTimeout(resume, 1500)); // it works for longer
  run.kill("SIGINT");
  expect(await once(run, "exit")).toEqual([130, null]);
  expect(said).toBe("");
  expect(existsSync(out)).toBe(false);
});
