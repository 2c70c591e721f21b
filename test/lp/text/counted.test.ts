import { describe, expect, test } from "vitest";
import { graphWorkload, modelWorkload } from "../../../bench/workloads.ts";
import { topologies } from "../../../src/index.ts";
import { canonicalForm } from "../../../src/lp/kernels/canonical.ts";
import { type Counter, counter } from "../../../src/lp/text/counted.ts";
import { type Code, numbers } from "../../../src/lp/text/field.ts";
import { evenCaps, solveForm } from "../../../src/lp/text/solve_form.ts";
import { loadsOfForm, specialised } from "../../../src/lp/twins/specialised.ts";

/** Operations and the longest chain of a program. */
function counts(program: (c: Counter) => void): [operations: number, depth: number] {
  const c = counter();
  program(c);
  const { operations, depth } = c.work();
  return [operations, depth];
}

describe("by hand", () => {
  test("constants and variables cost nothing", () => {
    const program = (c: Counter) => {
      const v = c.variable(c.constant(3));
      v.set(c.given(4));
      expect(v.get().value).toBe(4);
    };
    expect(counts(program)).toEqual([0, 0]);
  });

  test("a sum is added in pairs, without what is known to be 0", () => {
    const five = (c: Counter) => c.sum([1, 2, 3, 4, 5].map(c.given));
    expect(five(counter()).value).toBe(15);
    expect(counts(five)).toEqual([4, 3]);
    expect(counts((c) => c.sum([c.given(1), c.constant(0), c.given(2)]))).toEqual([1, 1]);
    expect(counts((c) => c.sum([c.constant(0), c.given(7)]))).toEqual([0, 0]);
    expect(
      counts((c) => c.sum([c.given(0), c.given(7)])),
      "0 by chance",
    ).toEqual([1, 1]);
  });

  test("what does not wait for each other is side by side", () => {
    const dot = (c: Counter) => c.sum([c.mul(c.given(2), c.given(3)), c.mul(c.given(4), c.given(5))]);
    expect(dot(counter()).value).toBe(26);
    expect(counts(dot)).toEqual([3, 2]);
  });

  test("every operation is one, divisions told apart", () => {
    const c = counter();
    const [a, b] = [c.given(7), c.given(2)];
    const results = [c.sub(a, b), c.mul(a, b), c.div(a, b), c.max(a, b), c.min(a, b), c.quotient(a, b)];
    expect(results.map(({ value }) => value)).toEqual([5, 14, 3.5, 7, 2, 3]);
    expect([c.round(c.given(2.5)).value, c.real(a).value]).toEqual([3, 7]);
    const isLess = c.and(c.less(b, a), c.less(a, b));
    expect([isLess.value, isLess.depth, c.select(isLess, a, b).value]).toEqual([false, 2, 2]);
    const { of, operations, divisions } = c.work();
    expect(of).toEqual({
      ...{ add: 0, sub: 1, mul: 1, div: 1, min: 1, max: 1, round: 1, real: 1 },
      ...{ quotient: 1, less: 2, and: 1, select: 1 },
    });
    expect([operations, divisions]).toEqual([12, 2]);
  });

  test("a branch that is taken waits for its condition, and so does what comes after one that is not", () => {
    const chain = (c: Counter) => c.less(c.mul(c.mul(c.given(2), c.given(2)), c.given(2)), c.given(9));
    expect(counts((c) => c.when(chain(c), () => c.sub(c.given(1), c.given(1))))).toEqual([4, 4]);
    const after = (c: Counter) => {
      c.when(c.and(chain(c), c.less(c.given(1), c.given(0))), () => c.sub(c.given(1), c.given(1)));
      c.sub(c.given(1), c.given(1));
    };
    expect(counts(after)).toEqual([6, 5]);
  });

  test("a loop counts as often as it runs, its last condition too, and one round waits for the other", () => {
    const program = (c: Counter) => {
      const i = c.variable(c.whole(0));
      c.loop(
        () => c.less(i.get(), c.whole(3)),
        () => i.set(c.sum([i.get(), c.whole(1)])),
      );
      expect(i.get().value).toBe(3);
    };
    // less, then three times add and less; all of it one chain.
    expect(counts(program)).toEqual([7, 7]);
  });
});

describe.each([
  graphWorkload("cube", topologies.cube8(), 8, 16),
  modelWorkload("EP8 R16", { gpus: 8, experts: 64, redundant: 16, layers: 1 }, 16),
])("$name", ({ layers, loads, batch }) => {
  const [{ topology }] = layers;
  const form = canonicalForm(topology);
  const twin = specialised(topology);
  const solve = <S, B>(c: Code<S, B>, lp: number, given: (value: number) => S) => {
    const own = loadsOfForm(topology, form.labels, loads, lp);
    const alone = own.alone.map(given);
    return solveForm(
      c,
      form,
      alone,
      own.loads.map((row) => row.map(given)),
      evenCaps(c),
    );
  };

  test("the answer is that of numbers, and of the twin", () => {
    for (let lp = 0; lp < batch; lp++) {
      const c = counter();
      const { quotas, member, sweeps, moves, kept } = solve(c, lp, c.given);
      const plain = solve(numbers, lp, (value) => value);
      expect(quotas.flat(3).map(({ value }) => value)).toEqual(plain.quotas.flat(3));
      expect(member.map(({ value }) => value)).toEqual(twin(loads, lp).member);
      expect(kept.map((row) => row.map(({ value }) => value))).toEqual(twin(loads, lp).kept);
      expect([sweeps.value, moves.value]).toEqual([plain.sweeps, plain.moves]);
    }
  });

  test("no chain is longer than all operations, nor shorter than what waits in sweeps and rounds", () => {
    for (let lp = 0; lp < batch; lp++) {
      const c = counter();
      const { sweeps, moves } = solve(c, lp, c.given);
      const { operations, depth } = c.work();
      expect(depth).toBeLessThan(operations);
      // A sweep: a difference, its share, two bounds, a load; a round of the finish: levels, a choice, a move.
      expect(depth).toBeGreaterThan(5 * (sweeps.value + moves.value));
    }
  });
});
