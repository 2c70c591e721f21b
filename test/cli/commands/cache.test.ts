import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { CacheReport } from "../../../src/cli/reports/cache_report.ts";
import { seeded } from "../../../src/common/random.ts";
import { chromiumPresent, evaluateInChromium, needsChromium } from "../../helpers/chromium.ts";
import { needsRecordedData, recordedDataPresent, recordedPath } from "../../helpers/recorded.ts";
import { cli, evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { captionsOf, headlinesOf, inPage, tablesOf } from "../print/html.ts";

const { file, path } = ownFiles();

/** One that is dear, between two that are not. */
const dear = file("0 a 1 5\n1 b 1 1\n2 a 1 5\n3 c 1 1\n4 a 1 5\n5 b 1 1\n");
const prompt = (timestamp: number, input_length: number, hash_ids: number[]) =>
  JSON.stringify({ timestamp, input_length, output_length: 1, hash_ids });
const prompts = file(
  [prompt(0, 1024, [1, 2]), prompt(1000, 1024, [1, 3]), prompt(2000, 700, [1, 2])].join("\n"),
  ".jsonl",
);

/** Sizes and costs of many kinds: the same object has always the same. */
function mixed(requests: number, objects: number): string {
  const { next } = seeded(7);
  const rows = Array.from({ length: requests }, (_, i) => {
    const key = Math.floor(objects * next() ** 3);
    return `${i} ${key} ${1 + ((7 * key) % 13)} ${1 + ((31 * key) % 101)}`;
  });
  return `${rows.join("\n")}\n`;
}
const many = file(mixed(3000, 300));

async function words(args: string[], expected = 0): Promise<string> {
  const { code, stdout, stderr } = await evenkeel(["cache", ...args], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: expected, stderr: "" });
  return stdout;
}

const report = async (args: string[]): Promise<CacheReport> => JSON.parse(await words([...args, "--json"]));
const costs = ({ capacities }: CacheReport) =>
  capacities.map(({ policies }) => Object.fromEntries(policies.map(({ policy, cost }) => [policy, cost])));

describe("by hand", () => {
  test("one that is dear, between two that are not", async () => {
    const found = await report([dear, "--capacity", "2,1", "--policies", "lru,lfu,fifo,lec"]);
    expect(found).toMatchObject({
      ...{ requests: 6, objects: 3, footprint: 3, sizes: [1, 1], costs: [1, 5], costWithout: 18, costWithAll: 7 },
      policies: ["lru", "lfu", "fifo", "lec"],
    });
    expect(costs(found)).toEqual([
      { lru: 18, lfu: 18, fifo: 18, lec: 8 },
      { lru: 8, lfu: 8, fifo: 13, lec: 7 },
    ]);
    const [one, two] = found.capacities;
    expect([one.capacity, one.share, two.capacity]).toEqual([1, 1 / 3, 2]);
    expect([one.bound, two.bound]).toEqual([
      { cost: 8, exact: true },
      { cost: 7, exact: true },
    ]);
    expect(one.policies.map(({ overBound }) => overBound)).toEqual([18 / 8, 18 / 8, 18 / 8, 1]);
    const [lru] = two.policies;
    expect(lru).toMatchObject({ hitRatio: 2 / 6, byteHitRatio: 2 / 6, regret: 7, latency: { mean: 8 / 6, p50: 1 } });
  });

  test("prompts' blocks, in tokens and in seconds", async () => {
    const found = await report([prompts, "--capacity", "1024,100%", "--policies", "lru"]);
    expect(found).toMatchObject({ prompts: 3, requests: 6, objects: 3, footprint: 1536, costUnit: "tokens" });
    expect(costs(found)).toEqual([{ lru: 4 * 512 }, { lru: 3 * 512 }]);
    expect(found.capacities.map(({ bound }) => bound)).toEqual([
      { cost: 1536, exact: true },
      { cost: 1536, exact: true },
    ]);
    const stepTime = file({ base: 1, perSequence: 0, perKvToken: 0, perPrefillToken: 0.25, perContext: 0 });
    const seconds = await report([prompts, "--capacity", "100%", "--step-time", stepTime]);
    expect(seconds).toMatchObject({ costUnit: "s", costWithout: 0.25 * (5 * 512 + 188), costWithAll: 0.25 * 3 * 512 });
  });

  test("hits that take time are part of the latency, not of the cost", async () => {
    const loads = file("l 0x10 1 2 10\nl 0x10 1 2 10\ns 0x20 1 2 30\n");
    const [{ policies }] = (await report([loads, "--capacity", "1", "--policies", "lru"])).capacities;
    expect(policies[0]).toMatchObject({ cost: 40, latency: { mean: 14 } });
  });
});

