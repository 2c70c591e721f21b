/** Clocks that tick seldom: a page's clock, and its timestamps. */
import { afterEach, describe, expect, test, vi } from "vitest";
import { timestampStepUs } from "../../bench/timestamps.ts";
import { clockIsFine, clockStepMs, efforts, time, typicalGpuUs } from "../../bench/timing.ts";
import { requestDevice } from "../../src/index.ts";

afterEach(() => vi.restoreAllMocks());

/** The same clock, rounded down as browsers do. */
function coarse(stepMs: number): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => Math.floor(now() / stepMs) * stepMs);
}

function spin(ms: number): void {
  for (const end = process.hrtime.bigint() + BigInt(ms * 1e6); process.hrtime.bigint() < end; );
}

describe("a clock of 1 ms", () => {
  test("is found out, and Node's is fine", () => {
    expect(clockIsFine()).toBe(true);
    expect(clockStepMs()).toBeLessThan(0.001);
    coarse(1);
    expect(clockStepMs()).toBeGreaterThan(0.99);
    expect(clockIsFine()).toBe(false);
  });

  test("tells calls of 0.3 ms, many to a sample", async () => {
    coarse(1);
    const { medianUs, p05Us } = await time({ run: () => spin(0.3) }, efforts.quick);
    expect(p05Us).toBeGreaterThan(200); // a call alone would be 0 or 1,000; a sample is 20 ticks, 10 on a machine that was twice as slow to warm up
    expect(medianUs).toBeLessThan(3000); // on a machine that has other things to do
  });

  test("leaves long calls alone", async () => {
    coarse(1);
    let calls = 0;
    const effort = { samples: 3, leastSamples: 3, budgetMs: 0 };
    await time({ run: () => void calls++ }, effort);
    expect(calls).toBe(3); // no warm-up, so nothing is known of the call
    calls = 0;
    await time({ run: () => spin(21 + 0 * calls++) }, { ...effort, budgetMs: 60 });
    expect(calls).toBeLessThanOrEqual(3 + 2); // two to warm up: they take half of the budget
  });
});

test("the mean stands for times in coarse steps, the median for others", () => {
  expect(typicalGpuUs([1.001, 2, 90])).toBe(2);
  expect(typicalGpuUs([0, 65.536, 0, 131.072])).toBeCloseTo(49.152, 9);
  expect(typicalGpuUs([0, 0, 0])).toBe(0);
  expect(typicalGpuUs([20.5])).toBe(20.5);
});

test("this device's timestamps are fine: Dawn is told not to round them", async () => {
  const { device } = await requestDevice();
  expect(await timestampStepUs(device)).toBeLessThan(1);
  device.destroy();
});
