/** --dead and empty slots on the command line; `plan --dead` has a file of its own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Analysis } from "../../../src/cli/reports/analysis.ts";
import type { ReplayReport } from "../../../src/cli/reports/replay_report.ts";
import { seeded } from "../../../src/common/random.ts";
import { optimum } from "../by_hand.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-dead-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(content));
  return file;
}

async function json<T>(args: string[], input?: string): Promise<T> {
  const { code, stdout, stderr } = await evenkeel([...args, "--json"], withoutSoftware, input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

const [steps, experts, gpus, perGpu] = [6, 8, 4, 3];
/** A map for each of two layers, with an empty slot in the second. GPU 2 alone has expert 7, and in layer 1 expert 3, too. */
const maps = [
  [0, 1, 2, 3, 4, 5, 7, 6, 3, 0, 6, 2],
  [0, 1, 2, -1, 4, 5, 7, 6, 3, 0, 6, 2],
];
const random = seeded(1);
/** [steps][layers][T][k] and how often each expert occurs, [steps][layers][E]. */
const ids = Array.from({ length: steps }, () => maps.map(() => Array.from({ length: 40 }, () => [random.below(7), 7])));
const loads = ids.map((step) =>
  step.map((tokens) => Array.from({ length: experts }, (_, e) => tokens.flat().filter((id) => id === e).length)),
);
const [loadFile, idFile] = [write("loads.json", loads), write("ids.json", ids)];
const placement = write("placement.json", { phy2log: maps, gpus });
const asked = ["--gpus", `${gpus}`, "--placement", placement];

