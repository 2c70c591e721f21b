import { expect, test } from "vitest";
import { certify, Placement } from "../../../src/index.ts";
import { type Forgery, forgeries, pictureOf, ways } from "../../../web/playground/picture.ts";
import { type Question, questionOf } from "../../../web/playground/question.ts";
import { Solvers } from "../../../web/playground/solvers.ts";
import { initial } from "../../../web/playground/state.ts";
import { lostInWords, movedInWords, proofInWords } from "../../../web/playground/words.ts";
import { randomState } from "./states.ts";

const shown = async (question: Question) => {
  const solvers = new Solvers();
  const picture = pictureOf(question, await solvers.solve(question));
  solvers.close();
  return picture;
};

/** The README's example. */
const quickstart: Question = {
  placement: Placement.fromPhysicalToLogical([0, 1, 0, 2, 1, 3], { gpus: 3 }),
  expertLoad: Int32Array.of(60, 200, 20, 10),
  speed: Float64Array.of(1, 1, 1),
  active: undefined,
  cost: { model: "roofline", perExpert: 6.3, perToken: 0.035 },
  backend: "cpu",
};

test("of the README's example: four ways, and the proof in words", async () => {
  const picture = await shown(quickstart);
  const loads = Object.fromEntries(ways.map((way) => [way, [...picture.ways[way].load]]));
  expect(loads.first).toEqual([260, 20, 10]);
  expect(loads.even).toEqual([130, 50, 110]);
  expect(loads.tokens).toEqual([105, 80, 105]);
  expect(picture.proof).toEqual({ gpus: [0, 2], experts: [1, 3], inside: 210, speed: 2 });
  expect(proofInWords(picture)).toBe(
    "210 tokens, those of 2 experts, can only be served on GPUs 0, 2, where all their replicas are. So the busiest of them has at " +
      "least 210 / 2 = 105. The token-optimal split attains it: no split does better. Shared evenly, it is 130.",
  );
  expect(movedInWords(picture)).toMatch(/^From the even to the token-optimal split \d+ tokens of 290 go/);
});

test("what the page begins with is worth a look: each way is better than the one before, and both optima are proven", async () => {
  const { ways: by, certificates, proof } = await shown(questionOf(initial));
  expect(by.first.imbalance).toBeGreaterThan(1.2 * by.even.imbalance);
  expect(by.even.imbalance).toBeGreaterThan(1.2 * by.tokens.imbalance);
  expect(by.time.maxTime).toBeLessThan(0.95 * by.tokens.maxTime);
  expect(certificates).toMatchObject({ tokens: { verdict: "optimal" }, time: { verdict: "optimal" } });
  expect(proof.gpus.length).toBeLessThan(8);
});

test("whatever the controls are set to, the optima are certified and no way is better than they are", async () => {
  const solvers = new Solvers();
  let dead = 0;
  for (let seed = 0; seed < 150; seed++) {
    const question = questionOf({ ...randomState(seed), backend: "cpu" });
    const { ways: by, certificates, answers, proof, speed } = pictureOf(question, await solvers.solve(question));
    expect(certificates.tokens, `seed ${seed}`).toMatchObject({ verdict: "optimal" });
    expect(certificates.time.valid, `seed ${seed}`).toBe(true);
    const equal = speed.every((v) => v === 1);
    for (const way of ways) {
      expect(
        by[way].load.reduce((a, b) => a + b),
        `seed ${seed}, ${way}`,
      ).toBe(by.tokens.load.reduce((a, b) => a + b));
      expect(by[way].maxLoad, `seed ${seed}, ${way}`).toBeGreaterThanOrEqual(by.tokens.maxLoad);
      expect(by[way].maxTime, `seed ${seed}, ${way}`).toBeGreaterThanOrEqual(answers.time.timeBound[0] * (1 - 1e-9));
    }
    expect([...by.tokens.load], `seed ${seed}`).toEqual([...answers.tokens.gpuLoad]);
    expect(by.time.maxTime, `seed ${seed}`).toBeCloseTo(answers.time.maxTime[0], 9);
    // The proof in words: inside(S) over the speed of S, rounded up to what whole tokens can attain.
    const bound = proof.inside / proof.speed;
    if (equal) expect(answers.tokens.lowerBound[0], `seed ${seed}`).toBe(Math.ceil(bound));
    else expect(answers.tokens.lowerBound[0], `seed ${seed}`).toBeGreaterThanOrEqual(bound * (1 - 1e-12));
    if (question.active) dead++;
  }
  expect(dead).toBeGreaterThan(20);
  solvers.close();
});

test.each(Object.keys(forgeries) as Forgery[])("who claims %s is refused", async (forgery) => {
  const { problem, answers } = await shown(quickstart);
  expect(certify(problem, answers.tokens)[0].verdict).toBe("optimal");
  expect(certify(problem, forgeries[forgery](answers.tokens))[0].verdict).toBe("invalid");
});

test("experts that die with their GPU are named", async () => {
  const picture = await shown({ ...quickstart, active: Uint8Array.of(1, 0, 1) });
  expect(lostInWords(picture)).toBe("1 expert (2) is on no living GPU: 20 tokens of theirs are served nowhere.");
  expect(lostInWords(await shown(quickstart))).toBeUndefined();
});
