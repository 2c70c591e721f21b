import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { Envelope } from "../../../src/serving/routing/bfio_envelope.ts";
import { addLoad, type Fill, newFill, objective } from "../../../src/serving/routing/bfio_objective.ts";

/** Loads that cross often, so that each step ahead has its own order. */
function randomFill(seed: number): { fill: Fill; random: ReturnType<typeof seeded> } {
  const random = seeded(seed);
  const workers = 2 + random.below(5);
  const shape = {
    workers,
    horizon: random.pick([0, 3, 40]),
    gamma: random.pick([1, 0.9]),
    growth: random.next() < 0.5,
  };
  const fill = newFill({ ...shape, beta: random.pick([1.2, workers, 40]), window: 1 });
  for (const i of fill.load.keys()) fill.load[i] = 5000 + random.below(random.pick([5, 200]));
  return { fill, random };
}

/** J after a change, and the loads as they were. */
function after(fill: Fill, change: () => void): number {
  const before = fill.load.slice();
  change();
  const value = objective(fill);
  fill.load.set(before);
  return value;
}

/** J's terms are sums of some 40 products of such loads. */
const rounding = 1e-7;

test("gains are what the objective falls by, after any changes: 300 fills", () => {
  let passed = 0;
  for (let seed = 0; seed < 300; seed++) {
    const { fill, random } = randomFill(seed);
    const envelope = new Envelope(fill);
    envelope.rebuild();
    for (let n = 0; n < 8; n++) {
      const changed = random.below(fill.workers);
      addLoad(fill, changed, random.below(300) - 100, random.below(3) - 1);
      envelope.changed(changed);
      const value = objective(fill);
      const g = random.below(fill.workers);
      envelope.measure(g);
      const tokens = random.below(200);
      const gain = envelope.gain(tokens) - envelope.gain(0);
      expect(Math.abs(value - after(fill, () => addLoad(fill, g, tokens, 0)) - gain), `seed ${seed}`).toBeLessThan(
        rounding,
      );
      const e = (g + 1 + random.below(fill.workers - 1)) % fill.workers;
      const requests = random.below(2);
      const passing = envelope.gainOfPassing(e, g, tokens, requests);
      const pass = () => {
        addLoad(fill, e, -tokens, -requests);
        addLoad(fill, g, tokens, requests);
      };
      expect(Math.abs(value - after(fill, pass) - passing), `seed ${seed}: passing`).toBeLessThan(rounding);
      if (passing > 0) passed++;
      const tops = Array.from({ length: fill.ahead }, (_, h) => {
        const column = Array.from({ length: fill.workers }, (_, i) => fill.load[i * fill.ahead + h]);
        return column[g] === Math.max(...column) && column.filter((load) => load === column[g]).length === 1;
      });
      if (tops.some(Boolean)) expect(envelope.isTop(g), `seed ${seed}`).toBe(true);
    }
  }
  expect(passed).toBeGreaterThan(200);
});

test("the peak is where the gain is largest, for few steps and for many: 400 fills", () => {
  let inside = 0;
  for (let seed = 0; seed < 400; seed++) {
    const { fill, random } = randomFill(seed);
    const envelope = new Envelope(fill);
    envelope.rebuild();
    envelope.measure(random.below(fill.workers));
    const peak = envelope.peak();
    const gains = Array.from({ length: 801 }, (_, i) => envelope.gain(i - 400));
    const most = Math.max(...gains);
    // Where F rises at the end of the range, the peak lies beyond.
    if (peak > 400) expect(gains[800]).toBe(most);
    else {
      inside++;
      expect(Math.abs(envelope.gain(peak) - most), `seed ${seed}`).toBeLessThan(rounding);
      expect(gains[peak + 400 - 1], `seed ${seed}: rises up to the peak`).toBeLessThan(most + rounding);
    }
  }
  expect(inside).toBeGreaterThan(200);
});
