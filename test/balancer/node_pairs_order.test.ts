/** Pairs of tokens and nodes do not depend on the order of a token's experts, however the distances draw the nodes. */
import { expect, test } from "vitest";
import { measureImbalance, Placement } from "../../src/index.ts";

// GPUs 0 and 1 are near each other by way of source 1 alone: one node, of which GPU 1 is another's for source 0.
const placement = Placement.fromPhysicalToLogical([0, 1], { gpus: 2 });
const distance = [
  [0, 9],
  [1, 1],
];
const measured = (topkIds: number[]) =>
  measureImbalance({ placement, topkIds, topK: 2, tokenSource: [0], distance }, { backend: "cpu" });

test("the order of a token's experts", async () => {
  const [one, other] = [await measured([0, 1]), await measured([1, 0])];
  expect(one.traffic!.otherNodes).toEqual(other.traffic!.otherNodes);
  expect(one.traffic!.otherNodePairs).toEqual(other.traffic!.otherNodePairs);
});

test("what goes to other nodes is of pairs with other nodes", async () => {
  const { otherNodes, otherNodePairs } = (await measured([0, 1])).traffic!;
  expect(otherNodes[0]).toBe(1);
  expect(otherNodePairs[0]).toBeGreaterThan(0);
});
