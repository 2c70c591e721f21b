import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { optimizePlacement, Placement, requestDevice, solveLoadBalanceLP } from "../../src/index.ts";
import { Arrangement, type Machine, rowsOf } from "../../src/planner/arrangement.ts";
import { CutPool } from "../../src/planner/cut_pool.ts";
import { checkHistory, layerHistory } from "../../src/planner/history.ts";
import { optimaOnGpu } from "../../src/planner/optima.ts";
import { Pacer } from "../../src/planner/pacer.ts";
import { type Move, propose } from "../../src/planner/propose.ts";
import { drawScenarios } from "../../src/planner/scenarios.ts";
import { plainDevice } from "../helpers/devices.ts";
import { families, randomPlacement } from "../helpers/instances.ts";
import { drawn as draw, exactOptima, machineOf } from "./drawn.ts";

const pacer = new Pacer(Infinity, undefined);

/** f64 sums of a hundred shares, changed a thousand times. */
const ROUNDING = 1e-10;

describe("the cuts' bound", () => {
  test("is the optimum with 6 GPUs, also after moves, which are worth what they were said to be", async () => {
    const { machine, share, rows } = draw(1, 6, 70);
    const arrangement = new Arrangement(machine, rows);
    const pool = new CutPool(machine, arrangement, share, "mean");
    const random = seeded(1);
    let made = 0;
    for (let i = 0; i < 1000; i++) {
      const move: Move | undefined = propose(arrangement, pool, "any", random);
      if (!move) continue;
      const promised = pool.tryMove(move, Infinity);
      if (random.next() < 0.5) continue; // a move that is tried and not made leaves no trace
      pool.commit(move);
      expect(pool.worth).toBeCloseTo(promised, 12);
      if (made++ % 50 > 0) continue;
      const exact = exactOptima(arrangement.rows(), machine, share);
      for (const [lp, t] of exact.entries()) expect(Math.abs(pool.value[lp] - t)).toBeLessThan(ROUNDING);
    }
    expect(made).toBeGreaterThan(200);
  });

  test("a race ends early only for moves that are too bad", () => {
    const { machine, share, rows } = draw(3, 8, 256);
    const arrangement = new Arrangement(machine, rows);
    const pool = new CutPool(machine, arrangement, share, "mean");
    const random = seeded(1);
    let [raced, wrong] = [0, 0];
    for (let i = 0; i < 500; i++) {
      const move = propose(arrangement, pool, "any", random);
      if (!move) continue;
      if (pool.tryMove(move, pool.worth) !== Infinity) continue;
      raced++;
      if (pool.tryMove(move, Infinity) < pool.worth) wrong++;
    }
    expect(raced).toBeGreaterThan(50);
    expect(wrong).toBeLessThan(0.1 * raced); // two standard errors, looked at after each block
  });
});

describe("moves", () => {
  test("keep every expert placed, no expert twice on a GPU, and nodes to themselves", () => {
    const { machine, rows, share } = draw(4, 8, 20);
    const nodeRows = rows.map((_, g) => {
      const half = machine.experts / 2;
      return Array.from({ length: 5 }, (_, i) => (g < 4 ? 0 : half) + ((g * 5 + i) % half));
    });
    const nodes: Machine = { ...machine, nodes: 2, replicas: "within-node" };
    const arrangement = new Arrangement(nodes, nodeRows);
    const pool = new CutPool(nodes, arrangement, share, "mean");
    const random = seeded(1);
    for (let i = 0; i < 2000; i++) {
      const move = propose(arrangement, pool, "any", random);
      if (!move) continue;
      pool.tryMove(move, Infinity);
      pool.commit(move);
      const now = arrangement.rows();
      expect(now.flat()).toHaveLength(40);
      expect(new Set(now.flat()).size).toBe(machine.experts);
      for (const row of now) expect(new Set(row).size).toBe(row.length);
      const [left, right] = [new Set(now.slice(0, 4).flat()), new Set(now.slice(4).flat())];
      expect([...left].filter((e) => right.has(e))).toEqual([]);
    }
  });
});

test("shares and mean loads are of the batches with tokens, layer by layer", () => {
  const loads = [...[0, 0], ...[6, 2], ...[3, 1], ...[0, 0], ...[1, 1], ...[0, 0]]; // 3 steps, 2 layers, 2 experts
  const history = checkHistory({ loads, steps: 3, layers: 2, experts: 2 });
  expect(layerHistory(history, 0)).toMatchObject({
    steps: 2,
    experts: 2,
    share: Float64Array.of(0.75, 0.25, 0.5, 0.5),
    mean: Float64Array.of(2, 1),
  });
  expect(layerHistory(history, 1)).toMatchObject({
    steps: 1,
    share: Float64Array.of(0.75, 0.25),
    mean: Float64Array.of(6, 2),
  });
});

