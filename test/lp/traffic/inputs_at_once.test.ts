import { expect, test } from "vitest";
import { createSolver, Placement, solveLoadBalanceLP } from "../../../src/index.ts";

const placement = Placement.fromPhysicalToLogical([0, 1, 2, 3], { gpus: 2 }); // nothing to choose: loads are 26 and 16
const sourceLoad = [4, 4, 4, 4, 4, 4, 4, 4];

test("base loads are read at once with sources, too: what the caller does to them after the call is not seen", async () => {
  const solver = await createSolver(placement, { nodes: 2, backend: "cpu" });
  const baseLoad = Int32Array.of(10, 0);
  const solving = solver.solve({ sourceLoad, baseLoad });
  baseLoad.fill(0);
  expect([...(await solving).gpuLoad]).toEqual([26, 16]);

  const given = [10, 0];
  const once = solveLoadBalanceLP({ placement, nodes: 2, sourceLoad, baseLoad: given }, { backend: "cpu" });
  given[0] = 0;
  expect([...(await once).gpuLoad]).toEqual([26, 16]);
});

test("expertLoad beside sourceLoad is that of the call, not what it is later", async () => {
  const solver = await createSolver(placement, { nodes: 2, backend: "cpu" });
  const expertLoad = [8, 8, 8, 8];
  const solving = solver.solve({ sourceLoad, expertLoad });
  expertLoad.fill(0);
  expect([...(await solving).gpuLoad]).toEqual([16, 16]);

  const wrong = [8, 8, 8, 9];
  const refused = solver.solve({ sourceLoad, expertLoad: wrong });
  wrong[3] = 8;
  await expect(refused).rejects.toThrow("expertLoad[3]");
});
