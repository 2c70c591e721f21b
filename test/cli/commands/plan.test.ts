import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { generateLoads } from "../../../src/cli/reports/generated_loads.ts";
import { row } from "../../../src/cli/reports/load_history.ts";
import type { PlanReport } from "../../../src/cli/reports/plan_report.ts";
import { type Placement, placementsFromJSON, rebalanceExperts } from "../../../src/index.ts";
import { maxLoads } from "../by_hand.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-plan-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [steps, layers, experts, gpus, redundant] = [40, 2, 16, 4, 4];
const history = generateLoads({ steps, layers, experts }, 1);
const loads = Array.from({ length: steps }, (_, step) =>
  Array.from({ length: layers }, (_, layer) => [...row(history, step, layer)]),
);
const file = join(folder, "loads.json");
writeFileSync(file, JSON.stringify(loads));
const shape = [file, "--gpus", `${gpus}`, "--redundant", `${redundant}`, "--budget", "2"];
const readOut = (path: string) => JSON.parse(readFileSync(path, "utf8"));

async function plan(args: string[]): Promise<PlanReport> {
  const { code, stdout, stderr } = await evenkeel(["plan", ...shape, ...args, "--json"], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

test("writes what SGLang reads, and measures it and EPLB's on the steps that neither was fitted to", async () => {
  const out = join(folder, "placement.json");
  writeFileSync(out, "the one before");
  const report = await plan(["--out", out]);
  expect(readOut(out)).toEqual({ physical_to_logical_map: report.placements }); // SGLang stops at other names
  expect(readdirSync(folder).filter((name) => name.includes(".part"))).toEqual([]);
  expect(report).toMatchObject({ steps, layers, experts, gpus, redundant, fittedSteps: 20 });
  expect(report.measuredSteps).toEqual(Array.from({ length: 20 }, (_, i) => 20 + i));

  const fitted = loads[0].map((of, layer) =>
    of.map((_, e) => loads.slice(0, 20).reduce((sum, step) => sum + step[layer][e], 0)),
  );
  const { physicalToLogical } = rebalanceExperts(fitted, { replicas: experts + redundant, gpus });
  for (let layer = 0; layer < layers; layer++) {
    for (const [measured, map] of [
      [report.eplb, [...physicalToLogical[layer]]],
      [report.optimized, report.placements[layer]],
    ] as const) {
      for (const split of ["originals", "even", "solved"] as const) {
        const imbalances = loads.slice(20).map((step) => {
          const load = step[layer];
          return (maxLoads(load, map, gpus)[split] * gpus) / load.reduce((a, b) => a + b);
        });
        const mean = imbalances.reduce((a, b) => a + b) / imbalances.length;
        expect(measured.layers[layer][split].mean).toBeCloseTo(mean, 12);
      }
    }
  }
  expect(report.optimized.all.solved.mean).toBeLessThan(report.eplb.all.solved.mean);
});

describe.each(["vllm", "sglang", "eplb"])("--format %s", (format) => {
  test("is read back as the same placement", async () => {
    const out = join(folder, `${format}.json`);
    const report = await plan(["--out", out, "--format", format, "--budget", "0"]);
    const read: Placement[] = placementsFromJSON(readOut(out), { gpus });
    expect(read).toHaveLength(layers);
    const perGpu = (map: ArrayLike<number>, g: number) =>
      Array.from(map)
        .slice(g * 5, g * 5 + 5)
        .sort();
    for (const [layer, { physicalToLogical }] of read.entries()) {
      for (let g = 0; g < gpus; g++) expect(perGpu(physicalToLogical, g)).toEqual(perGpu(report.placements[layer], g));
    }
  });
});

test("moves at most so many slots away from the placement in force", async () => {
  const inForce = join(folder, "in_force.json");
  const map = Array.from({ length: experts + redundant }, (_, slot) => (slot * 7 + (slot >> 4)) % experts);
  writeFileSync(inForce, JSON.stringify({ phy2log: new Array(layers).fill(map) }));
  const report = await plan(["--placement", inForce, "--max-moved", "2"]);
  for (const { moved } of report.search.layers) expect(moved).toBeLessThanOrEqual(2);
  expect(report.inForce!.all.solved.mean).toBeGreaterThanOrEqual(report.optimized.all.solved.mean);
  for (const [layer, after] of report.placements.entries()) {
    let moved = 0;
    for (let g = 0; g < gpus; g++) {
      const held = map.slice(g * 5, g * 5 + 5);
      moved += after.slice(g * 5, g * 5 + 5).filter((e) => !held.includes(e)).length;
    }
    expect(moved).toBe(report.search.layers[layer].moved);
  }
});

test("keeps replicas within their node, or the same graph in every layer", async () => {
  const nodes = await plan(["--nodes", "2"]);
  for (const map of nodes.placements) {
    const nodesOf = map.map((_, slot) => Math.floor(slot / 10));
    for (let e = 0; e < experts; e++) {
      expect(new Set(nodesOf.filter((_, slot) => map[slot] === e)).size).toBe(1);
    }
  }
  const shared = await plan(["--shared-topology"]);
  expect(shared.search.sharedTopology).toMatchObject({ free: expect.any(Number), shared: expect.any(Number) });
});

test("--format lplb: the slots as the graph has them", async () => {
  const out = join(folder, "lplb.json");
  await plan(["--out", out, "--format", "lplb", "--shared-topology", "ring"]);
  expect(readOut(out).r2o).toEqual([[1], [2], [3], [0]]);
  expect(placementsFromJSON(readOut(out), { gpus })).toHaveLength(layers); // which checks the map against r2o
});

test("a table and what was written, for people", async () => {
  const out = join(folder, "for_people.json");
  const { code, stdout, stderr } = await evenkeel(["plan", ...shape, "--out", out], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^layer +none +EPLB even +EPLB \+ LP +plan even +plan \+ LP$/m);
  expect(stdout).toMatch(/^all( +\d\.\d{3}){5}$/m);
  expect(stdout.replaceAll("\n", " ")).toContain(`Written to ${out} for sglang.`);
  expect(existsSync(out)).toBe(true);
});

test.each([
  ["p95", (imbalances: number[]) => imbalances[18]], // of 20: 95 % are at most that
  ["cvar", (imbalances: number[]) => imbalances[19]],
] as const)("--objective %s is what the table shows", async (objective, measure) => {
  const args = ["--objective", objective, "--budget", "1"];
  const report = await plan(args);
  expect(report.objective).toBe(objective);
  for (let layer = 0; layer < layers; layer++) {
    const imbalances = loads.slice(20).map((step) => {
      const load = step[layer];
      return (maxLoads(load, report.placements[layer], gpus).solved * gpus) / load.reduce((a, b) => a + b);
    });
    const expected = measure(imbalances.sort((a, b) => a - b));
    expect(report.optimized.layers[layer].solved[objective]).toBeCloseTo(expected, 12);
  }
  const { stdout } = await evenkeel(["plan", ...shape, ...args], withoutSoftware);
  const columns = [report.eplb.all.originals, report.eplb.all.even, report.eplb.all.solved];
  expect(stdout).toMatch(new RegExp(`^all +${columns.map((all) => all[objective].toFixed(3)).join(" +")} `, "m"));
  expect(stdout).toContain(objective === "p95" ? "95th percentile of the imbalance" : "the worst twentieth");
});

test("without --redundant: one replica per GPU, as many as fill the GPUs, or as many as are in force", async () => {
  const quick = ["--budget", "0", "--json"];
  const planned = async (args: string[]) => {
    const { code, stdout, stderr } = await evenkeel(["plan", file, ...args, ...quick], withoutSoftware);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout).redundant;
  };
  expect(await planned(["--gpus", "4"])).toBe(4);
  expect(await planned(["--gpus", "5"])).toBe(4); // 16 experts: 5 GPUs with 4 slots
  expect(await planned(["--gpus", "4", "--nodes", "2"])).toBe(4);
  expect(await planned(["--gpus", "4", "--nodes", "4"])).toBe(0);
  const inForce = join(folder, "eight_redundant.json");
  writeFileSync(inForce, JSON.stringify({ phy2log: new Array(layers).fill([...Array(24).keys()].map((p) => p % 16)) }));
  expect(await planned(["--gpus", "4", "--placement", inForce])).toBe(8);
});

test("--out may be a link, which stays one", async () => {
  const [place, link] = [join(folder, "place.json"), join(folder, "link.json")];
  writeFileSync(place, "the one before");
  symlinkSync(place, link);
  const report = await plan(["--out", link, "--budget", "0"]);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readOut(place)).toEqual({ physical_to_logical_map: report.placements });
});

test("--out may be a pipe, which stays one", async () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  const [{ code }, written] = await Promise.all([
    evenkeel(["plan", ...shape, "--out", pipe, "--budget", "0"], withoutSoftware),
    readFile(pipe, "utf8"),
  ]);
  expect(code).toBe(0);
  expect(JSON.parse(written)).toHaveProperty("physical_to_logical_map");
  expect(statSync(pipe).isFIFO()).toBe(true);
});
