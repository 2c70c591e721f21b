/** `analyze --cost`: times beside imbalances. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Analysis } from "../../../src/cli/reports/analysis.ts";
import { seeded } from "../../../src/common/random.ts";
import { timeOn } from "../../helpers/curves.ts";
import { needsRecordedData, recordedDataPresent, recordedPath } from "../../helpers/recorded.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { expectRefused } from "../refused.ts";
import { expectRegime, expectSummary, type Known, roofline, timesByHand } from "../times_by_hand.ts";

const { file, path } = ownFiles();

const [gpus, experts, steps] = [4, 12, 12];
const random = seeded(1);
/** [steps][layers][E]: a layer with many tokens, one with few, one that has none at every second step, and one without any. */
const loads = Array.from({ length: steps }, (_, step) =>
  [200, 20, 60, 0].map((most, layer) =>
    Array.from({ length: experts }, (_, e) => {
      if (most === 0 || (layer === 2 && step % 2 === 1)) return 0;
      return random.below(most) * (e % 5 === layer ? 4 : 1);
    }),
  ),
);
const recorded = file({ loads });
const shape = ["--gpus", `${gpus}`];
const rooflineFile = file(roofline.cost);
const csv = "tokens,activated_experts,time_us\n2,4,40\n32,4,44\n128,4,130\n2000,4,2004\n";
const curve = { tokens: [1, 16, 64, 1000], time: [10, 11, 32.5, 501] };
const measured: Known = { cost: curve, c: (x) => timeOn(curve, x) };

