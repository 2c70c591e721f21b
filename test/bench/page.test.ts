/** What the benchmark page says, and how far it says it is: its parts that need no browser. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ask } from "../../bench/ask.ts";
import { holdTo } from "../../bench/budget.ts";
import { chartsOf } from "../../bench/plots.ts";
import { questionNames, questions } from "../../bench/questions.ts";
import { cells, comparedCells } from "../../bench/report.ts";
import { type Meta, readResults } from "../../bench/results_file.ts";
import type { Row } from "../../bench/row.ts";
import { heard, minutesOf, type Run, shareDone } from "../../web/benchmark/use_run.ts";
import {
  BUDGET_US,
  batchTiles,
  browserName,
  budgetTile,
  inMinutes,
  measuredOn,
  ofSoftware,
} from "../../web/benchmark/words.ts";

const read = (name: string) =>
  readResults(readFileSync(new URL(`../../bench/results/${name}`, import.meta.url), "utf8"));
const [software, gpu] = ["swiftshader_quick.json", "h100_quick.json"].map(read);

test("every question is asked by something, in the same order", () => {
  expect(Object.keys(ask)).toEqual(questionNames);
  for (const { minutes } of questions) expect(minutes[0]).toBeLessThanOrEqual(minutes[1]);
});

describe("a budget", () => {
  const tileOf = ({ rows, meta }: { rows: Row[]; meta: Meta }) =>
    budgetTile(holdTo(BUDGET_US, rows, ofSoftware(meta)), meta);

  test("on a software adapter tells of amortised figures only", () => {
    expect(ofSoftware(software.meta)).toBe(true);
    expect(tileOf(software)).toMatchObject({ value: "no GPU", note: expect.stringContaining("amortised") });
    expect(ofSoftware({ ...gpu.meta, adapter: "unnamed adapter, software" })).toBe(true);
  });

  test("on a GPU names the slowest single solve", () => {
    expect(ofSoftware(gpu.meta)).toBe(false);
    const singles = gpu.rows.filter(
      ({ question, timestampUs, solver }) =>
        question === "solve-latency" && timestampUs !== undefined && solver.startsWith("evenkeel"),
    );
    const slowest = singles.reduce((a, b) => (b.timestampUs! > a.timestampUs! ? b : a));
    const { value, note } = tileOf(gpu);
    expect(value).toBe(`${slowest.timestampUs! < 1000 ? slowest.timestampUs!.toPrecision(3) : "more"} us`);
    expect(note).toContain(slowest.timestampUs! > BUDGET_US ? "Over the budget" : "Within the budget");
    expect(note).toContain(`${slowest.solver} on ${slowest.topology}`);
    expect(note).not.toContain("rounds");
  });

  test("says how coarse the browser's timestamps are", () => {
    const meta = { ...gpu.meta, timestampStepUs: 65.536 };
    expect(tileOf({ ...gpu, meta }).note).toMatch(
      /rounds timestamps to 65\.5 us: the figure is a mean, good to 6\.55 us/,
    );
    expect(tileOf({ ...gpu, meta: { ...meta, timestampStepUs: 0.001 } }).note).not.toMatch(/rounds/);
  });

  test("that nothing was asked about says so", () => {
    const others = gpu.rows.filter(({ question }) => question !== "solve-latency");
    expect(tileOf({ ...gpu, rows: others }).value).toBe("not asked");
    const untimed = gpu.rows.map(({ timestampUs, ...row }) => row);
    expect(tileOf({ ...gpu, rows: untimed }).value).toBe("unknown");
  });
});

test("of batches the best of ours is told, on the adapter and on a core", () => {
  const [adapter, core] = batchTiles(software.rows);
  expect(adapter.note).toMatch(/^evenkeel specialised, cube 8x2, .* us of GPU time\.$/);
  expect(core.note).toMatch(/^evenkeel simd, .* read back and checked\.$/);
  expect(batchTiles([])).toEqual([]);
});

test("rows of two files stand side by side where both have them", () => {
  const table = comparedCells([software.rows, gpu.rows], ["here", "there"])!;
  expect(table[0]).toEqual([
    "question",
    "topology",
    "solver",
    "batch",
    "us/LP, here",
    "us/LP, there",
    "ratio",
    "GPU us, here",
    "GPU us, there",
  ]);
  expect(table.length).toBeGreaterThan(100);
  const line = table.find(([q, t, s]) => q === "solve-batch" && t === "cube 8x2" && s === "evenkeel specialised")!;
  expect(Number(line[5]) / Number(line[4])).toBeCloseTo(Number.parseFloat(line[6]), 1);
  const [one] = software.rows;
  expect(comparedCells([[one], [{ ...one, batch: one.batch + 1 }]], ["a", "b"])).toBeUndefined();
  expect(comparedCells([[{ ...one, usPerLp: 0 }], [one]], ["a", "b"])![1][6]).toBe(""); // below a tick of the clock
  expect(comparedCells([[one], [one]], ["a", "b"])![0]).toHaveLength(7); // no GPU time
});

test("a table has a cell for every column, and a plot for what has several batches or sizes", () => {
  const table = cells(software.rows);
  expect(new Set(table.map(({ length }) => length)).size).toBe(1);
  expect(table).toHaveLength(software.rows.length + 1);
  const captions = chartsOf(software.rows).map(({ caption }) => caption);
  expect(captions).toContain("cube 8x2: time per LP against the batch.");
  expect(captions).toContain("Time per LP against the number of GPUs, batch 64.");
  expect(chartsOf(software.rows.filter(({ question }) => question === "level"))).toEqual([]);
});

test.each([
  ["Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", "Firefox 153.0"],
  [
    "Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36",
    "Chromium 156.0.0.0",
  ],
  [
    "Mozilla/5.0 (Windows) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0",
    "Edge 156.0.0.0",
  ],
  ["Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15", "Safari 26.0"],
  ["something else", "something else"],
])("%s is %s", (agent, name) => {
  expect(browserName(agent)).toBe(name);
  expect(measuredOn({ ...gpu.meta, node: undefined, browser: agent })).toBe(`${gpu.meta.adapter}, ${name}`);
});

test("minutes in words", () => {
  expect([0.1, 0.3, 0.95, 1.3, 12].map(inMinutes).map((words) => words.replace("\u00a0", " "))).toEqual([
    "about 10 s",
    "about 20 s",
    "about 60 s",
    "about 1 min",
    "about 12 min",
  ]);
});

describe("a run", () => {
  const order = { questions: ["solve-latency", "solve-batch"] as Run["order"]["questions"], quick: true };
  const begun: Run = { order, what: "", rows: [], notes: [], faults: [], share: 0 };

  test("is nearly done with a question that takes longer than usual, never more", () => {
    const [first, second] = order.questions.map((name) => minutesOf(name, true));
    const all = first + second;
    expect(shareDone(order, "solve-latency", 0)).toBe(0);
    expect(shareDone(order, "solve-latency", 1e9)).toBeCloseTo((0.95 * first) / all, 12);
    expect(shareDone(order, "solve-batch", 0)).toBeCloseTo(first / all, 12);
    expect(shareDone(order, "solve-batch", 1e9)).toBeLessThan(1);
  });

  test("keeps its rows whatever happens", () => {
    const rows = gpu.rows.slice(0, 3);
    const told = { kind: "measuring" as const, question: "solve-batch" as const, what: "lane", rows, notes: ["a"] };
    const measuring = heard({ ...begun, meta: gpu.meta }, told, new Map());
    expect(measuring).toMatchObject({ rows, notes: ["a"], what: "lane", question: "solve-batch" });
    expect(measuring.ended).toBeUndefined();
    const faulty = heard(measuring, { kind: "fault", question: "solve-batch", message: "a gap" }, new Map());
    expect(faulty).toMatchObject({ rows, faults: ["solve-batch: a gap"] });
    expect(faulty.ended).toBeUndefined(); // the next question is asked
    const lost = heard(faulty, { kind: "fault", message: "lost" }, new Map());
    expect(lost).toMatchObject({ rows, ended: "failed", faults: ["solve-batch: a gap", "lost"], meta: gpu.meta });
    const done = heard(measuring, { kind: "done", rows, notes: [] }, new Map());
    expect(done).toMatchObject({ ended: "done", share: 1, rows });
  });
});
