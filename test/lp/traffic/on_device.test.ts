/** Least traffic by the solver's own device, against the exact solver. */
import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { certify, createSolver, requestDevice, solveLoadBalanceLP } from "../../../src/index.ts";
import { randomSpeeds } from "../../helpers/instances.ts";
import { sourcedLps } from "../../helpers/sourced_lps.ts";

const { device } = await requestDevice();
const active = (gpus: number, label: Int32Array) => Array.from({ length: gpus }, (_, g) => label.includes(g));

test("whole distances: the same least traffic, certified; others as near as their rounding", async () => {
  const random = seeded(2500);
  let below = 0;
  for (let i = 0; i < 24; i++) {
    const { placements, topologies, distance, sourceLoad } = await sourcedLps(random, 5, 1);
    const { gpus } = distance;
    const fractions = i % 4 === 3;
    const matrix = distance.values.map((far) => (fractions ? far + 100 + random.next() : i % 2 === 0 ? far / 4 : far));
    const problem = {
      ...{ placement: placements[0], sourceLoad, distance: matrix, active: active(gpus, topologies[0].label) },
      speed: i % 3 === 2 ? randomSpeeds(random, gpus) : undefined,
      baseLoad: i % 5 === 4 ? Array.from({ length: 5 * gpus }, () => random.below(50)) : undefined,
    };
    const { sourceLoad: _, ...blind } = problem;
    const found = await solveLoadBalanceLP(problem, { backend: "webgpu", device });
    const exact = await solveLoadBalanceLP(problem, { backend: "cpu" });
    expect(found.backend).toBe("webgpu");
    expect(found.maxLoad, `instance ${i}`).toEqual(exact.maxLoad);
    for (const certificate of certify(problem, found)) {
      expect(certificate).toMatchObject({ verdict: "optimal", trafficTrue: true, trafficBoundValid: true });
    }
    const largest = matrix.reduce((a, b) => Math.max(a, b), 0);
    for (let lp = 0; lp < 5; lp++) {
      const tokens = found.gpuLoad.reduce((a, b) => a + b, 0);
      const rounding = fractions ? tokens * largest * 2 ** -20 : 0;
      expect(found.traffic![lp] - exact.traffic![lp]).toBeLessThanOrEqual(rounding);
      expect(found.trafficBound![lp]).toBeLessThanOrEqual(exact.traffic![lp] * (1 + 1e-12));
      expect(found.traffic![lp] - found.trafficBound![lp]).toBeLessThanOrEqual(2 * rounding);
      if (found.trafficBound![lp] < found.traffic![lp]) below++;
    }
    expect(Object.keys(blind)).not.toContain("sourceLoad");
  }
  expect(below).toBeGreaterThan(0); // of the fractions
});

test("slack, a second and a larger batch on one solver; equal distances change nothing", async () => {
  const { placements, distance, sourceLoad } = await sourcedLps(seeded(2511), 6, 1);
  const { given } = distance;
  const [onDevice, exact] = await Promise.all([
    createSolver(placements[0], { ...given, backend: "webgpu", device }),
    createSolver(placements[0], { ...given, backend: "cpu" }),
  ]);
  const width = sourceLoad.length / 6;
  let before = Infinity;
  for (const slack of [0, 0.05, 0.2, 1e300]) {
    for (const batch of [1, 6, 2]) {
      const loads = { sourceLoad: sourceLoad.subarray(0, batch * width) };
      const [a, b] = [await onDevice.solve(loads, { slack }), await exact.solve(loads, { slack })];
      expect(a.traffic, `slack ${slack}`).toEqual(b.traffic);
      expect(a.loadLimit).toEqual(b.loadLimit);
      if (batch === 1) expect(a.traffic![0]).toBeLessThanOrEqual(before);
      if (batch === 1) before = a.traffic![0];
    }
  }
  const equal = await createSolver(placements[0], { nodes: 1, backend: "webgpu", device });
  const plain = await createSolver(placements[0], { backend: "webgpu", device });
  const perGpu = new Int32Array((sourceLoad.length / distance.sources) * distance.gpus).fill(3);
  const a = await equal.solve({ sourceLoad: perGpu });
  const expertLoad = new Int32Array(perGpu.length / distance.gpus).fill(3 * distance.gpus);
  expect(a.quota).toEqual((await plain.solve({ expertLoad })).quota);
  for (const solver of [onDevice, exact, equal, plain]) solver.destroy();
});
