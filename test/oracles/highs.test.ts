import { expect, test } from "vitest";
import { highsOptimum } from "../helpers/highs.ts";
import { families, instances, shapes } from "../helpers/instances.ts";
import { certifyInstance, distribution, solveInstance } from "../helpers/solve.ts";

const upTo32Gpus = Object.keys(shapes).filter((name) => name !== "EP64 R64");

test("2,000 instances: the kernel's certified gaps, and both solvers against HiGHS", { timeout: 300_000 }, async () => {
  const gaps: number[] = [];
  const iterations: number[] = [];
  let worstCpu = 0;
  for (const unequalSpeeds of [false, true]) {
    for (const instance of instances(upTo32Gpus, Object.keys(families), 2, 9, unequalSpeeds)) {
      const webgpu = await solveInstance(instance, { backend: "webgpu", tokens: "fractional" });
      const cpu = await solveInstance(instance, { backend: "cpu", tokens: "fractional" });
      expect(webgpu.backend, instance.name).toBe("webgpu");
      for (const solution of [webgpu, cpu]) {
        const certificates = certifyInstance(instance, solution);
        expect(
          certificates.filter(({ valid }) => !valid),
          `${instance.name} on ${solution.backend}`,
        ).toEqual([]);
      }
      for (let lp = 0; lp < instance.batch; lp++) {
        const optimum = highsOptimum(instance, lp);
        const scale = Math.max(Math.abs(optimum), Number.MIN_VALUE);
        const name = `${instance.name}, LP ${lp}, unequal speeds: ${unequalSpeeds}`;
        worstCpu = Math.max(worstCpu, Math.abs(cpu.maxLoad[lp] - optimum) / scale);
        // HiGHS' own rounding, then the certified gap.
        expect((webgpu.maxLoad[lp] - optimum) / scale, name).toBeLessThanOrEqual(webgpu.gap[lp] + 1e-9);
        expect((webgpu.lowerBound[lp] - optimum) / scale, name).toBeLessThanOrEqual(1e-9);
        gaps.push(webgpu.gap[lp]);
        iterations.push(webgpu.iterations[lp]);
      }
    }
  }
  const mean = iterations.reduce((a, b) => a + b) / iterations.length;
  console.log(`${gaps.length} LPs. Certified gap: ${distribution(gaps, (gap) => gap.toExponential(1))}.`);
  console.log(
    `Iterations: mean ${mean.toFixed(2)}, ${distribution(iterations)}. Exact solver against HiGHS: ${worstCpu.toExponential(1)}.`,
  );
  expect(gaps.length).toBeGreaterThanOrEqual(2000);
  expect(Math.max(...gaps)).toBeLessThanOrEqual(1e-5);
  expect(gaps.sort((a, b) => a - b)[gaps.length >> 1]).toBeLessThanOrEqual(1e-6);
  expect(Math.max(...iterations)).toBeLessThanOrEqual(16);
  expect(worstCpu).toBeLessThanOrEqual(1e-9);
});
