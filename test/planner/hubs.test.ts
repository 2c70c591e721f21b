import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { checkHistory, layerHistory } from "../../src/planner/history.ts";
import { type Ground, hubPlacement, linkings } from "../../src/planner/hubs.ts";
import { leastMoved } from "../../src/planner/least_moved.ts";
import { Outlook } from "../../src/planner/outlook.ts";
import { machineOf } from "./drawn.ts";

describe("a hub-and-spoke placement", () => {
  const [gpus, experts, redundant] = [32, 256, 32];
  const machine = machineOf(gpus, experts, new Int32Array(gpus).fill(9));
  const ground: Ground = {
    gpus: [...Array(gpus).keys()],
    experts: [...Array(experts).keys()],
    slots: machine.capacity,
    redundant,
    mayShare: () => true,
  };
  const random = seeded(1);
  const mean = Float64Array.from({ length: experts }, () => Math.exp(0.8 * random.normal()));
  const total = mean.reduce((a, b) => a + b);
  const loads = { mean: mean.map((load) => (load * gpus) / total), variance: 0.2 };

  test.each(linkings)("by %s fills all slots, once each per GPU, and leaves no expert out", (linking) => {
    for (const hubs of [0, 2, 4, 7, 12]) {
      const rows = hubPlacement(machine, ground, loads, { hubs, linking, alpha: 0.4 });
      expect(rows, `${hubs} hubs`).toBeDefined();
      expect(rows!.map((row) => row.length)).toEqual(new Array(gpus).fill(9));
      for (const row of rows!) expect(new Set(row).size).toBe(9);
      expect(new Set(rows!.flat()).size).toBe(experts);
    }
  });

  test("in a ring: the hottest experts link the hubs, the next are spokes, the lightest fill the hubs", () => {
    const rows = hubPlacement(machine, ground, loads, { hubs: 4, linking: "ring", alpha: 0.4 })!;
    const hottest = [...mean.keys()].sort((a, b) => mean[b] - mean[a]);
    for (let i = 0; i < 4; i++) {
      const link = rows.flatMap((row, g) => (row.includes(hottest[i]) ? [g] : []));
      expect(link).toEqual([i, (i + 1) % 4].sort());
    }
    // 28 replicas are left for 28 leaves: a spoke each.
    const spokes = hottest.slice(4, 32).map((e) => rows.flatMap((row, g) => (row.includes(e) ? [g] : [])));
    expect(spokes.every(([hub, leaf]) => hub < 4 && leaf >= 4)).toBe(true);
    expect(spokes.map(([, leaf]) => leaf).sort((a, b) => a - b)).toEqual(Array.from({ length: 28 }, (_, i) => 4 + i));
    const singles = rows.slice(0, 4).flatMap((row) => row.filter((e) => hottest.indexOf(e) >= 32));
    expect(singles.every((e) => hottest.indexOf(e) >= experts - singles.length)).toBe(true);
  });

  test("shares experts only where it may", () => {
    const across = { ...ground, mayShare: (g: number, other: number) => g % 4 !== other % 4 };
    const rows = hubPlacement(machine, across, loads, { hubs: 5, linking: "cliques", alpha: 0.2 })!;
    for (let e = 0; e < experts; e++) {
      const homes = rows.flatMap((row, g) => (row.includes(e) ? [g % 4] : []));
      expect(new Set(homes).size).toBe(homes.length);
    }
  });
});

test("renaming GPUs keeps experts where they are, and GPUs that differ apart", () => {
  const held = [
    [0, 1],
    [2, 3],
    [4, 5],
  ];
  const rows = [
    [4, 1],
    [0, 2],
    [5, 3],
  ];
  const machine = machineOf(3, 6, Int32Array.of(2, 2, 2));
  const moved = leastMoved(machine, held, rows);
  expect(moved.flat().filter((e, i) => held[Math.floor(i / 2)].includes(e))).toHaveLength(3);
  expect([...moved].map(String).sort()).toEqual(rows.map(String).sort());
  const same = [held[2], held[0], held[1]];
  expect(leastMoved(machine, held, same)).toEqual(held);
  expect(leastMoved({ ...machine, speed: Float64Array.of(1, 2, 1) }, held, same)[1]).toEqual(held[0]);
});

describe("the outlook", () => {
  const experts = 16;
  const historyOf = (rows: number[][]) =>
    layerHistory(checkHistory({ loads: rows.flat(), steps: rows.length, layers: 1, experts }), 0);
  const random = seeded(2);
  const scatter = Array.from({ length: 80 }, () => Array.from({ length: experts }, () => 1000 + 50 * random.normal()));
  const drift = scatter.map((row, step) => row.map((load, e) => (step < 40 ? load : load * (1 + 0.5 * ((e % 3) - 1)))));

  test("strays as far as popularities went", () => {
    expect(new Outlook(historyOf(scatter)).straying).toBeLessThan(0.05);
    expect(new Outlook(historyOf(drift)).straying).toBeGreaterThan(0.3);
    expect(new Outlook(historyOf(scatter.slice(0, 1))).straying).toBeCloseTo(0.02, 12);
  });

  test("adds up to 1, and width multiplies the straying", () => {
    const outlook = new Outlook(historyOf(drift));
    const deviation = (width: number) => {
      const rows = outlook.draw(400, seeded(1), width);
      let about = 0;
      for (let i = 0; i < 400; i++) {
        expect(rows.subarray(i * experts, (i + 1) * experts).reduce((a, b) => a + b)).toBeCloseTo(1, 12);
        about += (rows[i * experts] * experts - 1) ** 2;
      }
      return Math.sqrt(about / 400);
    };
    expect(deviation(2)).toBeGreaterThan(1.3 * deviation(1));
  });
});