test("in % of the footprint, each capacity once, ascending; no policy is below the bound", async () => {
  const found = await report([many, "--capacity", "20%,5%,20 %"]);
  const { footprint, costWithAll, capacities } = found;
  expect(capacities.map(({ share }) => share)).toEqual([0.05, 0.2]);
  expect(capacities.map(({ capacity }) => capacity)).toEqual([0.05, 0.2].map((share) => Math.floor(share * footprint)));
  for (const { bound, policies } of capacities) {
    expect(policies.map(({ policy }) => policy)).toEqual([
      ...["lru", "lfu", "fifo", "s3fifo", "gdsf", "lec", "lec-confidence"],
    ]);
    expect(bound!.cost).toBeGreaterThan(costWithAll);
    for (const { cost, overBound } of policies) {
      expect(overBound).toBe(cost / bound!.cost);
      expect(overBound).toBeGreaterThanOrEqual(1);
    }
  }
});

test("the trace from standard input, in gzip, without a bound", async () => {
  const args = ["cache", "-", "--capacity", "2", "--no-bound", "--json"];
  const { code, stdout, stderr } = await evenkeel(args, withoutSoftware, gzipSync(readFileSync(dear)));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { source, capacities }: CacheReport = JSON.parse(stdout);
  expect(source).toBe("standard input");
  expect(capacities[0]).not.toHaveProperty("bound");
  expect(capacities[0].policies[0]).not.toHaveProperty("overBound");
});

test("says on a terminal what costs what, and what all of it means", async () => {
  const said = await words([dear, "--capacity", "0.5,1,4", "--policies", "lru,lec,lec-confidence"]);
  expect(said).toContain("Capacity 0.5, 16.7 % of the footprint, where nothing fits:\n");
  expect(said).toContain("Capacity 4, 133 % of the footprint, where all fits:\n");
  const [, table] = said.split("\n\n");
  expect(table.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["Capacity 1, 33.3 % of the footprint:"],
    ["policy", "cost", "x bound", "hits", "latency mean", "p99", "regret"],
    ["lru", "18", "2.250", "0.0 %", "3.00", "5.00", "15"],
    ["lec", "8", "1.000", "33.3 %", "1.33", "4.80", "5"],
    ["lec-confidence", "8", "1.000", "33.3 %", "1.33", "4.80", "5"],
    ["optimum", "8", "1.000", "-", "-", "-", "-"],
  ]);
  const legend = said.replaceAll("\n", " ");
  expect(legend).toContain(`6 requests for 3 objects of ${dear}; the footprint, all of them together, is 3.`);
  expect(legend).toContain("Without a cache the cost is 18, and with room for all 7, since");
  expect(legend).toContain("Least cost: all alike at 16.7 %, 133 %; lec and lec-confidence at 33.3 %.");
  expect(legend).toContain("lru: by use alone, whatever sizes and costs are. lec-confidence knows how many");
  const blocks = (await words([prompts])).replaceAll("\n", " ");
  expect(blocks).toContain(`6 requests for 3 blocks of the 3 prompts of ${prompts}; the footprint`);
  expect(blocks).toContain("is 1,536 tokens. Every miss costs 512 tokens. Without a cache the cost is 3,072 tokens,");
  expect(blocks).not.toContain("Latency"); // hits tell it
});

