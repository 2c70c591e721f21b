/** The exact finish of *specialised*, alone, run on numbers: from starts that no interior point would leave it. */
import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import { cutBound, insideLoad, wholeTokensBy } from "../../../src/lp/cut.ts";
import { exactSolver } from "../../../src/lp/exact.ts";
import type { Loads } from "../../../src/lp/problem.ts";
import { numbers } from "../../../src/lp/text/field.ts";
import { pushRelabel } from "../../../src/lp/text/push_relabel.ts";
import { topologyOfEdges } from "../../../src/lp/topology.ts";
import { maxLoadUnder } from "../../helpers/max_load.ts";

interface Start {
  speed: number[];
  alone: number[];
  /** The two GPUs of each expert. */
  experts: [number, number][];
  tokens: number[];
  /** Of each expert, tokens on the first of its GPUs. */
  first: number[];
  member: number[];
}

function pushed({ speed, alone, experts, tokens, first, member }: Start) {
  const x = tokens.map((amount, e) => [first[e], amount - first[e]]);
  const cut = member.map((m) => numbers.variable(m));
  return pushRelabel(numbers, experts, alone, tokens, x, cut, (inside, inS) => {
    const t = cutBound(
      inside,
      speed.filter((_, g) => inS[g] === 1),
      "integer",
    );
    return speed.map((v) => wholeTokensBy(t, v));
  });
}

/** Max load and bound that an answer claims, having checked that it serves every token once; and the optimum of the exact solver. */
function judged({ speed, alone, experts, tokens }: Start, { kept, member }: ReturnType<typeof pushed>) {
  for (const [e, row] of kept.entries()) {
    expect(row[0] + row[1]).toBe(tokens[e]);
    expect(Math.min(...row)).toBeGreaterThanOrEqual(0);
  }
  const topology = topologyOfEdges(speed.length, experts, Float64Array.from(speed));
  const expertLoad = Int32Array.from(tokens);
  const loads: Loads = { batch: 1, tokens: "integer", expertLoad, baseLoad: Int32Array.from(alone) };
  const exact = new Float64Array(2 * experts.length);
  exactSolver(topology).solve(loads, 0, exact, new Uint8Array(speed.length));
  const inside = insideLoad(topology, loads.expertLoad, loads.baseLoad, 0, member);
  return {
    maxLoad: maxLoadUnder(topology, loads, 0, kept.flat()),
    bound: cutBound(
      inside,
      speed.filter((_, g) => member[g] === 1),
      "integer",
    ),
    optimum: maxLoadUnder(topology, loads, 0, exact),
  };
}

/** A chain with all load at one end: experts are listed from the other end, so that a round moves tokens by one GPU. */
function chain(gpus: number): Start {
  const experts = Array.from({ length: gpus - 1 }, (_, i): [number, number] => [gpus - 2 - i, gpus - 1 - i]);
  const tokens = experts.map(() => 1000);
  const alone = [3 * gpus, ...new Array<number>(gpus - 1).fill(0)];
  const speed = new Array<number>(gpus).fill(1);
  return { speed, alone, experts, tokens, first: tokens, member: new Array<number>(gpus).fill(1) };
}

test("a chain that takes more than 100 rounds is closed, optimal and proven", () => {
  const start = chain(200);
  const answer = pushed(start);
  const { maxLoad, bound, optimum } = judged(start, answer);
  expect([answer.closed, maxLoad, bound]).toEqual([true, optimum, optimum]);
  expect(answer.moves).toBeGreaterThan(100);
});

test("one that takes more rounds than the limit is given up: not closed, and no token lost", () => {
  const start = chain(300);
  const answer = pushed(start);
  const { maxLoad, optimum } = judged(start, answer);
  expect([answer.closed, answer.moves]).toEqual([false, 256]);
  expect(maxLoad).toBeGreaterThan(optimum);
});

/** Any tokens on either GPU of each expert, and any cut. */
function anyStart(random: Random, unequalSpeeds: boolean): Start {
  const gpus = 3 + random.below(6);
  const experts = Array.from({ length: gpus + random.below(gpus) }, (): [number, number] => {
    const g = random.below(gpus);
    return [g, (g + 1 + random.below(gpus - 1)) % gpus];
  });
  const tokens = experts.map(() => random.below(random.pick([3, 100])));
  const member = Array.from({ length: gpus }, () => random.below(2));
  member[random.below(gpus)] = 1;
  return {
    speed: Array.from({ length: gpus }, () => (unequalSpeeds ? random.pick([0.8, 1, 1.2, 2]) : 1)),
    alone: Array.from({ length: gpus }, () => random.below(200) - 20),
    experts,
    tokens,
    first: tokens.map((amount) => random.below(amount + 1)),
    member,
  };
}

describe.each([false, true])("unequal speeds: %s", (unequalSpeeds) => {
  test("500 starts from any tokens and any cut are closed, optimal and proven", () => {
    const random = seeded(92);
    let rounds = 0;
    for (let i = 0; i < 500; i++) {
      const start = anyStart(random, unequalSpeeds);
      const answer = pushed(start);
      const { maxLoad, bound, optimum } = judged(start, answer);
      expect([answer.closed, maxLoad, bound], `start ${i}`).toEqual([true, optimum, optimum]);
      rounds += answer.moves;
    }
    expect(rounds).toBeGreaterThan(1000);
  });
});