/** What becomes of a batch on the GPUs that are left, from the batch and the map alone. */
function byHand(load: readonly number[], map: readonly number[], dead: readonly number[]) {
  const living = [0, 1, 2, 3].filter((g) => !dead.includes(g));
  const slots = map.map((e, p) => ({ e, gpu: Math.floor(p / perGpu) })).filter(({ gpu }) => living.includes(gpu));
  const hosts = load.map((_, e) => slots.filter((slot) => slot.e === e).map(({ gpu }) => living.indexOf(gpu)));
  const served = load.map((tokens, e) => (hosts[e].length > 0 ? tokens : 0));
  const total = served.reduce((a, b) => a + b, 0);
  const even = living.map(() => 0);
  const inOrder = living.map(() => 0);
  for (const [e, tokens] of served.entries()) {
    inOrder[Math.floor((e * living.length) / experts)] += tokens;
    for (let m = 1; m <= tokens; m++) even[hosts[e][Math.ceil((m * hosts[e].length) / tokens) - 1]]++;
  }
  const present = hosts.flatMap((on, e) => (on.length > 0 ? [e] : []));
  const solved = optimum(
    present.map((e) => served[e]),
    present.map((e) => hosts[e]),
    living.length,
  );
  return {
    lost: [...load.keys()].filter((e) => !present.includes(e)),
    unserved: load.reduce((a, b) => a + b, 0) - total,
    imbalance: {
      originals: (Math.max(...inOrder) * living.length) / total,
      even: (Math.max(...even) * living.length) / total,
      solved: (solved * living.length) / total,
    },
  };
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;

describe.each([{ dead: [2] }, { dead: [2, 0] }, { dead: [] }])("dead $dead", ({ dead }) => {
  const option = dead.length > 0 ? ["--dead", dead.join(",")] : [];
  const expected = maps.map((map, layer) => loads.map((step) => byHand(step[layer], map, dead)));

  test("analyze and replay: imbalances among the living, of what is served", async () => {
    const analysis = await json<Analysis>(["analyze", loadFile, ...asked, ...option]);
    const replayed = await json<ReplayReport>(["replay", idFile, ...asked, ...option, "--experts", "8"]);
    expect(analysis.dead).toEqual([...dead].sort());
    expect(replayed.dead).toEqual(analysis.dead);
    expect(replayed.status).toEqual({ optimal: steps * maps.length });
    for (const [layer, of] of expected.entries()) {
      const { lost, unserved, optimal } = analysis.layers[layer];
      expect({ lost, optimal }).toEqual({ lost: of[0].lost, optimal: steps });
      expect(unserved).toBeCloseTo(mean(of.map((batch) => batch.unserved)) / 80, 12);
      for (const split of ["originals", "even", "solved"] as const) {
        const wanted = mean(of.map(({ imbalance }) => imbalance[split]));
        expect(analysis.layers[layer][split].mean, `layer ${layer}, ${split}`).toBeCloseTo(wanted, 12);
        expect(replayed.perLayer[layer][split].mean, `layer ${layer}, ${split}`).toBeCloseTo(wanted, 12);
      }
      for (const g of dead) expect(analysis.layers[layer].gpuLoad.solved[g]).toBe(0);
      expect(dead).not.toContain(analysis.layers[layer].replica?.gpu);
    }
    const unserved = expected.flat().reduce((sum, batch) => sum + batch.unserved, 0);
    expect(replayed).toMatchObject({ unserved, outOfRange: 0, assignments: steps * maps.length * 80 - unserved });
  });
});

test("in words", async () => {
  const words = async (args: string[]) => (await evenkeel(args, withoutSoftware)).stdout.replaceAll(/\s+/g, " ");
  const analysis = await words(["analyze", loadFile, ...asked, "--dead", "2"]);
  expect(analysis).toContain("Dead: GPU 2; imbalances are among the others. Lost: 3 experts without a slot");
  const replayed = await words(["replay", idFile, ...asked, "--dead", "0-1,2", "--experts", "8"]);
  expect(replayed).toContain("Dead: GPU 0, 1, 2; imbalances are among the others.");
  expect(replayed).toMatch(/\d+ ids of lost experts went nowhere\./);
});

test("all tokens may be lost: nothing to do is done at once", async () => {
  const only = write("only.json", [[[0, 0, 0, 0, 0, 0, 0, 9]], [[0, 1, 0, 0, 0, 0, 0, 9]]]);
  const map = write("map.json", { phy2log: [maps[0]], gpus });
  const shape = ["--gpus", "4", "--placement", map, "--dead", "2"];
  const { layers } = await json<Analysis>(["analyze", only, ...shape]);
  expect(layers[0]).toMatchObject({ lost: [7], unserved: 18 / 19, optimal: 2 });
  expect([layers[0].solved.mean, layers[0].even.mean]).toEqual([2, 2]); // 1 for nothing, 3 for a token on one GPU of three
});

test("solve and certify: active in the file, or --dead", async () => {
  const problem = {
    placement: { gpus, physicalToLogical: maps[1], logicalExperts: 9 },
    expertLoad: loads.map((step) => [...step[1], 5]),
  };
  const whole = write("problem.json", problem);
  const said = write("active.json", { ...problem, active: [1, 1, false, true] });
  const solution = await json<Record<string, unknown[]>>(["solve", whole, "--dead", "2"]);
  expect(await json(["solve", said])).toMatchObject({ maxLoad: solution.maxLoad, lost: [3, 7, 8] });
  expect(solution).toMatchObject({ lost: [3, 7, 8], status: new Array(steps).fill("optimal") });
  const expected = loads.map((step) => byHand(step[1], maps[1], [2]).unserved + 5);
  expect(solution.unserved).toEqual(expected);
  const solved = write("solution.json", solution);
  expect(await json(["certify", said, solved])).toMatchObject({ optimal: steps });
  expect(await json(["certify", whole, solved, "--dead", "2"])).toMatchObject({ optimal: steps });
  // Nobody died: then lost experts 3 and 7 are unserved for no reason.
  const { code, stdout } = await evenkeel(["certify", whole, solved, "--json"], withoutSoftware);
  expect([code, JSON.parse(stdout).invalid]).toEqual([1, steps]);
  const words = await evenkeel(["solve", said], withoutSoftware);
  expect(words.stdout.replaceAll(/\s+/g, " ")).toContain("whose tokens are not served: 3, 7-8.");
});

describe("is one line on stderr, exit code 2:", () => {
  const full = write("full.json", { phy2log: [maps[0]], gpus });
  const hole = write("hole.json", { phy2log: maps.map(() => maps[0].map((e) => (e === 7 ? 6 : e))), gpus });
  const edge = write("edge.json", { gpus: 2, edges: [[0, 1]], load: [1, 1], capacity: [1] });
  const replica = write("replica.json", {
    placement: { gpus: 2, physicalToLogical: [0, 1] },
    expertLoad: [1, 1],
    active: [1, 0],
  });
  test.each([
    [
      "a GPU that is not there",
      ["analyze", loadFile, ...asked, "--dead", "4"],
      "--dead: expected GPUs in 0..3, got 4.",
    ],
    ["all GPUs", ["replay", idFile, ...asked, "--dead", "0-3"], "--dead: expected fewer than all 4 GPUs, got 4."],
    ["no GPUs", ["analyze", loadFile, ...asked, "--dead", "one"], "Expected GPUs, as in 3,7 or 8-15."],
    ["the edge form", ["solve", edge, "--dead", "1"], '--dead: expected none in the edge form, got "1".'],
    ["another than in the file", ["solve", replica, "--dead", "0"], "--dead: expected none, or the same GPUs"],
    [
      "an expert without a slot, and nobody died",
      ["analyze", loadFile, "--gpus", "4", "--placement", hole],
      "expected 8 experts as in the recording, got 7",
    ],
    [
      "an expert left out, and nobody died",
      [
        "analyze",
        loadFile,
        "--gpus",
        "4",
        "--placement",
        write("low.json", { phy2log: maps.map(() => maps[0].map((e) => (e === 5 ? 6 : e))), gpus }),
      ],
      "a slot for expert 5",
    ],
    ["other layers", ["analyze", loadFile, "--gpus", "4", "--placement", full, "--dead", "1"], "expected 2 layers"],
  ])("%s", async (_, args, message) => {
    const { code, stdout, stderr } = await evenkeel(args, withoutSoftware);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});