describe("scenarios", () => {
  const experts = 8;
  const historyOf = (rows: number[][]) =>
    layerHistory(checkHistory({ loads: rows.flat(), steps: rows.length, layers: 1, experts }), 0);

  test("of a record that drifts go on where it went; of one that scatters they do not", () => {
    const random = seeded(1);
    const scatter = Array.from({ length: 64 }, () => Array.from({ length: experts }, () => 900 + random.below(200)));
    const drift = scatter.map((row, step) => row.map((load, e) => (e === 0 ? load * (1 + step / 32) : load)));
    const share0 = (rows: number[][]) => {
      const drawn = drawScenarios(historyOf(rows), 400, seeded(1));
      let sum = 0;
      let n = 0;
      for (let i = 0; i < 400; i++) {
        if (i % 4 === 0) continue; // as recorded
        sum += drawn[i * experts];
        n++;
      }
      return sum / n;
    };
    const last = historyOf(drift.slice(48)).mean;
    expect(share0(drift)).toBeGreaterThan((0.98 * last[0]) / last.reduce((a, b) => a + b));
    expect(share0(scatter)).toBeCloseTo(1 / experts, 2);
  });

  test("add up to 1, also of one batch, and of experts without load", () => {
    const drawn = drawScenarios(historyOf([[5, 0, 0, 0, 0, 0, 0, 1]]), 10, seeded(1));
    for (let i = 0; i < 10; i++) {
      const row = drawn.subarray(i * experts, (i + 1) * experts);
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
      expect([...row.subarray(1, 7)]).toEqual([0, 0, 0, 0, 0, 0]);
    }
  });
});

describe("on the GPU", () => {
  test("one dispatch solves several placements, each on every batch, as the exact solver does", async () => {
    const device = await plainDevice();
    for (const equal of [true, false]) {
      const { machine, share, rows } = draw(5, 8, 30);
      const speed = equal ? new Float64Array(8).fill(1) : machine.speed;
      const placements = [rows, ...[2, 3, 4].map((seed) => rowsOf(randomPlacement(seeded(seed), 8, 5, 8, 3)))];
      const found = await optimaOnGpu(device, pacer)({ ...machine, speed }, placements, share);
      expect(found.map(({ length }) => length)).toEqual([30, 30, 30, 30]);
      // The kernel solves in units of 2^-30 of the total, on paces rounded to 2^-31 where speeds differ.
      for (const [i, one] of placements.entries()) {
        const exact = exactOptima(one, { ...machine, speed }, share);
        for (const [lp, t] of exact.entries()) expect(Math.abs(found[i][lp] - t)).toBeLessThan(1e-6);
      }
    }
    device.destroy();
  });

  test("so does one for more GPUs than lane takes", async () => {
    const { device } = await requestDevice();
    const placements = [1, 2, 3].map((seed) => rowsOf(randomPlacement(seeded(seed), 80, 2, 40, 3)));
    const machine = machineOf(80, 120, new Int32Array(80).fill(2));
    const random = seeded(7);
    const share = new Float64Array(4 * 120);
    for (let i = 0; i < share.length; i++) share[i] = random.next() ** 3;
    for (let lp = 0; lp < 4; lp++) {
      const row = share.subarray(lp * 120, (lp + 1) * 120);
      const total = row.reduce((a, b) => a + b);
      for (const e of row.keys()) row[e] /= total;
    }
    const found = await optimaOnGpu(device, pacer)(machine, placements, share);
    for (const [i, one] of placements.entries()) {
      const exact = exactOptima(one, machine, share);
      expect(found[i]).toHaveLength(4);
      for (const [lp, t] of exact.entries()) expect(Math.abs(found[i][lp] - t)).toBeLessThan(1e-6);
    }
  });

  test("finds what the CPU finds", async () => {
    const device = await plainDevice();
    const random = seeded(6);
    const loads = Array.from({ length: 12 }, () => families.lognormal(random, 16, 4)).flat();
    const history = { loads, steps: 12, layers: 1, experts: 16 };
    const options = { gpus: 4, redundant: 4, budgetMs: 600_000 }; // of which compiling may take a part
    const gpu = await optimizePlacement(history, { ...options, backend: "webgpu", device });
    const cpu = await optimizePlacement(history, { ...options, backend: "cpu" });
    expect([gpu.backend, cpu.backend]).toEqual(["webgpu", "cpu"]);
    expect(gpu.recorded.after).toBeCloseTo(cpu.recorded.after, 4);
    device.destroy();
  });
});

test("GPUs with unequal numbers of slots are solved like any others", async () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 2, 0, 3, 0], { gpus: 3, slotsPerGpu: [3, 2, 1] });
  expect([...placement.gpuOf]).toEqual([0, 0, 0, 1, 1, 2]);
  const expertLoad = [30, 1, 1, 10];
  for (const backend of ["cpu", "webgpu"] as const) {
    const { maxLoad, gpuLoad, status } = await solveLoadBalanceLP({ placement, expertLoad }, { backend });
    expect([status[0], maxLoad[0]]).toEqual(["optimal", 14]);
    expect([...gpuLoad].reduce((a, b) => a + b)).toBe(42);
  }
});
