/** `replay --cost`: times beside imbalances. */
import { describe, expect, test } from "vitest";
import type { ReplayReport } from "../../../src/cli/reports/replay_report.ts";
import { seeded } from "../../../src/common/random.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";
import { ownFiles } from "../own_files.ts";
import { expectRefused } from "../refused.ts";
import { expectRegime, expectSummary, type Known, timesByHand } from "../times_by_hand.ts";

const { file } = ownFiles();

const [steps, layers, tokens, experts, gpus] = [8, 3, 50, 8, 4];
const random = seeded(1);
/** [steps][layers][T][k], some experts being popular; in step 5 the last layer has no tokens. */
const ids = Array.from({ length: steps }, (_, step) =>
  Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: tokens }, () => {
      const first = Math.min(random.below(experts), random.below(experts));
      const both = [first, (first + 1 + random.below(experts - 1)) % experts].map((id) => (id + layer) % experts);
      return step === 5 && layer === 2 ? [-1, -1] : both;
    }),
  ),
);
const recorded = file(ids);
const map = [0, 1, 4, 2, 3, 5, 4, 5, 0, 6, 7, 2];
const placement = file({ phy2log: new Array(layers).fill(map), gpus });
const shape = ["--gpus", `${gpus}`, "--placement", placement];
/** Turns where experts have as many tokens as here on average. */
const roofline: Known = {
  cost: { model: "roofline", perExpert: 6, perToken: 0.5 },
  c: (x) => (x > 0 ? Math.max(6, 0.5 * x) : 0),
};
const cost = ["--cost", file(roofline.cost)];

async function replay(args: string[]): Promise<ReplayReport> {
  const { code, stdout, stderr } = await evenkeel(["replay", recorded, ...shape, ...args, "--json"], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

function countsOf(step: number, layer: number): number[] {
  const counts = new Array<number>(experts).fill(0);
  for (const id of ids[step][layer].flat()) if (id >= 0) counts[id]++;
  return counts;
}

describe.each([[[]], [[3]]])("dead %j", (dead) => {
  const option = dead.length > 0 ? ["--dead", dead.join(",")] : [];

  test("times of every layer, and of all, and the regime", async () => {
    const { time, ms, ...rest } = await replay([...option, ...cost, "--backend", "cpu"]);
    const { ms: _, ...without } = await replay([...option, "--backend", "cpu"]);
    expect(rest).toEqual(without); // tokens are what they were
    const measured = (layer: number) => rest.replayedSteps.filter((step) => !(step === 5 && layer === 2));
    const expected = await Promise.all(
      Array.from({ length: layers }, (_, layer) =>
        Promise.all(measured(layer).map((step) => timesByHand(countsOf(step, layer), map, gpus, roofline, dead))),
      ),
    );
    for (const [layer, batches] of expected.entries()) expectSummary(time!.layers[layer], batches, `layer ${layer}`);
    expectSummary(time!.all, expected.flat());
    // These ids tell the splits apart: a mixed-up column would not pass.
    const { originals, even, tokens, time: best } = time!.all;
    expect(new Set([originals, even, tokens, best].map(({ mean }) => mean.toFixed(2))).size).toBe(4);
    expect(rest.unserved > 0).toBe(dead.length > 0);
    const living = map.filter((_, p) => !dead.includes(Math.floor(p / 3)));
    const served = [0, 1, 2].flatMap((layer) =>
      measured(layer).flatMap((step) => countsOf(step, layer).map((load, e) => (living.includes(e) ? load : 0))),
    );
    expectRegime(time!.regime, served, roofline.c, 0.5);
  });
});

test("in words", async () => {
  const words = async (args: string[]) => {
    const { code, stdout, stderr } = await evenkeel(["replay", recorded, ...shape, ...args], withoutSoftware);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout.replace(/Median time of a step: \S+ ms/, "").replaceAll(/\s+/g, " ");
  };
  const { time } = await replay(cost);
  const [without, stdout] = [await words([]), await words(cost)];
  const at = without.indexOf("4 GPUs, 8 experts");
  expect(stdout.startsWith(without.slice(0, at))).toBe(true);
  expect(stdout).toContain(without.slice(at).trim());
  const decimals = 3 - Math.floor(Math.log10(time!.all.time.mean));
  const row = (name: "originals" | "even" | "tokens" | "time" | "bound") =>
    [time!.all[name].mean, time!.all[name].p95].map((value) => value.toFixed(decimals)).join(" ");
  expect(stdout).toContain(
    `Time until the last GPU is done with its experts, in the unit of the cost: time mean 95th percentile no replicas ${row("originals")} even split ` +
      `${row("even")} by tokens ${row("tokens")} by time ${row("time")} bound ${row("bound")} 4 GPUs`,
  );
  expect(stdout).toMatch(
    / By tokens, the LP's split; .* Split by tokens a layer takes .* Cost of an expert's tokens: \S+ $/,
  );
});

test("loads beyond what was measured get a warning, which speaks of no sums", async () => {
  const short = file({ tokens: [1, 20], time: [10, 20] });
  const args = ["replay", recorded, ...shape, "--json", "--cost", short];
  const { code, stdout, stderr } = await evenkeel(args, withoutSoftware);
  const { replayedSteps }: ReplayReport = JSON.parse(stdout);
  const some = replayedSteps
    .flatMap((step) => [0, 1, 2].flatMap((layer) => countsOf(step, layer)))
    .filter((n) => n > 0);
  const beyond = some.filter((n) => n > 20).length;
  expect(beyond).toBeGreaterThan(1);
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: `evenkeel: warning: ${short} ends at 20 tokens of an expert, and ${beyond} of ${some.length} expert loads are larger: their cost is a guess.\n`,
  });
});

test("bad input is one line", async () => {
  await expectRefused(
    "",
    ["replay", recorded, ...shape, "--cost-top-k", "2"],
    "--cost-top-k: expected --cost with it, got 2.",
  );
  await expectRefused(
    "",
    ["replay", "-", ...shape, "--cost", "-"],
    "--cost: expected a file, where another is standard input",
  );
  await expectRefused(
    "",
    ["replay", recorded, ...shape, ...cost, "--steps-per-row", "2"],
    "unknown option '--steps-per-row'",
  );
});
