import { expect, test } from "vitest";
import { Placement } from "../../../src/index.ts";
import { movesOf } from "../../../web/playground/moves.ts";
import { pictureOf } from "../../../web/playground/picture.ts";
import { questionOf } from "../../../web/playground/question.ts";
import { Solvers } from "../../../web/playground/solvers.ts";
import { randomState } from "./states.ts";

test("of an expert with three replicas, two on one GPU", () => {
  const placement = Placement.fromPhysicalToLogical([0, 0, 0, 1, 1, 0], { gpus: 3 });
  expect(movesOf(placement, [5, 5, 10, 7, 3, 10], [9, 1, 2, 7, 3, 18])).toEqual([
    { expert: 0, from: 1, to: 2, tokens: 8 }, // GPU 0 has 10 of it before and after
  ]);
});

test("nothing moves from a split to itself", () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 1, 0], { gpus: 2 });
  expect(movesOf(placement, [1, 2, 3, 4], [1, 2, 3, 4])).toEqual([]);
});

test("moves lead from the even split to the optimal one, from replica to replica", async () => {
  const solvers = new Solvers();
  let moved = 0;
  for (let seed = 0; seed < 100; seed++) {
    const question = questionOf({ ...randomState(seed), backend: "cpu" });
    const { placement, ways, moves } = pictureOf(question, await solvers.solve(question));
    const held = heldBy(placement, ways.even.quota);
    for (const { expert, from, to, tokens } of moves) {
      expect(tokens, `seed ${seed}`).toBeGreaterThan(0);
      held.set(`${expert} on ${from}`, held.get(`${expert} on ${from}`)! - tokens);
      held.set(`${expert} on ${to}`, held.get(`${expert} on ${to}`)! + tokens);
      moved += tokens;
    }
    expect(held, `seed ${seed}`).toEqual(heldBy(placement, ways.tokens.quota));
  }
  expect(moved).toBeGreaterThan(1000);
  solvers.close();
});

/** Tokens of each expert on each GPU that has a slot of it. */
function heldBy({ physicalToLogical, gpuOf }: Placement, quota: ArrayLike<number>): Map<string, number> {
  const held = new Map<string, number>();
  for (const [slot, expert] of physicalToLogical.entries()) {
    const where = `${expert} on ${gpuOf[slot]}`;
    held.set(where, (held.get(where) ?? 0) + quota[slot]);
  }
  return held;
}