/** cost >= sum c_t - C sum mu_t - sum_j max(0, c_j - size_j sum of mu over the gap j), by the file and the trace alone. */
function provenBy(prices: readonly number[], capacity: number, trace: string): number {
  const rows = readFileSync(trace, "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  let proven = -capacity * prices.reduce((sum, price) => sum + price, 0);
  for (const [t, [, key, size, cost]] of rows.entries()) {
    const before = rows.slice(0, t).findLastIndex((row) => row[1] === key);
    const paid = prices.slice(before, t).reduce((sum, price) => sum + price, 0);
    proven += before < 0 ? Number(cost) : Math.min(Number(cost), Number(size) * paid);
  }
  return proven;
}

describe("the proof", () => {
  const args = [many, "--capacity", "5%,10%", "--policies", "lru"];

  test("is written, proves the bounds by itself, and is checked without a search", async () => {
    const prices = path(".json");
    const { capacities } = await report([...args, "--prices", prices]);
    const { bounds } = JSON.parse(readFileSync(prices, "utf8"));
    const claimed = capacities.map(({ capacity, bound }) => ({ capacity, cost: bound!.cost }));
    expect(bounds).toMatchObject(claimed);
    for (const { capacity, cost, prices } of bounds) {
      expect(prices.every((price: number) => price >= 0)).toBe(true);
      // All costs are whole, and so is what a policy pays.
      expect(Math.ceil(provenBy(prices, capacity, many) - 1e-6)).toBe(cost);
    }
    const certificate = JSON.parse(await words([many, "--certify", prices, "--json"]));
    expect(certificate).toEqual({
      valid: true,
      bounds: claimed.map(({ capacity, cost }) => ({ capacity, claimed: cost, proven: cost, valid: true })),
    });
    const said = await words([many, "--certify", prices]);
    expect(said).toMatch(/^capacity +claimed +proven +verdict\n\d+ +([\d,.]+) +\1 +proven\n/);
    expect(said.replaceAll("\n", " ")).toContain("The prices prove that no policy costs less than claimed");
  });

  test("of windows proves a little less, and no wrong", async () => {
    const prices = path(".json");
    const [whole] = (await report(args)).capacities;
    const found = await report([...args, "--window", "200", "--prices", prices]);
    const [{ bound }] = found.capacities;
    expect(found.window).toBe(200);
    expect(bound!.cost).toBeLessThanOrEqual(whole.bound!.cost);
    expect(bound!.cost).toBeGreaterThan(0.9 * whole.bound!.cost);
    expect(JSON.parse(await words([many, "--certify", prices, "--json"])).valid).toBe(true);
    const said = await words([...args, "--window", "200"]);
    expect(said.replaceAll("\n", " ")).toContain("proven by prices of capacity over time, 200 requests at a time.");
  });

  test("with a claim that is too high, or prices that are none, proves less, with exit code 1", async () => {
    const prices = path(".json");
    await report([...args, "--prices", prices]);
    const content = JSON.parse(readFileSync(prices, "utf8"));
    content.bounds[1].cost += 0.01;
    expect(JSON.parse(await words([many, "--certify", file(content), "--json"], 1))).toMatchObject({
      valid: false,
      bounds: [{ valid: true }, { valid: false }],
    });
    content.bounds[1].prices[5] = -1;
    const said = await words([many, "--certify", file(content)], 1);
    expect(said).toMatch(/ 0(\.0+)? +NOT proven\n/);
    content.bounds[0].capacity += 1; // of another cache
    expect(JSON.parse(await words([many, "--certify", file(content), "--json"], 1)).bounds[0].valid).toBe(false);
  });
});

describe("a page", () => {
  test("has cost and hits against capacity, and the tables, without scripts", async () => {
    const page = path(".html");
    const found = await report([many, "--capacity", "1%,10%,50%", "--html", page]);
    const html = readFileSync(page, "utf8");
    expect(html).toContain(`<title>What to keep: ${many}</title>`);
    expect(html).not.toMatch(/<script|<img|<link|NaN|undefined|Infinity/);
    expect(html.match(/<svg/g)).toHaveLength(2);
    expect(captionsOf(html)[0]).toMatch(/^Cost of all misses\. No policy is below the bound\. The footprint is /);
    for (const name of ["bound", ...found.policies]) expect(html).toContain(`>${name}</text>`);
    expect(headlinesOf(html).map(([name]) => name)).toEqual([
      ...["Least cost at 1 %", "Least cost at 10 %", "Least cost at 50 %", "Requests", "Footprint"],
    ]);
    const tables = tablesOf(html);
    expect(tables).toHaveLength(3);
    const [, lru] = tables[1];
    const [{ cost, hitRatio }] = found.capacities[1].policies;
    expect([Number(lru[1].replaceAll(",", "")), lru[3]]).toEqual([cost, `${(100 * hitRatio).toFixed(1)} %`]);
  });

  test.skipIf(!chromiumPresent)(`fits a narrow screen, and no text lies on another ${needsChromium}`, async () => {
    const page = path(".html");
    await words([many, "--capacity", "0.2%,1%,5%,20%,50%,150%", "--html", page]);
    const look = (expression: string, width: number) => evaluateInChromium(pathToFileURL(page), expression, { width });
    expect(await look(inPage.overlaps, 1280)).toEqual([]);
    expect(await look(inPage.width, 400)).toBe(400);
  });

  test("of one capacity has nothing to draw", async () => {
    const page = path(".html");
    await words([dear, "--capacity", "1", "--html", page]);
    expect(readFileSync(page, "utf8")).not.toContain("<svg");
  });
});

test("Ctrl-C ends it with exit code 130, without a word or a file", async () => {
  const folder = path();
  mkdirSync(folder);
  const target = join(folder, "prices.json");
  const args = ["cache", file(mixed(400_000, 50_000)), "--prices", target];
  const run = spawn(process.execPath, [cli, ...args], { env: { ...process.env, ...withoutSoftware }, stdio: "pipe" });
  const said = { stdout: "", stderr: "" };
  run.stdout.on("data", (chunk) => (said.stdout += chunk));
  run.stderr.on("data", (chunk) => (said.stderr += chunk));
  await new Promise((resume) => setTimeout(resume, 2500)); // it works for much longer
  run.kill("SIGINT");
  expect(await once(run, "exit")).toEqual([130, null]);
  expect(said).toEqual({ stdout: "", stderr: "" });
  expect([existsSync(target), readdirSync(folder)]).toEqual([false, []]);
});

describe.skipIf(!recordedDataPresent)(`recorded traces ${needsRecordedData}`, () => {
  test("loads of gcc, where misses cost 10 or 100", async () => {
    const found = await report([recordedPath("cache/gcc_penalties_trace.txt.gz"), "--capacity", "1%"]);
    expect(found).toMatchObject({ requests: 515_683, objects: 35_070, footprint: 35_070, costs: [10, 100] });
    const [{ bound, policies }] = found.capacities;
    expect(bound!.exact).toBe(true); // all sizes are alike
    for (const { cost } of policies) expect(cost).toBeGreaterThanOrEqual(bound!.cost);
    const [{ lru }] = costs(found);
    expect(lru).toBe(3_279_200);
  });

  test("prompts of a conversation, without a bound", async () => {
    const trace = recordedPath("requests/mooncake_fast25_synthetic.jsonl.gz");
    const found = await report([trace, "--capacity", "5%", "--policies", "lru,s3fifo", "--no-bound"]);
    expect(found).toMatchObject({ prompts: 3993, requests: 121_877, objects: 43_924, footprint: 512 * 43_924 });
    expect(found.capacities[0].policies[0].hitRatio).toBeCloseTo(0.1566, 4);
  });
});
