import { expect, test } from "vitest";
import { type LayerSolvers, requireAgreement } from "../../../src/cli/reports/layer_solvers.ts";
import type { ReplicaSolution } from "../../../src/index.ts";

/** What a backend said about one layer with two LPs. */
function said(backend: "cpu" | "webgpu", maxLoad: [number, number], gap = 0): LayerSolvers {
  const solution = { backend, batch: 2, maxLoad: Float64Array.from(maxLoad), gap: Float64Array.of(gap, gap) };
  return { solvers: [], solutions: [solution as ReplicaSolution] };
}

test("whole tokens must agree to the token", () => {
  const cpu = said("cpu", [7, 1e9]);
  requireAgreement(said("webgpu", [7, 1e9]), cpu, "integer");
  const message = "LP 1 of layer 0 has two optimal maximum loads: 1000000001 (webgpu) and 1000000000 (cpu).";
  expect(() => requireAgreement(said("webgpu", [7, 1e9 + 1]), cpu, "integer")).toThrow(message);
});

test("fractions may differ by their certified gaps, and no more", () => {
  const cpu = said("cpu", [7, 100]);
  requireAgreement(said("webgpu", [7, 100.0001], 1e-6), cpu, "fractional");
  expect(() => requireAgreement(said("webgpu", [7, 100.0002], 1e-6), cpu, "fractional")).toThrow("LP 1 of layer 0");
  expect(() => requireAgreement(said("webgpu", [Number.NaN, 100], 1e-6), cpu, "fractional")).toThrow("LP 0 of layer 0");
});
