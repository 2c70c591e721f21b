import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import type { Analysis } from "../../../src/cli/reports/analysis.ts";
import { seeded } from "../../../src/common/random.ts";
import { placementsToJSON, rebalanceExperts } from "../../../src/index.ts";
import { Placement } from "../../../src/placement/placement.ts";
import { hosts, maxLoads, optimum } from "../by_hand.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-analyze-"));
afterAll(() => rmSync(folder, { recursive: true }));

const gpus = 4;
const experts = 12;
const random = seeded(1);
/** [steps][layers][E]: a layer with hot experts, one with fewer, one that has no tokens at every second step, and one without any. */
const loads = Array.from({ length: 20 }, (_, step) =>
  Array.from({ length: 4 }, (_, layer) =>
    Array.from({ length: experts }, (_, e) => {
      if (layer === 3 || (layer === 2 && step % 2 === 1)) return 0;
      return random.below(200) * (e % 5 === layer ? 6 : 1);
    }),
  ),
);
const file = join(folder, "loads.json");
writeFileSync(file, JSON.stringify({ loads }));
const shape = ["--gpus", `${gpus}`];

async function analysis(args: string[], input?: Buffer): Promise<Analysis> {
  const { code, stdout, stderr } = await evenkeel(["analyze", ...args, "--json"], withoutSoftware, input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

test("reports what loads and placements say, and the replica that helps most", async () => {
  const result = await analysis([file, ...shape]);
  expect(result).toMatchObject({ source: file, steps: 20, experts, gpus, redundant: gpus, tokens: "integer" });
  expect(result.placedBy).toBe("EPLB by steps 0-9");
  expect(result.measuredSteps).toEqual(Array.from({ length: 10 }, (_, i) => 10 + i)); // not those of the fit
  for (const layer of [0, 1, 2]) {
    const batches = result.measuredSteps.map((step) => loads[step][layer]).filter((load) => sum(load) > 0);
    const map = result.placements[layer];
    const found = result.layers[layer];
    expect({ batches: found.batches, optimal: found.optimal }).toEqual({
      batches: batches.length,
      optimal: batches.length,
    });
    for (const split of ["originals", "even", "solved"] as const) {
      const byHand = mean(batches.map((load) => (maxLoads(load, map, gpus)[split] * gpus) / sum(load)));
      expect(found[split].mean).toBeCloseTo(byHand, 12);
      expect(sum(found.gpuLoad[split])).toBeCloseTo(gpus, 9); // in means
    }
    expect(sum(found.price)).toBeCloseTo(1, 9);
    expect(found.hottest.map(({ index }) => index)).toEqual(hottest(batches).slice(0, 3));
    const totals = batches[0].map((_, e) => sum(batches.map((load) => load[e])));
    expectClose(
      found.expertLoad,
      totals.map((total) => total / mean(totals)),
    );

    const replica = bestByHand(batches, map);
    expect(replica.saved).toBeGreaterThan(0.001);
    expect(found.replica!.saved).toBeCloseTo(replica.saved, 12); // another may be as good
    expect(savedByHand(batches, map, found.replica!)).toBeCloseTo(replica.saved, 12);
  }
  expect(result.layers[3]).toMatchObject({ batches: 0, originals: { mean: 1 }, bottleneck: [], hottest: [] });
  const solved = result.layers.slice(0, 3).flatMap(({ solved, batches }) => new Array(batches).fill(solved.mean));
  expect(result.all.solved.mean).toBeCloseTo(mean(solved), 12); // empty batches do not dilute it
  expect(result.layers[3].expertLoad).toEqual(new Array(experts).fill(0));
  for (const [i, step] of result.measuredSteps.entries()) {
    const measured = [0, 1, 2].filter((layer) => sum(loads[step][layer]) > 0);
    const imbalances = measured.map((layer) => {
      const load = loads[step][layer];
      return (maxLoads(load, result.placements[layer], gpus).even * gpus) / sum(load);
    });
    expect(result.overTime.even[i]).toBeCloseTo(mean(imbalances), 12);
    expect(result.p95OverTime.even[i]).toBeCloseTo(Math.max(...imbalances), 12); // the nearest rank of so few
  }
});

function expectClose(found: number[], expected: number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 12);
}

function hottest(batches: number[][]): number[] {
  const totals = batches[0].map((_, e) => sum(batches.map((load) => load[e])));
  return [...totals.keys()].sort((a, b) => totals[b] - totals[a]);
}

function savedByHand(batches: number[][], map: number[], { expert, gpu }: { expert: number; gpu: number }): number {
  const before = hosts(map, gpus);
  const after = before.map((held, e) => (e === expert ? [...held, gpu] : held));
  const saved = batches.map((load) => ((optimum(load, before, gpus) - optimum(load, after, gpus)) * gpus) / sum(load));
  return mean(saved);
}

function bestByHand(batches: number[][], map: number[]) {
  let best = { expert: 0, gpu: 0, saved: 0 };
  for (let expert = 0; expert < experts; expert++) {
    for (let gpu = 0; gpu < gpus; gpu++) {
      const saved = savedByHand(batches, map, { expert, gpu });
      if (saved > best.saved) best = { expert, gpu, saved };
    }
  }
  return best;
}

test("takes the placement in force, and measures every step with it", async () => {
  const sums = loads[0].map((_, layer) => loads[0][layer].map((_, e) => sum(loads.map((step) => step[layer][e]))));
  const { physicalToLogical } = rebalanceExperts(sums, { replicas: 16, gpus });
  const placements = physicalToLogical.map((map) => Placement.fromPhysicalToLogical(map, { gpus }));
  const path = join(folder, "placement.json");
  // EPLB may put an expert twice on a GPU: with the GPUs beside the map, that is no sign of another number of them.
  writeFileSync(path, JSON.stringify({ ...placementsToJSON(placements, "sglang"), gpus }));
  const result = await analysis([file, ...shape, "--placement", path]);
  expect(result.placedBy).toBe(path);
  expect(result.measuredSteps).toHaveLength(20);
  expect(result.placements).toEqual(physicalToLogical.map((map) => [...map]));
});

test("reads standard input, in gzip, and a single step", async () => {
  const [first] = loads;
  const piped = await analysis(
    ["-", ...shape, "--redundant", "0"],
    gzipSync(JSON.stringify({ logical_count: [first] })),
  );
  expect(piped).toMatchObject({ source: "standard input", steps: 1, redundant: 0, measuredSteps: [0] });
  expect(piped.layers[0].solved).toEqual(piped.layers[0].even); // nothing to decide
});

test("one GPU, to which nothing can be added", async () => {
  const { redundant, all } = await analysis([file, "--gpus", "1"]);
  expect({ redundant, solved: all.solved.mean }).toEqual({ redundant: 0, solved: 1 });
});

test("prints a table for people, plain in a pipe", async () => {
  const { code, stdout, stderr } = await evenkeel(["analyze", file, ...shape], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^[\n -~]+$/);
  expect(stdout).toMatch(/^layer +none +even +LP +bottleneck GPUs +hottest experts +one more replica$/m);
  expect(stdout).toMatch(
    /^0 +\d\.\d{3} +\d\.\d{3} +\d\.\d{3} +\d \(\d+ %\) \d \(\d+ %\) +\d+ \(\d\.\dx\) \d+ \(\d\.\dx\) +\d+ on GPU \d: -0\.\d{3}$/m,
  );
  expect(stdout).toMatch(/^3( +-){6}$/m);
  expect(stdout).toContain("LP, the best split,");
});
