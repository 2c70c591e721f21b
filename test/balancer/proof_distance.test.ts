/** What a proof hands out is the caller's to keep: writing to it leaves the balancer as it is. */
import { expect, test } from "vitest";
import { createBalancer, Placement } from "../../src/index.ts";

test("a proof's distances", async () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 1, 0], { gpus: 2 });
  const distance = [
    [0, 9],
    [9, 0],
  ];
  const balancer = await createBalancer({ placement, topK: 1, maxTokens: 3, distance, backend: "cpu" });
  const ids = Int32Array.from([0, 1, 0]);
  const first = await balancer.balance(ids);
  (first.proof(0).problem.distance as Float64Array).fill(7);
  expect((await balancer.balance(ids)).traffic).toEqual(first.traffic);
});
