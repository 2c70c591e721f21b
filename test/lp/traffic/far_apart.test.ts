/** Distances of very different sizes in one matrix: "never" is often written as a huge number. */
import { expect, test } from "vitest";
import { certify, Placement, solveLoadBalanceLP } from "../../../src/index.ts";

/** Experts 0 and 1 live on GPUs 0 and 1, experts 2 and 3 on GPUs 2 and 3, and the sources that have them are beside them. */
const placement = Placement.fromPhysicalToLogical([0, 1, 1, 0, 2, 3, 3, 2], { gpus: 4 });
const sourceLoad = [9, 3, 0, 0, 2, 7, 0, 0, 0, 0, 5, 5, 0, 0, 1, 9];
const matrix = (own: number, near: number, far: number) => [
  [own, near, far, far],
  [near, own, far, far],
  [far, far, own, near],
  [far, far, near, own],
];
const solve = (distance: number[][]) => solveLoadBalanceLP({ placement, sourceLoad, distance }, { backend: "cpu" });

test.each([10, 1e3, 1e6, 1e9, 1e12, 1e15, 1e200])("own 0.001, near 0.002, and %s, which nobody goes", async (far) => {
  const distance = matrix(0.001, 0.002, far);
  const solution = await solve(distance);
  expect(Math.abs(solution.traffic![0] - 0.042)).toBeLessThanOrEqual(0.042e-9);
  expect(Math.abs(solution.trafficBound![0] - 0.042)).toBeLessThanOrEqual(0.042e-9);
  expect(certify({ placement, sourceLoad, distance }, solution)[0].verdict).toBe("optimal");
});

test.each([9, 2 ** 40, 2 ** 41, 1e15])("whole: own 1, near 2, and %s, which nobody goes", async (far) => {
  const { traffic, trafficBound } = await solve(matrix(1, 2, far));
  expect([traffic![0], trafficBound![0]]).toEqual([42, 42]);
});

test.each([1e-300, 1e-312, 5e-324])("all next to nothing: 0 and %s", async (near) => {
  const { traffic } = await solve(matrix(0, near, 3 * near));
  expect(traffic![0]).toBe(near); // one token goes to the other GPU
});
