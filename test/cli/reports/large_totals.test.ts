import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Analysis } from "../../../src/cli/reports/analysis.ts";
import type { BalanceReport } from "../../../src/cli/reports/balance_report.ts";
import type { PlanReport } from "../../../src/cli/reports/plan_report.ts";
import { seeded } from "../../../src/common/random.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-large-"));
afterAll(() => rmSync(folder, { recursive: true }));

const random = seeded(1);
const [experts, gpus] = [8, 2];
/** [steps][2 layers][E] as a window of a few steps has them, and as sums over long windows are: `factor` times as much. */
const small = Array.from({ length: 6 }, () =>
  [0, 1].map(() => Array.from({ length: experts }, (_, e) => random.below(1000) * (e === 3 ? 4 : 1))),
);
const file = (factor: number) => {
  const path = join(folder, `times_2_to_${Math.log2(factor)}.json`);
  writeFileSync(path, JSON.stringify(small.map((step) => step.map((row) => row.map((load) => load * factor)))));
  return path;
};
const shape = ["--gpus", `${gpus}`, "--redundant", `${gpus}`];
const quick = ["--budget", "0"];
const legend = "All are in shares, not whole tokens: ";
/** No Vulkan driver answers from an empty file: a demo without WebGPU is soon done. */
const hidden = { EVENKEEL_ADAPTER: "hardware", VK_DRIVER_FILES: "/dev/null", VK_ICD_FILENAMES: "/dev/null" };

async function said(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await evenkeel(args, args[0] === "demo" ? hidden : withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return args.includes("--json") ? stdout : stdout.replaceAll("\n", " ");
}

// The largest are near what f32, in which EPLB reckons, and the search take. Halves make fractions of small loads.
describe.each([22, 50, 86])("2^%d times as many tokens", (power) => {
  const [large, halves] = [file(2 ** power), file(1 / 2)];

  test("analyze finds what it finds of the same shares", async () => {
    const [found, expected] = [large, halves].map(async (path) =>
      JSON.parse(await said(["analyze", path, ...shape, "--json"])),
    );
    const [of, like]: Analysis[] = [await found, await expected];
    expect(of).toMatchObject({ tokens: "fractional", placements: like.placements });
    for (const [layer, one] of of.layers.entries()) {
      expect(one.batches).toBe(3);
      expect(one.optimal).toBe(3);
      for (const split of ["originals", "even", "solved"] as const) {
        expect(one[split].mean).toBeCloseTo(like.layers[layer][split].mean, 6); // the solver's own 1e-6
      }
      expect(one.even.mean).toBeGreaterThanOrEqual(one.solved.mean * (1 - 1e-6));
    }
    expect(await said(["analyze", large, ...shape])).toContain(legend);
  });

  test("plan", async () => {
    const of: PlanReport = JSON.parse(await said(["plan", large, ...shape, ...quick, "--json"]));
    const like: PlanReport = JSON.parse(await said(["plan", halves, ...shape, ...quick, "--json"]));
    expect(of).toMatchObject({ tokens: "fractional", placements: like.placements });
    expect(of.eplb.all.solved.mean).toBeCloseTo(like.eplb.all.solved.mean, 6);
    expect(await said(["plan", large, ...shape, ...quick])).toContain(legend);
  });

  test("demo, which saves them as they were", async () => {
    const saved = join(folder, "saved.json");
    const of: BalanceReport = JSON.parse(await said(["demo", "--loads", large, ...shape, "--save", saved, "--json"]));
    expect(of.tokens).toBe("fractional");
    expect(of.all.optimal).toBe(of.lps);
    expect(JSON.parse(readFileSync(saved, "utf8"))).toEqual({ loads: JSON.parse(readFileSync(large, "utf8")) });
    expect(await said(["demo", "--loads", large, ...shape])).toContain(legend);
  });
});

test("whole tokens say nothing of shares", async () => {
  const table = await said(["analyze", file(1), ...shape]);
  expect(table).not.toContain(legend);
  expect(table).toContain("serves equally many of its tokens, to within one,");
});
