import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { generateLoads } from "../../../src/cli/reports/generated_loads.ts";
import { row } from "../../../src/cli/reports/load_history.ts";
import type { PlanReport } from "../../../src/cli/reports/plan_report.ts";
import type { CurvePoint } from "../../../src/cli/reports/redundancy_curve.ts";
import { createSolver, Placement } from "../../../src/index.ts";
import { evenkeel, withoutSoftware } from "../evenkeel.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-plan-scale-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [steps, layers, experts, gpus] = [48, 2, 32, 16];
const history = generateLoads({ steps, layers, experts }, 5);
const loads = Array.from({ length: steps }, (_, step) =>
  Array.from({ length: layers }, (_, layer) => [...row(history, step, layer)]),
);
const file = join(folder, "loads.json");
writeFileSync(file, JSON.stringify(loads));
const few = join(folder, "few.json"); // a step of decode
writeFileSync(few, JSON.stringify(loads.map((step) => step.map((row) => row.map((load) => Math.ceil(load / 40))))));
const cost = { model: "roofline", perExpert: 6, perToken: 0.03 } as const;
writeFileSync(join(folder, "cost.json"), JSON.stringify(cost));

async function planned(loads: string, ...args: string[]) {
  const { code, stdout, stderr } = await evenkeel(["plan", loads, "--gpus", `${gpus}`, ...args], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

describe("--redundant with several numbers", () => {
  test("is a curve, in ascending order, each beside EPLB and a bound that it never beats", async () => {
    const { curve, plans } = JSON.parse(await planned(file, "--redundant", "32,0,16", "--json")) as {
      curve: CurvePoint[];
      plans: PlanReport[];
    };
    expect(curve.map(({ redundant }) => redundant)).toEqual([0, 16, 32]);
    for (const [i, { plan, eplb, bound, redundant }] of curve.entries()) {
      expect(plans[i]).toMatchObject({
        redundant,
        optimized: { all: { solved: plan } },
        eplb: { all: { solved: eplb } },
      });
      expect(bound).toBeLessThanOrEqual(plan.mean + 1e-9);
      expect(bound).toBeLessThanOrEqual(eplb.mean + 1e-9);
      expect(plan.mean).toBeLessThanOrEqual(eplb.mean * 1.01);
    }
    expect(curve[2].plan.mean).toBeLessThan(curve[0].plan.mean);
  });

  test("is a table that says what each is worth, and with --html a page with the curve", async () => {
    const page = join(folder, "plan.html");
    const words = await planned(file, "--redundant", "0,16", "--html", page);
    const [head, none, some] = words.split("\n");
    expect(head.trim().split(/ {2,}/)).toEqual([
      ...["redundant", "slots per GPU", "EPLB + LP", "plan + LP", "p95", "bound", "saves"],
    ]);
    expect(none.trim()).toMatch(/^0 +2 .* -$/);
    expect(some.trim()).toMatch(/^16 +3 .* \d+\.\d %$/);
    expect(words).toContain("Nothing is written");
    const html = readFileSync(page, "utf8");
    expect(html).toContain("bound for any placement");
    expect(html).toContain("evenkeel plan");
    expect(html).toContain("No placement of these slots could come below");
  });

  test.each([
    ["error: --out needs one number of --redundant", ["--redundant", "0,16", "--out", "x.json"]],
    ["Expected an integer from 0", ["--redundant", "0,,16"]],
    ["redundant: expected a multiple of the 16 GPUs", ["--redundant", "0,17"]],
  ])("%s", async (message, args) => {
    const { code, stdout, stderr } = await evenkeel(["plan", file, "--gpus", "16", ...args], withoutSoftware);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message.replace("error: ", ""));
  });
});

describe("--cost", () => {
  test("plans for time, and says what the plan for tokens would have cost", async () => {
    const args = ["--redundant", "16", "--cost", join(folder, "cost.json")];
    const report = JSON.parse(await planned(few, ...args, "--json")) as PlanReport;
    const { time, placements } = report;
    // Times of the plan, by the solver alone.
    for (const [layer, map] of placements.entries()) {
      const placement = Placement.fromPhysicalToLogical(map, { gpus });
      const solver = await createSolver(placement, { cost, backend: "cpu" });
      const measured = JSON.parse(readFileSync(few, "utf8")).slice(steps / 2) as number[][][];
      const { maxTime } = await solver.solve({ expertLoad: measured.flatMap((step) => step[layer]) });
      expect(time!.plan.layers[layer].mean).toBeCloseTo(maxTime.reduce((a, b) => a + b) / maxTime.length, 9);
    }
    const [bound, plan, eplb] = [time!.bound.all.mean, time!.plan.all.mean, time!.eplb.all.mean];
    expect(bound).toBeLessThanOrEqual(plan + 1e-9);
    expect(plan).toBeLessThan(eplb * 1.001);
    const words = await planned(few, ...args);
    expect(words).toMatch(/layer +EPLB +plan for tokens +plan for time +bound/);
    expect(words.replaceAll("\n", " ")).toMatch(
      /The plan for tokens takes \d\.\d{3} times as long as this one for time/,
    );
  });

  test("and a curve of it", async () => {
    const args = [
      "--redundant",
      "0,16",
      "--cost",
      join(folder, "cost.json"),
      "--json",
      "--html",
      join(folder, "time.html"),
    ];
    const { curve, plans } = JSON.parse(await planned(few, ...args)) as { curve: CurvePoint[]; plans: PlanReport[] };
    expect(curve.map(({ plan }) => plan)).toEqual(plans.map(({ time }) => time!.plan.all));
    expect(readFileSync(join(folder, "time.html"), "utf8")).toContain("time in the unit of the cost");
  });
});

describe("--replicas", () => {
  const homesOf = (map: number[], nodes: number) => {
    const perGpu = map.length / gpus;
    return Array.from({ length: experts }, (_, e) =>
      map.flatMap((one, p) => (one === e ? [Math.floor(Math.floor(p / perGpu) / (gpus / nodes))] : [])),
    );
  };

  test.each(["within-node", "across-nodes", "anywhere"])("%s", async (replicas) => {
    const args = ["--nodes", "4", "--replicas", replicas, "--redundant", "16", "--json"];
    const report = JSON.parse(await planned(file, ...args)) as PlanReport;
    expect(report.replicas).toBe(replicas);
    for (const homes of report.placements.flatMap((map) => homesOf(map, 4))) {
      if (replicas === "within-node") expect(new Set(homes).size).toBe(1);
      if (replicas === "across-nodes") expect(new Set(homes).size).toBe(homes.length);
    }
  });

  test("across one node is refused before anything is computed", async () => {
    const args = ["plan", file, "--gpus", "16", "--replicas", "across-nodes"];
    const { code, stderr } = await evenkeel(args, withoutSoftware);
    expect(code).toBe(2);
    expect(stderr).toBe('evenkeel: nodes: expected more than 1 with replicas "across-nodes", got 1.\n');
  });
});

test("says what no placement could do, what history is enough, and who was kept", async () => {
  const words = (await planned(file, "--redundant", "16")).replaceAll("\n", " ");
  expect(words).toMatch(/No placement of these slots could come below 1\.\d{3} on these steps/);
  expect(words).toMatch(
    /History: fitted to ever more of the latest steps, a few layers come to 1\.\d{3} by 12, 1\.\d{3} by 24/,
  );
  const { historyWorth, search } = JSON.parse(await planned(file, "--redundant", "16", "--json")) as PlanReport;
  expect(historyWorth.map(({ batches }) => batches)).toEqual([12, 24]);
  for (const { validation, kept } of search.layers) expect(kept === undefined || validation !== undefined).toBe(true);

  // A slot each: nothing to decide.
  const single = await evenkeel(["plan", file, "--gpus", "40", "--redundant", "8"], withoutSoftware);
  const said = single.stdout.replaceAll("\n", " ");
  expect(said).toContain("With one slot on each GPU the LP has nothing to decide");
  expect(said).toMatch(
    /no other placement can mend, only more replicas: .* with 48 redundant experts the bound is 1\.\d{3}/,
  );
  expect(said).toContain("Layers 0-1 keep EPLB's placement");
});
