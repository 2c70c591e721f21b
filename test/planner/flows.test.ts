import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { Arrangement, EMPTY, rowsOf } from "../../src/planner/arrangement.ts";
import { Flows } from "../../src/planner/flows.ts";
import { objectives, ofValues } from "../../src/planner/objective.ts";
import { optimaOnCpu } from "../../src/planner/optima.ts";
import { Pacer } from "../../src/planner/pacer.ts";
import { propose } from "../../src/planner/propose.ts";
import { randomPlacement } from "../helpers/instances.ts";
import { drawn, exactOptima, machineOf, shares } from "./drawn.ts";

const pacer = new Pacer(Infinity, undefined);

/** Amounts of 1e-11 are rounding to the router, and a set has up to 64 GPUs. */
const ROUNDING = 1e-9;

test.each([
  [1, 6],
  [2, 12],
  [3, 32],
  [4, 64],
])("routing ends at the optimum: seed %i, %i GPUs of unequal speeds", async (seed, gpus) => {
  const { machine, share, rows } = drawn(seed, gpus, 60);
  const [found] = await optimaOnCpu(pacer)(machine, [rows], share);
  for (const [lp, t] of exactOptima(rows, machine, share).entries()) {
    expect(Math.abs(found[lp] - t), `LP ${lp}`).toBeLessThan(ROUNDING);
  }
});

test("an expert twice on a GPU is one replica, and loads may be 0", async () => {
  const machine = machineOf(2, 3, Int32Array.of(3, 2));
  const share = Float64Array.of(0.8, 0.2, 0, 1, 0, 0);
  const [found] = await optimaOnCpu(pacer)(
    machine,
    [
      [
        [0, 0, 1],
        [1, 2],
      ],
    ],
    share,
  );
  expect([...found]).toEqual([expect.closeTo(1.6, 9), expect.closeTo(2, 9)]);
});

describe.each(objectives)("moves that are made by the %s", (objective) => {
  test.each([
    [1, 6],
    [2, 20],
  ])("leave exact optima, and are better: seed %i, %i GPUs", (seed, gpus) => {
    const { machine, share, rows } = drawn(seed, gpus, 150);
    const arrangement = new Arrangement(machine, rows);
    const flows = new Flows(arrangement, share, objective);
    const random = seeded(seed);
    let made = 0;
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const { worth } = flows;
      const before = arrangement.slot.slice();
      const move = propose(arrangement, flows, "any", random);
      if (!move) continue;
      if (!flows.tryMove(move)) {
        refused++;
        expect(arrangement.slot).toEqual(before); // a move that is not made leaves no trace
        continue;
      }
      expect(flows.worth).toBeLessThan(worth);
      if (made++ % 5 > 0) continue;
      const exact = Float64Array.from(exactOptima(arrangement.rows(), machine, share));
      for (const [lp, t] of exact.entries()) expect(Math.abs(flows.value[lp] - t)).toBeLessThan(ROUNDING);
      expect(flows.worth).toBeCloseTo(ofValues(objective, exact), 8);
    }
    expect(made).toBeGreaterThan(10);
    expect(refused).toBeGreaterThan(100);
  });
});

test("a move that chance explains is not made, and one that it does not is", () => {
  // Two GPUs, four experts: swapping 1 and 2 is better in 26 of 50 scenarios by as much as it is worse in the others.
  const machine = machineOf(2, 4, Int32Array.of(2, 2));
  const rows = [
    [0, 1],
    [2, 3],
  ];
  const swap = [
    { slot: 1, expert: 2 },
    { slot: 2, expert: 1 },
  ];
  const scenario = (better: boolean) => (better ? [0.3, 0.3, 0.2, 0.2] : [0.3, 0.2, 0.3, 0.2]);
  const shareOf = (wins: number) =>
    Float64Array.from(Array.from({ length: 50 }, (_, i) => scenario((i * 27) % 50 < wins)).flat());
  expect(new Flows(new Arrangement(machine, rows), shareOf(26), "mean").tryMove(swap)).toBe(false);
  expect(new Flows(new Arrangement(machine, rows), shareOf(40), "mean").tryMove(swap)).toBe(true);
});

describe("where slots may not move at will", () => {
  test("no more move than may, and what moved can move on", () => {
    const random = seeded(2);
    const rows = rowsOf(randomPlacement(random, 12, 4, 32, 3));
    const machine = machineOf(12, 32, new Int32Array(12).fill(4));
    const held = new Uint8Array(12 * 32);
    for (const [g, row] of rows.entries()) for (const e of row) held[g * 32 + e] = 1;
    const arrangement = new Arrangement(machine, rows, held);
    const flows = new Flows(arrangement, shares(random, 64, 32, 12), "mean");
    const movable = 5;
    let takenBack = 0;
    for (let i = 0; i < 8000; i++) {
      const full = arrangement.moved >= movable;
      const move = propose(arrangement, flows, "any", random, full);
      if (!move || arrangement.moved + arrangement.movedBy(move) > movable) continue;
      const before = arrangement.moved;
      if (flows.tryMove(move) && full && before === arrangement.moved) takenBack++;
      expect(arrangement.moved).toBeLessThanOrEqual(movable);
    }
    const moved = arrangement.slot.filter((e, s) => e !== EMPTY && !held[arrangement.gpuOf[s] * 32 + e]);
    expect(arrangement.moved).toBe(moved.length);
    expect(arrangement.moved).toBe(movable);
    expect(takenBack).toBeGreaterThan(0);
  });
});

describe("replicas lie where the machine lets them", () => {
  test.each(["across-nodes", "within-node"] as const)("%s", (replicas) => {
    const [gpus, experts] = [8, 16];
    const machine = machineOf(gpus, experts, new Int32Array(gpus).fill(3), { nodes: 2, replicas });
    // Expert e on GPU e % 8, and again on the next GPU of the same node, or on the one across.
    const rows = Array.from({ length: gpus }, (_, g) => {
      const copy = replicas === "across-nodes" ? (g + 4) % 8 : 4 * Math.floor(g / 4) + ((g + 1) % 4);
      return [g, g + 8, copy];
    });
    const random = seeded(3);
    const arrangement = new Arrangement(machine, rows);
    const flows = new Flows(arrangement, shares(random, 64, experts, gpus), "mean");
    let made = 0;
    for (let i = 0; i < 3000; i++) {
      const move = propose(arrangement, flows, "any", random);
      if (!move || !flows.tryMove(move)) continue;
      made++;
      const nodesOf: number[][] = Array.from({ length: experts }, () => []);
      for (const [g, row] of arrangement.rows().entries()) for (const e of row) nodesOf[e].push(Math.floor(g / 4));
      for (const nodes of nodesOf) {
        expect(nodes.length).toBeGreaterThan(0);
        expect(new Set(nodes).size).toBe(replicas === "across-nodes" ? nodes.length : 1);
      }
    }
    expect(made).toBeGreaterThan(3);
  });
});
