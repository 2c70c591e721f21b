import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Analysis } from "../../../src/cli/reports/analysis.ts";
import type { BalanceReport } from "../../../src/cli/reports/balance_report.ts";
import type { PlanReport } from "../../../src/cli/reports/plan_report.ts";
import type { ReplayReport } from "../../../src/cli/reports/replay_report.ts";
import { seeded } from "../../../src/common/random.ts";
import { rebalanceExperts } from "../../../src/index.ts";
import { maxLoads } from "../by_hand.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-empty-"));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
function file(json: unknown): string {
  const path = join(folder, `${written++}.json`);
  writeFileSync(path, JSON.stringify(json));
  return path;
}

const [experts, gpus] = [8, 2];
const shape = ["--gpus", `${gpus}`];
const random = seeded(1);
const skewed = (hot: number) => Array.from({ length: experts }, (_, e) => 1 + random.below(40) * (e === hot ? 8 : 1));
const empty = new Array<number>(experts).fill(0);
/** [steps][2 layers][E]: four steps; what is hot changes, so that a fit to other steps would be another. */
const written4 = Array.from({ length: 4 }, (_, step) => [skewed(step >> 1), skewed(7 - step)]);
const unused = Array.from({ length: 16 }, () => [empty, empty]);
const rings: [string, number[][][]][] = [
  ["behind", [...written4, ...unused]],
  ["in front", [...unused, ...written4]],
  ["in the middle", [...written4.slice(0, 1), ...unused, ...written4.slice(1)]],
];

/** No Vulkan driver answers from an empty file: a demo without WebGPU is soon done. */
const hidden = { EVENKEEL_ADAPTER: "hardware", VK_DRIVER_FILES: "/dev/null", VK_ICD_FILENAMES: "/dev/null" };

