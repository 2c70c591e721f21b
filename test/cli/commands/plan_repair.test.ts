import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { generateLoads } from "../../../src/cli/reports/generated_loads.ts";
import { row } from "../../../src/cli/reports/load_history.ts";
import type { PlanReport } from "../../../src/cli/reports/plan_report.ts";
import { maxLoads } from "../by_hand.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-repair-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [steps, layers, experts, gpus, perGpu] = [40, 2, 16, 8, 3];
const history = generateLoads({ steps, layers, experts }, 1);
const loads = Array.from({ length: steps }, (_, step) =>
  Array.from({ length: layers }, (_, layer) => [...row(history, step, layer)]),
);
const file = join(folder, "loads.json");
writeFileSync(file, JSON.stringify(loads));

/** Experts 0 to 7 have two slots each; GPUs 3 and 7 hold all copies of some. */
const inForce = [0, 5].map((shift) =>
  Array.from({ length: gpus * perGpu }, (_, p) => ((p * 7 + shift) % 24) % experts),
);
const placement = join(folder, "in_force.json");
writeFileSync(placement, JSON.stringify({ phy2log: inForce, gpus }));
const dead = [3, 7];

const gpuOf = (slot: number) => Math.floor(slot / perGpu);
const livesOn = (map: readonly number[], e: number, without = dead) =>
  map.flatMap((held, p) => (held === e && !without.includes(gpuOf(p)) ? [gpuOf(p)] : []));
const lostOf = (map: readonly number[]) => [...Array(experts).keys()].filter((e) => livesOn(map, e).length === 0);

const run = (args: string[], on = gpus) =>
  evenkeel(["plan", file, "--gpus", `${on}`, "--placement", placement, "--budget", "5", ...args], withoutSoftware);

