/** `demo --cost`: times of the GPUs beside imbalances. */
import { expect, test } from "vitest";
import type { BalanceReport } from "../../../src/cli/reports/balance_report.ts";
import { seeded } from "../../../src/common/random.ts";
import { evenkeel } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { expectRefused } from "../refused.ts";
import { expectRegime, expectSummary, roofline, timesByHand } from "../times_by_hand.ts";

const { file } = ownFiles();

const [gpus, experts, steps] = [4, 12, 12];
const random = seeded(1);
/** [steps][5 layers][E], of which the last never has tokens. */
const loads = Array.from({ length: steps }, () =>
  [200, 20, 60, 90, 0].map((most, layer) =>
    Array.from({ length: experts }, (_, e) => (most === 0 ? 0 : random.below(most)) * (e % 5 === layer ? 4 : 1)),
  ),
);
const recorded = file({ loads });
const cost = ["--cost", file(roofline.cost)];

/** No Vulkan driver answers from an empty file: a demo without WebGPU is soon done. */
const hidden = { EVENKEEL_ADAPTER: "hardware", VK_DRIVER_FILES: "/dev/null", VK_ICD_FILENAMES: "/dev/null" };

async function demo(args: string[]) {
  const { code, stdout, stderr } = await evenkeel(["demo", "--gpus", `${gpus}`, ...args], hidden);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}
const report = async (args: string[]): Promise<BalanceReport> => JSON.parse(await demo([...args, "--json"]));

test("times of every group of layers, of every layer, and of all, and the regime", async () => {
  const { time, groups, all, placements, measuredSteps } = await report(["--loads", recorded, ...cost]);
  const expected = await Promise.all(
    placements
      .slice(0, 4)
      .map((map, layer) =>
        Promise.all(measuredSteps.map((step) => timesByHand(loads[step][layer], map, gpus, roofline))),
      ),
  );
  expect(groups.map(({ firstLayer, lastLayer }) => [firstLayer, lastLayer])).toEqual([
    [0, 1],
    [2, 3],
    [4, 4],
  ]);
  expectSummary(groups[0].time!, expected.slice(0, 2).flat(), "layers 0-1");
  expectSummary(groups[1].time!, expected.slice(2).flat(), "layers 2-3");
  expect(groups[2].time).toMatchObject({ batches: 0, time: { mean: 0 } });
  for (const [layer, batches] of expected.entries()) expectSummary(time!.layers[layer], batches, `layer ${layer}`);
  expectSummary(all.time!, expected.flat());
  expect(time!.all).toEqual(all.time);
  expectRegime(
    time!.regime,
    measuredSteps.flatMap((step) => loads[step].flat()),
    roofline.c,
    0.5,
  );
  // These loads tell the splits apart: a mixed-up column would not pass.
  const { originals, even, tokens, time: best } = time!.all;
  expect(new Set([originals, even, tokens, best].map(({ mean }) => mean.toFixed(2))).size).toBe(4);
});

test("in words: a table of its own, and the rest as it was but for what it took", async () => {
  const untimed = (text: string) => text.replaceAll(/[\d.,]+ us$/gm, "");
  const [without, stdout] = [await demo(["--steps", "4"]), await demo(["--steps", "4", ...cost])];
  const parts = untimed(stdout).split("\n\n");
  expect([...parts.slice(0, 3), ...parts.slice(5)]).toEqual(untimed(without).split("\n\n"));
  const [times, legend] = parts.slice(3, 5);
  expect(times.replaceAll(/\s+/g, " ")).toMatch(
    /^Time until .* in the unit of the cost, mean over the steps: layers none even by tokens/,
  );
  expect(times).toMatch(/^layers +none +even +by tokens +by time +bound +gap\n0-5( +[\d.]+){5} +(optimal|[\d.]+ %)$/m);
  expect(times).toMatch(/^all( +[\d.]+){5} +(optimal|[\d.]+ %)$/m);
  expect(legend).toMatch(/^By tokens, the LP's split;/);
  expect(legend).toContain("Split by tokens a layer");
  for (const line of stdout.split("\n").filter((line) => !line.includes("/")))
    expect(line.length).toBeLessThanOrEqual(80);
});

test("rows that are sums of steps", async () => {
  const sums = file({ loads: loads.map((step) => step.map((layer) => layer.map((tokens) => 7 * tokens))) });
  const [single, ofSums] = await Promise.all([
    report(["--loads", recorded, ...cost]),
    report(["--loads", sums, ...cost, "--steps-per-row", "7"]),
  ]);
  expect(ofSums.time).toEqual({ ...single.time, stepsPerRow: 7 });
});

test.each<[string, string[], string]>([
  [
    "of generated steps",
    [...cost, "--steps-per-row", "7"],
    "--steps-per-row: expected --loads with it, as generated ones are of single steps, got 7.",
  ],
  ["without a cost", ["--loads", recorded, "--steps-per-row", "7"], "--steps-per-row: expected --cost with it, got 7."],
  ["without a cost, of generated ones", ["--cost-top-k", "7"], "--cost-top-k: expected --cost with it, got 7."],
  [
    "from one standard input",
    ["--loads", "-", "--cost", "-"],
    "--cost: expected a file, where another is standard input",
  ],
])("%s: bad input is one line", (name, args, message) => expectRefused(name, ["demo", ...args], message));
