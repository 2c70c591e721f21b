import { describe, expect, test } from "vitest";
import { balanceParams, placementTable } from "../../../src/balancer/kernels/balance_params.ts";
import { compileTimeImbalance, decodeTimes, TIME_METRICS_WORDS } from "../../../src/balancer/kernels/time_imbalance.ts";
import * as reference from "../../../src/balancer/twins/time_imbalance.ts";
import { seeded } from "../../../src/common/random.ts";
import { type ExpertCost, Placement, requestDevice } from "../../../src/index.ts";
import { costTable } from "../../../src/lp/kernels/cost_table.ts";
import { checkCost } from "../../../src/lp/time/expert_cost.ts";
import { livingSlots } from "../../../src/placement/living_slots.ts";
import { runKernel, unwritten } from "../../helpers/kernel.ts";

const { device } = await requestDevice();

/** Of f32 sums of some dozen terms. */
const RELATIVE = 1e-5;

interface Case {
  cost: ExpertCost;
  gpus: number;
  speeds?: number[];
  base?: number[];
  active?: number[];
  skipBelow?: number;
}

/** The kernel's words and the twin's report on the same quotas [L, P], which leave dead GPUs and empty slots without. */
async function both({ cost, gpus, speeds, base, active, skipBelow = 0 }: Case, perGpu: number, most: number) {
  const random = seeded(gpus + most);
  const layers = 3;
  const map = Array.from({ length: gpus * perGpu }, (_, p) => (p % 5 === 4 && p > 5 ? -1 : p));
  const placement = Placement.fromPhysicalToLogical(map, { gpus, logicalExperts: map.length });
  const alive = active && Uint8Array.from(active);
  const slots = [livingSlots(placement, alive)];
  const table = placementTable(slots, alive);
  const dead = (p: number) => map[p] < 0 || active?.[Math.floor(p / perGpu)] === 0;
  const quota = Uint32Array.from({ length: layers * map.length }, (_, i) =>
    dead(i % map.length) || random.next() < 0.3 ? 0 : 1 + random.below(most),
  );
  quota.fill(0, 2 * map.length); // a layer without tokens
  const own = speeds ?? new Array(gpus).fill(1);
  const given = base ?? [];
  const curve = checkCost(cost);
  const arrays = {
    placement: table.data,
    quota,
    base: Float32Array.from({ length: layers * gpus }, (_, i) => given[i % gpus] ?? 0),
    rate: Float32Array.from(own, (v) => 1 / v),
    curve: costTable(curve),
    time: unwritten(layers * gpus),
    metrics: unwritten(layers * TIME_METRICS_WORDS),
    skip: unwritten(layers),
    params: balanceParams(table, layers, 0, skipBelow),
  };
  const { time, metrics, skip } = await runKernel(device, await compileTimeImbalance(device), arrays, [layers, 1]);
  const report = decodeTimes(time, metrics);
  const perLayer = base && Array.from({ length: layers * gpus }, (_, i) => base[i % gpus]);
  const twin = reference.timeImbalance(slots, layers, quota, {
    cost: curve,
    speeds: own,
    base: perLayer,
    active: alive,
  });
  return { report, twin, skip: [...skip], quota, map };
}

const cases: Record<string, Case> = {
  roofline: { cost: { model: "roofline", perExpert: 6.3, perToken: 0.035 }, gpus: 8 },
  "affine in tiles, unequal speeds": {
    cost: { model: "affine", perExpert: 16.5, perToken: 0.06, tile: 64 },
    gpus: 3,
    speeds: [1, 2, 0.7],
  },
  "a curve, with base loads": {
    cost: { tokens: [1, 128.5, 512], time: [6.3, 8.3, 18.8] },
    gpus: 4,
    base: [0, 100, 3.5, 0],
  },
  "activated experts, more GPUs than invocations": {
    cost: { model: "roofline", perExpert: 1e-6, perToken: 0 },
    gpus: 100,
  },
  "linear, dead GPUs": {
    cost: { model: "affine", perExpert: 0, perToken: 1e6 },
    gpus: 4,
    active: [0, 1, 1, 0],
    base: [50, 0, 1e7, 50],
  },
};

describe.each(Object.entries(cases))("by a cost that is %s", (_, one) => {
  test.each([3, 300, 1_000_000])(
    "the kernel tells what its twin tells, up to f32; at most %i tokens in a slot",
    async (most) => {
      const { report, twin } = await both(one, 6, most);
      for (const name of ["time", "maxTime", "timeImbalance"] as const) {
        for (const [i, value] of twin[name].entries()) {
          expect(Math.abs(report[name][i] - value), `${name}[${i}]`).toBeLessThanOrEqual(RELATIVE * value);
        }
      }
      if (!one.base) expect([report.maxTime[2], report.timeImbalance[2]]).toEqual([0, 1]);
    },
  );
});

test("its twin counts by hand", async () => {
  const { twin, quota, map } = await both({ ...cases["a curve, with base loads"], speeds: [1, 2, 4, 1] }, 3, 600);
  const c = (x: number) =>
    x === 0 ? 0 : x <= 128.5 ? 6.3 + ((x - 1) * 2) / 127.5 : 8.3 + ((x - 128.5) * 10.5) / 383.5;
  const [base, speeds] = [
    [0, 100, 3.5, 0],
    [1, 2, 4, 1],
  ];
  for (let g = 0; g < 4; g++) {
    let busy = base[g];
    for (let p = 3 * g; p < 3 * g + 3; p++) busy += c(quota[map.length + p]);
    expect(twin.time[4 + g]).toBeCloseTo(busy / speeds[g], 9);
  }
});

test("layers of less imbalance than skipBelow are told, in time", async () => {
  const { twin, skip } = await both({ ...cases.roofline, skipBelow: 1.3 }, 6, 300);
  expect(skip).toEqual(Array.from(twin.timeImbalance, (ratio) => (ratio < 1.3 ? 1 : 0)));
  expect(skip[2]).toBe(1);
  const none = await both(cases.roofline, 6, 300);
  expect(none.skip).toEqual([0, 0, 0]);
});
