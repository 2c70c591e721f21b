import { expect, test } from "vitest";
import { certify, Placement, solveLoadBalanceLP } from "../../../src/index.ts";

const placement = Placement.fromPhysicalToLogical([0, 1, 1, 0], { gpus: 2 });

test("too many tokens of sources: what was given is named, and a way out that there is", async () => {
  const solving = solveLoadBalanceLP({ placement, nodes: 2, sourceLoad: [2 ** 31 - 1, 0, 1, 0] }, { backend: "cpu" });
  await expect(solving).rejects.toThrow(/^sourceLoad/);
  await expect(solving).rejects.not.toThrow("fractional"); // which sourceLoad refuses
});

test("an answer with the largest slack is certified, too", async () => {
  const problem = { placement, nodes: 2, sourceLoad: [8, 1, 2, 8] };
  const solution = await solveLoadBalanceLP(problem, { backend: "cpu", slack: Number.MAX_VALUE });
  expect(certify(problem, solution)[0].trafficBoundValid).toBe(true);
});
