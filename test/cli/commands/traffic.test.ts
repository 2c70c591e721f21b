/** `analyze` and `replay` with --nodes or --distance. What they count is held against other counts in reports/traffic_study.test.ts. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Analysis } from "../../../src/cli/reports/analysis.ts";
import type { ReplayReport } from "../../../src/cli/reports/replay_report.ts";
import { type TrafficStudy, trafficWays } from "../../../src/cli/reports/traffic_study.ts";
import { seeded } from "../../../src/common/random.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { captionsOf, tablesOf } from "../print/html.ts";
import { expectRefused, type Refused } from "../refused.ts";

const [steps, layers, tokens, k, experts, gpus] = [6, 3, 50, 2, 8, 4];
const random = seeded(1);
/** [steps][layers][T][k], some experts being popular. */
const ids = Array.from({ length: steps }, () =>
  Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: tokens }, () => {
      const first = Math.min(random.below(experts), random.below(experts));
      return [first, (first + 1 + random.below(experts - 1)) % experts].map((id) => (id + layer) % experts);
    }),
  ),
);
const { file, path } = ownFiles();
const recording = file(ids, ".json");
const loads = file(
  ids.map((step) =>
    step.map((layer) => Array.from({ length: experts }, (_, e) => layer.flat().filter((id) => id === e).length)),
  ),
);
const far = (s: number, g: number) => (s === g ? 0 : s >> 1 === g >> 1 ? 1 : 9);
const matrix = [0, 1, 2, 3].map((s) => [0, 1, 2, 3].map((g) => far(s, g)));
const shape = ["--gpus", `${gpus}`];