async function json<T>(args: string[]): Promise<T> {
  const { code, stdout, stderr } = await evenkeel([...args, "--json"], args[0] === "demo" ? hidden : withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: number[]) => sum(values) / values.length;

describe.each(rings)("a ring whose unused rows are %s", (_, ring) => {
  const [path, without] = [file({ logical_count: ring }), file({ logical_count: written4 })];
  const dropped = { batches: 32, steps: 16 };
  const stepOf = (nth: number) => ring.indexOf(written4[nth]);

  test("analyze", async () => {
    const [found, expected] = [
      await json<Analysis>(["analyze", path, ...shape]),
      await json<Analysis>(["analyze", without, ...shape]),
    ];
    expect(found.dropped).toEqual(dropped);
    expect(expected.dropped).toEqual({ batches: 0, steps: 0 });
    expect(found.measuredSteps).toEqual([stepOf(2), stepOf(3)]);
    for (const part of ["placements", "layers", "all", "overTime"] as const)
      expect(found[part]).toEqual(expected[part]);
    expect(found.layers.map(({ batches }) => batches)).toEqual([2, 2]);
    const placement = file({ phy2log: found.placements, gpus });
    const inForce = await json<Analysis>(["analyze", path, ...shape, "--placement", placement]);
    expect(inForce.measuredSteps).toEqual([0, 1, 2, 3].map(stepOf));
    const { stdout } = await evenkeel(["analyze", path, ...shape], withoutSoftware);
    expect(stdout.replaceAll("\n", " ")).toContain(
      "2 steps measured. Dropped for want of tokens: 32 batches, a step of one layer each, with 16 whole steps among them.",
    );
  });

  test("plan", async () => {
    const options = [...shape, "--redundant", "2", "--budget", "60"];
    const found = await json<PlanReport>(["plan", path, ...options]);
    const expected = await json<PlanReport>(["plan", without, ...options]);
    expect(found).toMatchObject({ dropped, fittedSteps: 2, measuredSteps: [stepOf(2), stepOf(3)] });
    for (const part of ["placements", "eplb", "optimized", "search"] as const)
      expect(found[part]).toEqual(expected[part]);
    const { stdout } = await evenkeel(["plan", path, ...options, "--budget", "0"], withoutSoftware);
    expect(stdout).toMatch(/Dropped for want of\s+tokens:\s+32/);
    const on = stepOf(2) + 1 === stepOf(3) ? `steps ${stepOf(2)}-${stepOf(3)}` : "";
    expect(stdout.replaceAll("\n", " ")).toContain(
      `on ${on}, the placements being fitted to steps ${stepOf(0)}-${stepOf(1)}:`,
    );
  });

  test("demo", async () => {
    const options = ["--loads", "", ...shape, "--redundant", "2"];
    const of = (path: string) => json<BalanceReport>(["demo", ...options.with(1, path)]);
    const [found, expected] = [await of(path), await of(without)];
    expect(found).toMatchObject({ dropped, lps: 6, fittedSteps: 1, measuredSteps: [1, 2, 3].map(stepOf) });
    for (const part of ["placements", "groups", "all"] as const) expect(found[part]).toEqual(expected[part]);
  });
});

test("a layer whose tokens begin late is fitted to the first half of its own steps", async () => {
  // Layer 0 has tokens in all of 8 steps, layer 1 from step 5 on, layer 2 never.
  const steps = Array.from({ length: 8 }, (_, step) => [skewed(1), step < 5 ? empty : skewed(step), empty]);
  const path = file(steps);
  const found = await json<Analysis>(["analyze", path, ...shape]);
  const fitted = [sumOf(steps.slice(0, 4), 0), sumOf(steps.slice(5, 7), 1), empty];
  const { physicalToLogical } = rebalanceExperts(fitted, { replicas: experts + gpus, gpus });
  expect(found.placements).toEqual(physicalToLogical.map((map) => [...map]));
  expect(found).toMatchObject({ dropped: { batches: 5, steps: 0 }, measuredSteps: [4, 5, 6, 7] });
  expect(found.layers.map(({ batches, optimal }) => [batches, optimal])).toEqual([
    [4, 4],
    [1, 1],
    [0, 0],
  ]);
  const byHand = [steps.slice(4).map(([load]) => load), [steps[7][1]]].map((batches, layer) =>
    batches.map((load) => (maxLoads(load, found.placements[layer], gpus).even * gpus) / sum(load)),
  );
  expect(found.layers[0].even.mean).toBeCloseTo(mean(byHand[0]), 12);
  expect(found.layers[1].even.mean).toBeCloseTo(byHand[1][0], 12);
  expect(found.overTime.even).toHaveLength(4);
  expect(found.overTime.even[3]).toBeCloseTo(mean([byHand[0][3], byHand[1][0]]), 12);

  const options = [...shape, "--redundant", `${gpus}`];
  const planned = await json<PlanReport>(["plan", path, ...options, "--budget", "0"]);
  expect(planned.eplb.layers.map(({ batches }) => batches)).toEqual([4, 1, 0]);
  expect(planned.eplb.layers[1].even.mean).toBeCloseTo(byHand[1][0], 12);
  expect(planned.search.layers[1].recorded.before).toBeGreaterThan(1); // not fitted to nothing
  const table = await evenkeel(["plan", path, ...options, "--budget", "0"], withoutSoftware);
  expect(table.stdout).toMatch(/^2( +-){5}$/m);

  const demo = await json<BalanceReport>(["demo", "--loads", path, ...options]);
  expect(demo.groups.map(({ lps }) => lps)).toEqual([6, 2, 0]);
  expect(demo.all.lps).toBe(8);
  const { stdout } = await evenkeel(["demo", "--loads", path, ...options], hidden);
  expect(stdout).toMatch(/^2 +- +- +- +0 of 0 +0$/m);
});

function sumOf(steps: number[][][], layer: number): number[] {
  return empty.map((_, e) => sum(steps.map((step) => step[layer][e])));
}

describe("replay", () => {
  const token = () => random.shuffle([0, 1, 2, 3]).slice(0, 2);
  const tokens = (n: number) => Array.from({ length: n }, token);
  const padded = new Array(5).fill([-1, -1]);

  test("drops steps of a layer in which no token came, whether short or padded", async () => {
    const first = [tokens(5), padded];
    const steps = [
      [[], []],
      first,
      [tokens(5), tokens(5)],
      [padded, padded],
      [tokens(5), tokens(5)],
      [tokens(5), tokens(5)],
    ];
    const report = await json<ReplayReport>(["replay", file({ topk_ids: steps }), "--gpus", "2"]);
    // Layer 0 is fitted to steps 1 and 2 and measured on 4 and 5, layer 1 fitted to 2 and 4 and measured on 5.
    expect(report.dropped).toEqual({ batches: 2 + 3, steps: 2 });
    expect(report).toMatchObject({ replayedSteps: [4, 5], assignments: 3 * 5 * 2, status: { optimal: 3 } });
    expect(report.placedBy).toBe("EPLB by each layer's earlier steps with tokens");
    expect(report.perLayer.map(({ batches }) => batches)).toEqual([2, 1]);
    const same = await json<ReplayReport>(["replay", file(steps.slice(1)), "--gpus", "2"]);
    expect({ ...same.perLayer }).toEqual({ ...report.perLayer });
    const { stdout } = await evenkeel(["replay", file(steps), "--gpus", "2"], withoutSoftware);
    expect(stdout).toMatch(/Dropped\s+for\s+want\s+of\s+tokens:\s+5\s+batches,/);
  });

  test("--every takes every n-th of a layer's own steps, so that none is missed", async () => {
    // Layer 1 has tokens at odd steps only.
    const steps = Array.from({ length: 8 }, (_, step) => [
      tokens(3),
      step % 2 === 1 ? tokens(3) : new Array(3).fill([-1, -1]),
    ]);
    const placement = file({
      phy2log: [
        [0, 1, 2, 3],
        [0, 1, 2, 3],
      ],
    });
    const report = await json<ReplayReport>([
      "replay",
      file(steps),
      "--gpus",
      "2",
      "--placement",
      placement,
      "--every",
      "2",
    ]);
    expect(report.replayedSteps).toEqual([0, 1, 2, 4, 5, 6]);
    expect(report.perLayer.map(({ batches }) => batches)).toEqual([4, 2]);
  });
});

const cases = "../shared/cases";
test.runIf(existsSync(cases))(
  `the forms that serving systems write ${existsSync(cases) ? "" : `(SKIPPED: ${cases} is absent)`}`,
  async () => {
    const ring = await json<Analysis>(["analyze", join(cases, "sglang_ring_unused_tail.json"), ...shape]);
    expect(ring).toMatchObject({ steps: 20, dropped: { batches: 32, steps: 16 }, placedBy: "EPLB by steps 0-1" });
    expect(ring.layers.map(({ batches }) => batches)).toEqual([2, 2]);
    const topk = join(cases, "topk_step_without_tokens.json");
    const { code, stdout } = await evenkeel(["replay", topk, ...shape, "--json"], withoutSoftware);
    expect({ code, report: JSON.parse(stdout) }).toMatchObject({
      code: 0,
      report: { dropped: { batches: 2, steps: 1 }, replayedSteps: [2], assignments: 24, status: { optimal: 2 } },
    });
  },
);