async function analysis(args: string[]): Promise<Analysis> {
  const { code, stdout, stderr } = await evenkeel(["analyze", ...args, "--json"], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

/** [L] times of the measured steps with tokens. */
function byHand({ measuredSteps, placements }: Analysis, known: Known, history = loads, dead: number[] = []) {
  const layers = placements.map((map, layer) =>
    measuredSteps
      .map((step) => history[step][layer])
      .filter((load) => load.some((tokens) => tokens > 0))
      .map((load) => timesByHand(load, map, gpus, known, dead)),
  );
  return Promise.all(layers.map((batches) => Promise.all(batches)));
}

test.each<[string, string[], Known, number, string]>([
  ["a roofline", ["--cost", rooflineFile], roofline, 0.5, "the unit of the cost"],
  ["a table", ["--cost", file(csv), "--cost-top-k", "2"], measured, (501 - 32.5) / (1000 - 64), "us"],
])("%s: times of every layer, and of all, and the regime", async (_, args, known, pace, unit) => {
  const { time, ...rest } = await analysis([recorded, ...shape, ...args]);
  expect(rest).toEqual(await analysis([recorded, ...shape])); // tokens are what they were
  const expected = await byHand(rest, known);
  let open = 0;
  for (const [layer, batches] of expected.entries()) {
    if (layer < 3) open += expectSummary(time!.layers[layer], batches, `layer ${layer}`);
    else
      expect(time!.layers[3]).toMatchObject({ batches: 0, optimal: 0, gap: 0, time: { mean: 0 }, even: { mean: 0 } });
  }
  expect(expectSummary(time!.all, expected.flat())).toBe(open);
  // These loads tell the splits apart: a mixed-up column would not pass.
  const { originals, even, tokens, time: best, bound } = time!.all;
  expect(new Set([originals, even, tokens, best].map(({ mean }) => mean.toFixed(2))).size).toBe(4);
  expect(open > 0).toBe(best.mean > bound.mean);
  expect(time).toMatchObject({ cost: { source: args[1], unit }, stepsPerRow: 1 });
  const seen = rest.measuredSteps.flatMap((step) => loads[step].flat());
  expectRegime(time!.regime, seen, known.c, pace);
});

test("of what is alive", async () => {
  const dead = [2];
  const { placements } = await analysis([recorded, ...shape]);
  const placement = file({ physical_to_logical_map: placements, gpus });
  const result = await analysis([recorded, ...shape, "--placement", placement, "--dead", "2", "--cost", rooflineFile]);
  expect(result.layers.some(({ lost }) => lost.length > 0)).toBe(true); // or nothing was to be told
  const expected = await byHand(result, roofline, loads, dead);
  for (const layer of [0, 1, 2]) expectSummary(result.time!.layers[layer], expected[layer], `layer ${layer}`);
});

describe("rows that are sums of steps", () => {
  const stepsPerRow = 10;
  const sums = loads.map((step) => step.map((layer) => layer.map((tokens) => tokens * stepsPerRow)));
  const source = file({ loads: sums });

  test("--steps-per-row: times of a single step, and fractions of tokens are no burden", async () => {
    const options = [...shape, "--cost", rooflineFile];
    const single = await analysis([recorded, ...options]);
    const ofSums = await analysis([source, ...options, "--steps-per-row", `${stepsPerRow}`]);
    expect(ofSums.time).toEqual({ ...single.time, stepsPerRow });
    expect(ofSums.all).toEqual(single.all);
    const halves = file({ loads: sums.map((step) => step.map((layer) => layer.map((tokens) => tokens + 0.25))) });
    const ofHalves = await analysis([halves, ...options, "--steps-per-row", `${stepsPerRow}`]);
    expect(ofHalves.tokens).toBe("integer");
    expect((await analysis([halves, ...shape])).tokens).toBe("fractional");
    const { time } = await analysis([source, ...options]);
    expect(time!.regime.kind).toBe("compute-bound");
  });

  test("are told where they are beyond what was measured, in one line on stderr", async () => {
    const short = file({ tokens: [1, 100], time: [10, 60] });
    const warned = async (args: string[]) => {
      const { code, stdout, stderr } = await evenkeel(["analyze", ...args, "--json"], withoutSoftware);
      expect({ code, steps: JSON.parse(stdout).steps }).toEqual({ code: 0, steps });
      return stderr;
    };
    const options = [...shape, "--cost", short];
    const beyond = (some: number[]) => {
      const all = some.filter((tokens) => tokens > 0);
      return `${all.filter((tokens) => tokens > 100).length} of ${all.length} expert loads are larger: their cost is a guess.`;
    };
    const start = `evenkeel: warning: ${short} ends at 100 tokens of an expert, and`;
    const remedy = "If a row of the recording is a sum of steps, --steps-per-row says of how many.";
    expect(await warned([recorded, ...options])).toBe(`${start} ${beyond(loads.flat(2))} ${remedy}\n`);
    const ofSums = await warned([source, ...options]);
    expect(ofSums).toContain(`${start} ${beyond(sums.flat(2))} On average they have`);
    expect(ofSums).toContain("Sums of steps show the wrong regime");
    expect(ofSums).toMatch(/^[^\n]+--steps-per-row[^\n]+\n$/);
    expect(await warned([recorded, ...options, "--steps-per-row", "8"])).toBe("");
  });
});

describe("in words", () => {
  const words = async (args: string[]) => {
    const { code, stdout, stderr } = await evenkeel(["analyze", recorded, ...shape, ...args], withoutSoftware);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout;
  };
  const flat = (text: string) => text.replaceAll(/\s+/g, " ");

  test("a second table, plain in a pipe, and what was before it as it was", async () => {
    const [without, stdout] = [await words([]), await words(["--cost", rooflineFile])];
    const [table, legend] = without.split("\n\n");
    const [first, times, second, timeLegend] = stdout.split("\n\n");
    expect([first, `${second}\n`]).toEqual([table, legend]);
    expect(times).toMatch(
      /^Time until the last GPU is done with its experts, in the unit of the cost, mean over the steps:\n/,
    );
    expect(times).toMatch(/^layer +none +even +by tokens +by time +bound +gap$/m);
    const { time } = await analysis([recorded, ...shape, "--cost", rooflineFile]);
    const cells = ["originals", "even", "tokens", "time", "bound"] as const;
    const decimals = 3 - Math.floor(Math.log10(time!.all.time.mean));
    const all = cells.map((name) => time!.all[name].mean.toFixed(decimals)).join(" ");
    expect(flat(times)).toContain(`all ${all} ${(100 * time!.all.gap).toPrecision(2)} %`);
    expect(times).toMatch(/^3( +-){6}$/m);
    expect(stdout).toMatch(/^[\n -~]+$/);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(105);
    const { batches, optimal, tokens, even, originals, time: best } = time!.all;
    expect(flat(timeLegend)).toContain(`By time is at the bound in ${optimal} of ${batches} batches; the mean gap is`);
    const [byTokens, evenly, none] = [tokens, even, originals].map(({ mean }) => (mean / best.mean).toFixed(3));
    expect(flat(timeLegend)).toContain(
      `Split by tokens a layer takes ${byTokens} times as long as by time, split evenly ${evenly} times, without replicas ${none} times.`,
    );
    expect(flat(timeLegend)).toContain(`Cost of an expert's tokens: ${rooflineFile}.`);
  });

  test.each<[string, object, RegExp]>([
    [
      "memory-bound",
      { ...roofline.cost, perToken: 0.001 },
      /Memory-bound: .* and 100 % have fewer than 16,000, .* So activated experts count\./,
    ],
    [
      "activated experts alone",
      { ...roofline.cost, perToken: 0 },
      /Memory-bound: .*, and any number takes as long as one; with one token each, experts would still take 100 % /,
    ],
    [
      "compute-bound",
      { ...roofline.cost, perToken: 16 },
      /Compute-bound: an expert that has tokens has [\d.]+ on average; 100 % of the time is in proportion to tokens\. Tokens/,
    ],
    [
      "almost",
      { ...roofline.cost, perToken: 4 },
      /Compute-bound: .* and \d+ % have fewer than 4, .*; 9\d % of the time is in proportion to tokens\. Tokens count most\./,
    ],
    [
      "between",
      { ...roofline.cost, perToken: 0.2 },
      /Between memory-bound and compute-bound: .* fewer than 80, .* still take \d\d % of the time, and \d\d % of the time is in proportion/,
    ],
  ])("%s", async (name, cost, sentence) => {
    const stdout = flat(await words(["--cost", file(cost)]));
    expect(stdout).toMatch(sentence);
    const exact = /By time is optimal in all \d+ batches\./.test(stdout);
    expect(exact).toBe(/ all( [\d.]+){5} optimal /.test(stdout));
    if (name === "activated experts alone" || name === "compute-bound") expect(exact).toBe(true);
  });

  test("the unit, the fit and the sums", async () => {
    const stdout = flat(await words(["--cost", file(csv), "--cost-top-k", "2", "--steps-per-row", "2"]));
    expect(stdout).toContain("with its experts, in us, mean over the steps:");
    expect(stdout).toContain("fitted to 4 measured times of");
    expect(stdout).toContain("A row of the recording sums 2 steps; all figures are of their mean.");
  });

  test("in the report", async () => {
    const page = path(".html");
    const stdout = await words(["--cost", rooflineFile, "--html", page]);
    const html = readFileSync(page, "utf8");
    const [, times, , legend] = stdout.split("\n\n");
    for (const line of times.trim().split("\n").slice(1)) {
      const cells = line.trim().split(/ {2,}/);
      const tag = cells[0] === "layer" ? "th" : "td";
      expect(html).toContain(`>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`);
    }
    expect(html).toContain("<h2>Time</h2>");
    expect(flat(html).replaceAll("&#39;", "'")).toContain(flat(legend).trim());
  });
});

describe.skipIf(!recordedDataPresent)(`gpt-oss-20b's decode steps ${needsRecordedData}`, () => {
  const decode = recordedPath("moe/gptoss20b_decode_step_loads.json.gz");
  const model = file({ model: "roofline", perExpert: 6.3, perToken: 0.035 });

  test.each([
    ["8", 1.1],
    ["16", 1.42],
  ])("%s redundant experts: split by tokens they take %f times as long, and more", async (redundant, least) => {
    const { time } = await analysis([decode, "--gpus", "8", "--redundant", redundant, "--cost", model]);
    const { tokens, time: best, optimal, batches } = time!.all;
    expect(time!.regime.kind).toBe("memory-bound");
    expect(tokens.mean / best.mean).toBeGreaterThanOrEqual(least);
    expect(optimal / batches).toBeGreaterThanOrEqual(0.99);
  });

  test("sums of many steps seem to be another regime, and single steps of them do not", async () => {
    const domains = recordedPath("moe/gptoss20b_domain_loads.json.gz");
    const regime = async (args: string[]) =>
      (await analysis([domains, "--gpus", "8", "--cost", model, ...args])).time!.regime.kind;
    expect(await regime([])).toBe("compute-bound");
    expect(await regime(["--steps-per-row", "500"])).toBe("memory-bound");
  });
});

describe("bad input is one line", () => {
  test.each<[string, string[], string]>([
    ["no cost", ["--steps-per-row", "2"], "--steps-per-row: expected --cost with it, got 2."],
    ["no number", ["--cost", rooflineFile, "--steps-per-row", "0"], "argument '0' is invalid."],
    [
      "too many steps",
      ["--cost", rooflineFile, "--steps-per-row", "1000000"],
      `${recorded}: expected at least one step with tokens, got 0.`,
    ],
    ["no file", ["--cost", "none.csv"], "none.csv: expected a file that can be read"],
  ])("%s", (name, args, message) => expectRefused(name, ["analyze", recorded, ...shape, ...args], message));

  test("two standard inputs", () =>
    expectRefused(
      "",
      ["analyze", "-", ...shape, "--cost", "-"],
      "--cost: expected a file, where another is standard input",
    ));
});