async function run(args: string[], input?: Buffer): Promise<string> {
  const { code, stdout, stderr } = await evenkeel(args, withoutSoftware, input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}
const json = async <T>(args: string[], input?: Buffer): Promise<T> => JSON.parse(await run([...args, "--json"], input));

const html = path(".html");
let analysis: Analysis;
let report: ReplayReport;
let traffic: TrafficStudy;
beforeAll(async () => {
  analysis = await json(["analyze", recording, ...shape, "--nodes", "2", "--html", html]);
  report = await json(["replay", recording, ...shape, "--nodes", "2", "--backend", "cpu"]);
  traffic = report.traffic!;
});

test("both say the same of the same ids, and nothing else changes", async () => {
  expect(analysis.traffic).toEqual(traffic);
  expect(traffic).toMatchObject({
    sources: 4,
    nodes: 2,
    sourcesBy: "order",
    batches: 9,
    optimal: 9,
    tokens: 9 * tokens,
  });
  const { traffic: _, source: __, ...rest } = analysis;
  const { source: ___, ...ofLoads } = await json<Analysis>(["analyze", loads, ...shape]);
  expect(rest).toEqual(ofLoads);
  const { traffic: ____, ms: _____, ...replayed } = report;
  const { ms: ______, ...without } = await json<ReplayReport>(["replay", recording, ...shape, "--backend", "cpu"]);
  expect(replayed).toEqual(without);
});

test("the imbalances are those of the report, and least traffic sends least", () => {
  for (const [way, split] of [
    ["even", "even"],
    ["balanced", "solved"],
    ["least", "solved"],
  ] as const) {
    expect(traffic.ways[way].imbalance).toBeCloseTo(report[split].mean, 12);
  }
  const cost = trafficWays.map((way) => traffic.ways[way].ownNode + 9 * traffic.ways[way].otherNodes);
  expect(cost[2]).toBeLessThan(cost[1]);
  expect(cost[3]).toBeLessThanOrEqual(cost[2]);
});

test("--distance, in rows or flat, from standard input, too; raw bytes with --shape", async () => {
  const expected = { ...traffic };
  const rows = await json<Analysis>(["analyze", recording, ...shape, "--distance", file(matrix)]);
  expect(rows.traffic).toEqual(expected);
  const flat = ["replay", recording, ...shape, "--distance", "-"];
  expect((await json<ReplayReport>(flat, Buffer.from(JSON.stringify(matrix.flat())))).traffic).toEqual(expected);
  const axes = ["--shape", `steps=${steps},layers=${layers},tokens=${tokens},k=${k}`, "--nodes", "2"];
  const raw = await json<Analysis>(["analyze", "-", ...shape, ...axes], Buffer.from(ids.flat(3)));
  expect(raw.traffic).toEqual(expected);
});

test("with a placement in force and dead GPUs nothing goes to these", async () => {
  const map = [0, 1, 4, 2, 3, 5, 4, 5, 0, 6, 7, 2];
  const placement = file({ phy2log: new Array(layers).fill(map) });
  const given = ["--placement", placement, "--dead", "3", "--nodes", "2"];
  const { traffic: found, layers: own } = await json<Analysis>(["analyze", recording, ...shape, ...given]);
  const lost = own[0].lost;
  expect(lost).toEqual([6, 7]);
  const served = ids.flat(3).filter((id) => !lost.includes(id)).length;
  for (const way of trafficWays) {
    const { ownGpu, ownNode, otherNodes } = found!.ways[way];
    expect(ownGpu + ownNode + otherNodes).toBe(served);
  }
});

/** The rows of the two tables, by hand. */
function expectedTables(): string[][][] {
  const percent = (part: number) => `${((100 * part) / (traffic.tokens * k)).toFixed(1)} %`;
  const perToken = (pairs: number) => (pairs / traffic.tokens).toFixed(2);
  const names = ["even split", "balanced", "least traffic", "nearest replica"];
  const ways = trafficWays.map((way, i) => {
    const { ownGpu, ownNode, otherNodes, tokenNodePairs, otherNodePairs, imbalance } = traffic.ways[way];
    const shares = [ownGpu, ownNode, otherNodes].map(percent);
    return [names[i], ...shares, perToken(tokenNodePairs), perToken(otherNodePairs), imbalance.toFixed(3)];
  });
  const all = traffic.curve.batches * tokens * k;
  const points = traffic.curve.points.map(({ slack, ownGpu, ownNode, otherNodes, imbalance }) => {
    const shares = [ownGpu, ownNode, otherNodes].map((part) => `${((100 * part) / all).toFixed(1)} %`);
    return [`${slack}`, ...shares, imbalance.toFixed(3)];
  });
  return [
    [["assignments", "own GPU", "own node", "other nodes", "nodes per token", "others", "imbalance"], ...ways],
    [["slack", "own GPU", "own node", "other nodes", "imbalance"], ...points],
  ];
}

test.each(["analyze", "replay"])("tables for people, from %s", async (command) => {
  const stdout = await run([command, recording, ...shape, "--nodes", "2"]);
  const lines = stdout.split("\n").map((line) => line.trimEnd().split(/ {2,}/));
  for (const row of expectedTables().flat()) expect(lines).toContainEqual(row);
  const words = stdout.replaceAll("\n", " ");
  expect(words).toContain("4 sources, dealt the tokens of a step in order; 2 nodes.");
  expect(words).toContain("proven for 9 of 9 batches");
});

test("the page has the tables and a plot", () => {
  const page = readFileSync(html, "utf8");
  expect(tablesOf(page).slice(-2)).toEqual(expectedTables());
  expect(captionsOf(page).at(-1)).toMatch(/^How much less is sent to other nodes/);
  expect(page).toContain("<h2>Traffic</h2>");
  expect(page).toContain("slack, % of the least load");
});

describe("refused, in one line", () => {
  const missing = path(".json");
  const cases: Refused[] = [
    [
      "loads",
      ["analyze", loads, ...shape, "--nodes", "2"],
      "got Array of length 6. Loads of experts do not say whose tokens they are.",
    ],
    [
      "loads by name",
      ["analyze", file({ loads: [[[1, 2, 3, 4]]] }), ...shape, "--nodes", "2"],
      "Its fields: loads. Loads of experts do not",
    ],
    [
      "nodes that do not divide the GPUs",
      ["replay", recording, ...shape, "--nodes", "3"],
      "--nodes: expected an integer >= 1 that divides gpus = 4, got 3.",
    ],
    [
      "a ragged matrix",
      ["analyze", recording, ...shape, "--distance", file([[0, 1, 1, 1], [1]], ".json")],
      "distance[1]: expected gpus = 4 values, got 1.",
    ],
    [
      "a negative one",
      ["replay", recording, ...shape, "--distance", file([0, 1, -1, 1])],
      "distance[2]: expected a number from 0 to",
    ],
    [
      "no matrix",
      ["replay", recording, ...shape, "--distance", file({ distance: 3 })],
      "distance: expected an array or TypedArray of numbers, got an object",
    ],
    ["no file", ["replay", recording, ...shape, "--distance", missing], "expected a file that can be read"],
    [
      "both",
      ["replay", recording, ...shape, "--distance", missing, "--nodes", "2"],
      "cannot be used with option '--nodes <n>'",
    ],
    [
      "standard input twice",
      ["analyze", "-", ...shape, "--distance", "-"],
      '--distance: expected a file, where another is standard input, got "-".',
    ],
    [
      "--shape for loads",
      ["analyze", loads, ...shape, "--shape", "layers=1,tokens=1,k=1"],
      "--shape: expected --nodes or --distance with it",
    ],
    [
      "--experts for loads",
      ["analyze", loads, ...shape, "--experts", "8"],
      "--experts: expected --nodes or --distance with it, got 8.",
    ],
    [
      "sums of steps",
      [
        "analyze",
        recording,
        ...shape,
        "--nodes",
        "2",
        "--cost",
        file({ model: "affine", perExpert: 1, perToken: 1 }),
        "--steps-per-row",
        "2",
      ],
      "--steps-per-row: expected 1 for ids, whose steps are single, got 2.",
    ],
  ];
  test.each(cases)("%s", expectRefused);
});
