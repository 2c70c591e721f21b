import { expect, test } from "vitest";
import { droppedInWords, findTokens, placedByEplb, splitSteps } from "../../../src/cli/reports/step_split.ts";
import { LoadError } from "../../../src/common/errors.ts";

const find = (tokens: number[][]) =>
  findTokens(
    { source: "it", steps: tokens.length, layers: tokens[0].length },
    (step, layer) => tokens[step][layer] > 0,
  );

test("finds each layer's steps with tokens, and counts the others of layers that have any", () => {
  // Layer 1 begins late, layer 2 never has tokens; steps 0 and 3 are empty in all.
  const { withTokens, dropped } = find([
    [0, 0, 0],
    [5, 0, 0],
    [5, 1, 0],
    [0, 0, 0],
    [5, 2, 0],
  ]);
  expect(withTokens).toEqual([[1, 2, 4], [2, 4], []]);
  expect(dropped).toEqual({ batches: 2 + 3, steps: 2 });
  expect(() => find([[0], [0]])).toThrow(new LoadError("it", "at least one step with tokens", 0));
});

test("says what was dropped, and nothing where nothing was", () => {
  const want = "Dropped for want of tokens: ";
  expect(droppedInWords({ batches: 0, steps: 0 })).toEqual([]);
  expect(droppedInWords({ batches: 1, steps: 0 })).toEqual([`${want}1 batch, a step of one layer each.`]);
  expect(droppedInWords({ batches: 3, steps: 0 })).toEqual([`${want}3 batches, a step of one layer each.`]);
  expect(droppedInWords({ batches: 1000, steps: 1 })).toEqual([
    `${want}1,000 batches, a step of one layer each, with 1 whole step among them.`,
  ]);
});

test("splits each layer's own steps, and names them where that is the same for all", () => {
  expect(splitSteps([[1, 2, 4, 7], [], [2, 9]])).toMatchObject({
    fitted: [[1, 2], [], [2]],
    measured: [[4, 7], [], [9]],
    fittedTo: "steps 1-2",
    measuredOn: "steps 4-9",
  });
  const late = splitSteps([
    [0, 1, 2, 3],
    [2, 3],
  ]);
  expect(late).toMatchObject({ fitted: [[0, 1], [2]], measured: [[2, 3], [3]] });
  expect(late.fittedTo).toBe("each layer's earlier steps with tokens");
  expect(late.measuredOn).toBe("each layer's later steps with tokens");
  expect(placedByEplb(late)).toBe("EPLB by each layer's earlier steps with tokens");
});

test("a single step is both", () => {
  const one = splitSteps([[3], [], [3]]);
  expect(one).toMatchObject({ fitted: [[3], [], [3]], measured: [[3], [], [3]] });
  expect(placedByEplb(one)).toBe("EPLB by step 3, which is measured, too");
  const { measured, measuredOn } = splitSteps([[3], [0, 1, 2]]);
  expect({ measured, measuredOn }).toEqual({
    measured: [[3], [2]],
    measuredOn: "each layer's later steps with tokens, a single one being both",
  });
});

test("of the others as many as are wanted, evenly spaced in each layer", () => {
  const withTokens = [
    [0, 1, 2, 3, 4, 5, 6, 7],
    [0, 2, 4, 6],
  ];
  const { fitted, measured, measuredOn } = splitSteps(withTokens, { fittedShare: 1 / 4, wanted: 3 });
  expect({ fitted, measured, measuredOn }).toEqual({
    fitted: [[0, 1], [0]],
    measured: [
      [2, 4, 6],
      [2, 4, 6],
    ],
    measuredOn: "3 of steps 2-7",
  });
});
