/** Problems that are solved although they are large, small, empty, or in arrays of another type; none is ever written. */
import { beforeAll, describe, expect, test } from "vitest";
import { certify, requestDevice, solveLoadBalanceLP } from "../../src/index.ts";
import { edgeForm, pairs, placement, replicaForm } from "./small_problems.ts";

let device: GPUDevice;
beforeAll(async () => {
  device = (await requestDevice()).device;
});

describe("what is large, small or empty but good is solved", () => {
  const most = 2 ** 31 - 1;
  const oneEdge = { gpus: 2, edges: pairs([0, 1]) };
  test.each([
    { name: "2^31 - 1 tokens of one expert", expertLoad: [most, 0, 0], optimum: 2 ** 30 },
    { name: "2^31 - 1 tokens of a base load", expertLoad: [0, 0, 0], baseLoad: [0, most, 0], optimum: most },
    { name: "minus 2^31 - 1 tokens", expertLoad: [0, 0, 0], baseLoad: [0, -most, 0], optimum: 0 },
    { name: "as many by magnitude", expertLoad: [3, 0, 0], baseLoad: [2 ** 30, 0, 4 - 2 ** 30], optimum: 2 ** 30 },
    { name: "fractions up to 1e270", expertLoad: [1e270, 0.5, 0], optimum: 5e269 },
    { name: "GPUs of speeds far apart", expertLoad: [1e9, 3e8, 7], speed: [1e-9, 1, 1e-9], optimum: 5e17 },
    { name: "the farthest apart", expertLoad: [1e9, 3e8, 7], speed: [1e-30, 1, 1e30], optimum: 3e8 },
    { name: "these on slow GPUs", expertLoad: [1e270, 0.5, 0], speed: [1e-30, 1e-30, 1e-30], optimum: 5e299 },
  ])("$name, on both backends", async ({ optimum, name: _, ...loads }) => {
    for (const backend of ["webgpu", "cpu"] as const) {
      const problem = { placement, ...loads };
      const solution = await solveLoadBalanceLP(problem, { backend, device });
      expect(certify(problem, solution)[0].verdict).toBe("optimal");
      expect(Math.abs(solution.maxLoad[0] / optimum - 1) || 0).toBeLessThan(2 * 2 ** -52); // a sum of two in f64
    }
  });

  test.each([
    { name: "2^31 - 1 tokens that may all move", ...oneEdge, load: [most, 0], capacity: [most], optimum: 2 ** 30 },
    { name: "2^31 - 1 tokens that may not", ...oneEdge, load: [most, 0], capacity: [0], optimum: most },
    { name: "a capacity beyond the load", ...oneEdge, load: [0, 1], capacity: [2 ** 30 - 1], optimum: 1 },
    { name: "no edges", gpus: 3, edges: [], load: [1, 5, 2], capacity: [], optimum: 5 },
    { name: "one GPU", gpus: 1, edges: [], load: [7], capacity: [], optimum: 7 },
  ])("$name, on both backends", async ({ optimum, name: _, ...problem }) => {
    for (const backend of ["webgpu", "cpu"] as const) {
      const solution = await solveLoadBalanceLP(problem, { backend, device });
      expect([certify(problem, solution)[0].verdict, solution.maxLoad[0]]).toEqual(["optimal", optimum]);
    }
  });
});

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === "object" && !ArrayBuffer.isView(part)) deepFreeze(part);
  return Object.freeze(value);
}

test.each(["webgpu", "cpu"] as const)("inputs are never written, on %s", async (backend) => {
  const typed = [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array];
  const expected = await solveLoadBalanceLP(replicaForm, { backend, device });
  for (const array of typed) {
    const problem = { placement, expertLoad: array.from(replicaForm.expertLoad), baseLoad: array.of(0, 0, 10) };
    expect(await solveLoadBalanceLP(problem, { backend, device }), array.name).toEqual(expected);
    expect([...problem.expertLoad, ...problem.baseLoad]).toEqual([...replicaForm.expertLoad, ...replicaForm.baseLoad]);
  }
  for (const tokens of ["integer", "fractional"] as const) {
    const edge = deepFreeze({ ...structuredClone(edgeForm), speed: [1, 2, 1] });
    const replica = deepFreeze({ placement, expertLoad: [90, 30, 0], baseLoad: [0, 0, -10], speed: [1, 2, 1] });
    const options = Object.freeze({ backend, device, tokens });
    await solveLoadBalanceLP(edge, options); // to write would be a TypeError
    await solveLoadBalanceLP(replica, options);
  }
});
