/** The kernel's raw counts against the twin's. */
import { describe, expect, test } from "vitest";
import { Pauses } from "../../../src/common/pauses.ts";
import { requestDevice } from "../../../src/index.ts";
import { labelsOf, planSweep, type SweepPlan } from "../../../src/serving/sweep/scenarios.ts";
import { gridSettings } from "../../../src/serving/sweep/sweep_grid.ts";
import type { RawScenario } from "../../../src/serving/sweep/swept.ts";
import { WebgpuReplays } from "../../../src/serving/sweep/webgpu_replays.ts";
import { Replay } from "../../../src/serving/twins/replay.ts";
import { binOf } from "../../../src/serving/twins/replay_state.ts";
import type { SweepGrid, Trace } from "../../../src/serving.ts";
import { brokenStepTime, drawn } from "../sweep/instances.ts";

const { device } = await requestDevice();

function planOf(trace: Trace, grid: SweepGrid): SweepPlan {
  const settings = gridSettings(grid);
  return planSweep(trace, settings, labelsOf(settings));
}

async function onDevice(plan: SweepPlan, places = [...plan.scenarios.keys()]): Promise<RawScenario[]> {
  const found: RawScenario[] = [];
  const replays = await WebgpuReplays.create(device, plan, new Pauses());
  await replays.run(
    places,
    (place, raw) => (found[place] = raw),
    () => {},
  );
  return found;
}

/** @param events  at a time: where it is left off must not matter. */
function onCpu(plan: SweepPlan, events = 1000): RawScenario[] {
  return plan.scenarios.map(({ arrivals, estimates, ...policy }) => {
    const replay = new Replay(plan.setting, {
      ...policy,
      arrival: plan.arrivals[arrivals],
      estimate: plan.estimates[estimates],
    });
    while (!replay.run(events));
    const { counts, ttft, tpot } = replay.replayed;
    return { counts, ttft, tpot };
  });
}

const seeds = [101, 104, 105, 107, 109, 110];

test.each(seeds)("all policies, seed %d: every count and every bin is the twin's", async (seed) => {
  const { trace, grid } = drawn(seed, brokenStepTime);
  const plan = planOf(trace, grid);
  const expected = onCpu(plan);
  const found = await onDevice(plan);
  for (const [k, raw] of expected.entries()) expect(found[k], `scenario ${k} of ${JSON.stringify(grid)}`).toEqual(raw);
  expect(onCpu(plan, 1)).toEqual(expected);
});

test("the instances are under pressure: there are evictions in both clocks, tokens lost and kept, and SVF's memory runs short", () => {
  const kinds = new Set<string>();
  for (const seed of seeds) {
    const { trace, grid } = drawn(seed, brokenStepTime);
    for (const { counts } of onCpu(planOf(trace, grid)))
      if (counts.evictions > 0) kinds.add(`${grid.clock} ${counts.wasted > 0 ? "lost" : "kept"}`);
  }
  expect([...kinds].sort()).toEqual(["rounds kept", "rounds lost", "seconds kept", "seconds lost"]);
});

describe("where numbers are large", () => {
  const stepTime = { ...brokenStepTime, base: 900, perKvToken: 1e-3, perContext: 1e-4 };

  test("times of days, steps of many minutes: sums and products beyond 32 bits", async () => {
    const { trace, grid } = drawn(7, stepTime);
    const slow: Trace = { ...trace, arrival: trace.arrival.map((time) => 1e4 * time + 0.5) };
    const worker = { ...grid.worker, stepTime };
    const plan = planOf(slow, { ...grid, clock: "seconds", worker, slo: { ttft: 5e4, tpot: 1200 } });
    const expected = onCpu(plan);
    expect(Math.max(...expected.map(({ counts }) => counts.makespan))).toBeGreaterThan(2 ** 35);
    expect(await onDevice(plan)).toEqual(expected);
  });

  test("prompts of a million tokens", async () => {
    const trace: Trace = {
      requests: 5,
      arrival: Float64Array.of(0, 0, 1, 1, 2),
      input: Int32Array.of(1_000_000, 700_000, 3, 999_999, 400_000),
      output: Int32Array.of(3, 40_000, 2, 1, 9),
    };
    const worker = { slots: 4, kvTokens: 2_000_000, stepTime: { ...brokenStepTime, perContext: 2e-9 } };
    for (const prefill of ["whole", { chunk: 123_457 }] as const) {
      const plan = planOf(trace, {
        clock: "seconds",
        worker,
        workers: [1, 2],
        prefill,
        scheduling: ["fcfs", "svf"],
        prediction: "exact",
      });
      expect(await onDevice(plan)).toEqual(onCpu(plan));
    }
  });
});

test("bins: 64 of each power of two, in order, the last for all that is longer", () => {
  const times = [
    0,
    1,
    63,
    64,
    65,
    127,
    128,
    129,
    130,
    2 ** 20,
    2 ** 20 + 2 ** 14,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 41 + 2 ** 35,
    2 ** 42,
    2 ** 50,
  ];
  expect(times.map(binOf)).toEqual([
    0, 1, 63, 64, 65, 127, 128, 128, 129, 960, 961, 1664, 1727, 1728, 2305, 2367, 2367,
  ]);
});