async function plan(args: string[], on = gpus): Promise<PlanReport> {
  const { code, stdout, stderr } = await run([...args, "--json"], on);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

/** Every expert lives, dead GPUs' slots are untouched, and the moves lead from the map in force to the plan's. */
function check(report: PlanReport, deadGpus: readonly number[], before: readonly (readonly number[])[]) {
  const applied = before.map((map) => [...map]);
  for (const { layer, slot, gpu, expert, source } of report.moves!) {
    applied[layer][slot] = expert;
    expect(gpu).toBe(gpuOf(slot));
    expect(deadGpus).not.toContain(gpu);
    const holders = livesOn(before[layer], expert, [...deadGpus]);
    if (holders.length === 0) expect(source).toBeNull();
    else expect(holders).toContain(source);
  }
  expect(applied).toEqual(report.placements);
  for (const [layer, map] of report.placements.entries()) {
    for (let e = 0; e < experts; e++) expect(livesOn(map, e, [...deadGpus]).length, `expert ${e}`).toBeGreaterThan(0);
    expect(report.moves!.filter((move) => move.layer === layer)).toHaveLength(report.search.layers[layer].moved);
  }
}

describe("--dead", () => {
  test("moves one slot for each expert without a living copy, and no other", async () => {
    const report = await plan(["--dead", "3,7"]);
    check(report, dead, inForce);
    expect(report.lost).toEqual(inForce.map(lostOf));
    expect(report.lost.flat().length).toBeGreaterThan(2);
    for (const [layer, { moved }] of report.search.layers.entries()) expect(moved).toBe(report.lost[layer].length);
    expect(report.moves!.every(({ source }) => source === null)).toBe(true);

    // Measured among the living, by hand: their GPUs in a row.
    for (const [layer, map] of report.placements.entries()) {
      const living = map.filter((_, p) => !dead.includes(gpuOf(p)));
      const imbalances = loads.slice(20).map((step) => {
        return (maxLoads(step[layer], living, 6).solved * 6) / step[layer].reduce((a, b) => a + b);
      });
      const mean = imbalances.reduce((a, b) => a + b) / imbalances.length;
      expect(report.optimized.layers[layer].solved.mean).toBeCloseTo(mean, 12);
    }
  });

  test("improves within --max-moved, and what is written needs no further repair", async () => {
    const fewest = await plan(["--dead", "3,7"]);
    const out = join(folder, "out.json");
    const most = Math.max(...fewest.lost.map(({ length }) => length)) + 3;
    const report = await plan(["--dead", "7,3", "--max-moved", `${most}`, "--out", out, "--format", "eplb"]);
    check(report, dead, inForce);
    for (const { moved } of report.search.layers) expect(moved).toBeLessThanOrEqual(most);
    expect(report.moves!.length).toBeGreaterThan(fewest.moves!.length);
    expect(report.search.recorded.after).toBeLessThan(report.search.recorded.before);
    const written = JSON.parse(readFileSync(out, "utf8"));
    expect(written.phy2log).toEqual(report.placements);
    const again = await plan(["--placement", out, "--dead", "3,7"]);
    expect(again).toMatchObject({ moves: [], lost: [[], []], placements: report.placements });
  });

  test("a layer without experts has no moves", async () => {
    const dense = join(folder, "dense.json");
    writeFileSync(dense, JSON.stringify(loads.map(([first]) => [new Array(experts).fill(0), first])));
    const args = ["plan", dense, "--gpus", `${gpus}`, "--placement", placement, "--dead", "3,7", "--json"];
    const report: PlanReport = JSON.parse((await evenkeel(args, withoutSoftware)).stdout);
    expect(report.lost).toEqual([[], lostOf(inForce[1])]);
    expect(new Set(report.moves!.map(({ layer }) => layer))).toEqual(new Set([1]));
    expect(report.search.layers.map(({ moved }) => moved)).toEqual([0, report.lost[1].length]);
    expect(report.placements[0]).toEqual(inForce[0]); // what is written is what is printed
    const words = (await evenkeel(args.slice(0, -1), withoutSoftware)).stdout.replaceAll(/\s+/g, " ");
    expect(words).toContain("Layers 0 are left as they were, having no tokens: --moe-layers says otherwise.");
    const all: PlanReport = JSON.parse((await evenkeel([...args, "--moe-layers", "0,1"], withoutSoftware)).stdout);
    expect(all.moves!.filter(({ layer }) => layer === 0)).toHaveLength(lostOf(inForce[0]).length);
  });

  test.each(["trtllm", "sglang", "eplb", "vllm-ascend"])(
    "%s has no empty slots: told before the search",
    async (format) => {
      const map = join(folder, "empty.json");
      writeFileSync(map, JSON.stringify({ phy2log: [inForce[0], inForce[1].with(2, -1)], gpus }));
      const out = join(folder, `empty_${format}`);
      const args = ["--placement", map, "--dead", "0", "--max-moved", "9", "--format", format, "--out", out];
      const { code, stdout, stderr } = await run([...args, "--budget", "60"]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toMatch(/^evenkeel: the plan's layer 1.*: expected an expert in every slot/);
      expect(existsSync(out)).toBe(false);
    },
  );

  test("more slots than experts on every GPU are no fault of a placement in force", async () => {
    const map = join(folder, "many.json");
    writeFileSync(map, JSON.stringify({ phy2log: [[0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0]], gpus: 3 }));
    const few = join(folder, "few.json");
    writeFileSync(few, JSON.stringify([[[5, 1]], [[4, 2]], [[3, 3]]]));
    for (const dead of [
      ["--dead", "1"],
      ["--gpus", "4"],
    ]) {
      const args = ["plan", few, "--gpus", "3", "--placement", map, "--budget", "1", "--max-moved", "1", ...dead];
      expect(await evenkeel(args, withoutSoftware)).toMatchObject({
        code: 0,
        stderr: expect.not.stringMatching(/redundant/),
      });
    }
  });

  test("a table of moves for people", async () => {
    const { code, stdout, stderr } = await run(["--dead", "3,7"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^layer +none +EPLB even +EPLB \+ LP +repaired \+ LP +plan even +plan \+ LP +moved$/m);
    expect(stdout).toMatch(/^layer +slot +on GPU +gets expert +from GPU$/m);
    const moved = inForce.flatMap(lostOf).length;
    expect(stdout.match(/^\d( +\d+){3} +none: reload from disk$/gm)).toHaveLength(moved);
    expect(stdout).toContain("8 GPUs of which 6 are alive");
    const idle = await run(["--dead", "0", "--placement", await unharmed()]);
    expect(idle.stdout).toContain("No slot changes.");
  });

  test.each([
    ["a GPU that is not there", ["--dead", "3,8"], /--dead: expected GPUs in 0\.\.7, got 8\./],
    ["all of them", ["--dead", "0-7"], /--dead: expected fewer than all 8 GPUs, got 8\./],
    ["no list", ["--dead", "3,x"], /Expected GPUs, as in 3,7 or 8-15\./],
    ["too few slots", ["--dead", "0-2"], /slots of living GPUs: expected at least 16, one for each expert, got 15\./],
    [
      "too few moves",
      ["--dead", "3,7", "--max-moved", "1"],
      /--max-moved: expected at least \d, one for each expert .* layer 0, got 1\./,
    ],
    ["nodes", ["--dead", "3,7", "--nodes", "2"], /--nodes: expected 1 with dead or new GPUs, or empty slots, got 2\./],
    [
      "another number of slots",
      ["--dead", "3", "--redundant", "16"],
      /redundant: expected 8, as the 24 slots .* got 16\./,
    ],
  ])("%s: one line and exit code 2", async (_, args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain("\n");
  });

  test("needs a placement", async () => {
    const { code, stderr } = await evenkeel(["plan", file, "--gpus", "8", "--dead", "3"], withoutSoftware);
    expect({ code, stderr }).toEqual({ code: 2, stderr: "evenkeel: --dead needs --placement\n" });
  });
});

/** A placement that GPU 0 can leave. */
async function unharmed(): Promise<string> {
  const path = join(folder, "unharmed.json");
  const map = Array.from({ length: gpus * perGpu }, (_, p) => (p + 13) % experts); // slots 0 to 2 hold what slots 16 to 18 do
  writeFileSync(path, JSON.stringify({ phy2log: [map, map], gpus }));
  return path;
}

describe("more GPUs than the placement was made for", () => {
  const grown = inForce.map((map) => [...map, ...new Array(2 * perGpu).fill(-1)]);

  test("the new ones are filled, and what was there stays", async () => {
    const report = await plan([], 10);
    expect(report).toMatchObject({ gpus: 10, newGpus: 2, redundant: 14 });
    check(report, [], grown);
    for (const [layer, map] of report.placements.entries()) {
      expect(map.slice(0, gpus * perGpu)).toEqual(inForce[layer]);
      for (const first of [24, 27]) expect(new Set(map.slice(first, first + perGpu)).size).toBe(perGpu);
    }
    expect(report.moves).toHaveLength(layers * 2 * perGpu);
    expect(report.optimized.all.solved.mean).toBeLessThan(report.inForce!.all.solved.mean);
  });

  test("dies, too, and moves more where it may", async () => {
    const report = await plan(["--dead", "3,7", "--max-moved", "12"], 10);
    check(report, dead, grown);
    for (const { moved } of report.search.layers) expect(moved).toBeLessThanOrEqual(12);
    const slots = report.moves!.map(({ layer, slot }) => `${layer} ${slot}`);
    for (let p = 24; p < 30; p++) expect(slots).toContain(`0 ${p}`);
  });

  test("a file for more GPUs is refused as before", async () => {
    const { code, stderr } = await run([], 6);
    expect(code).toBe(2);
    expect(stderr).toMatch(/gpus: expected --gpus 6, got 8\./);
  });
});
