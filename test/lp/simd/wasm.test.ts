/** Every step of a recorded program against plain arithmetic, lane by lane; and control flow, where lanes part. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { lastUses, recording, usedSteps } from "../../../src/lp/simd/recording.ts";
import { type Code, numbers } from "../../../src/lp/text/field.ts";
import { computed, type Lane } from "./machine.ts";

const random = seeded(191);
const some = (draw: () => number) => Array.from({ length: 4 }, draw);
const EDGES = [0, 1, -1, 2, 2 ** 31 - 1, -(2 ** 31), 2 ** 30, -7, 1000, 123_456_789];
const any = () => (random.next() < 0.5 ? random.pick(EDGES) : random.below(2 ** 32) - 2 ** 31);

describe("whole numbers", () => {
  const operations: Record<string, [(c: Lane, a: never, b: never) => unknown, (a: number, b: number) => number]> = {
    sum: [(c, a, b) => c.sum([a, b]), (a, b) => (a + b) | 0],
    sub: [(c, a, b) => c.sub(a, b), (a, b) => (a - b) | 0],
    mul: [(c, a, b) => c.mul(a, b), Math.imul],
    min: [(c, a, b) => c.min(a, b), Math.min],
    max: [(c, a, b) => c.max(a, b), Math.max],
    negate: [(c, a) => c.sub(c.whole(0), a), (a) => -a | 0],
    less: [(c, a, b) => c.select(c.less(a, b), c.whole(1), c.whole(0)), (a, b) => (a < b ? 1 : 0)],
    and: [(c, a, b) => c.select(c.and(c.less(a, b), c.less(c.whole(0), b)), a, b), (a, b) => (a < b && 0 < b ? a : b)],
  };
  test.each(Object.keys(operations))("%s", async (name) => {
    const [write, expected] = operations[name];
    for (let i = 0; i < 50; i++) {
      const [a, b] = [some(any), some(any)];
      const [found] = await computed([a, b], (c, [x, y]) => [write(c, x as never, y as never) as typeof x]);
      expect(found, `${a} and ${b}`).toEqual(a.map((value, lane) => expected(value, b[lane])));
    }
  });

  test("a quotient is rounded towards zero, for either sign and beyond what f32 holds", async () => {
    for (let i = 0; i < 200; i++) {
      const a = some(any);
      const b = some(() => (random.next() < 0.5 ? 1 + random.below(100) : 1 + random.below(2 ** 31 - 1)));
      if (i % 4 === 0)
        for (const lane of [0, 1]) a[lane] = Math.min(b[lane] * (1 + random.below(3)), 2 ** 31 - 1) - lane;
      const [found] = await computed([a, b], (c, [x, y]) => [c.quotient(x, y)]);
      expect(found, `${a} over ${b}`).toEqual(a.map((value, lane) => Math.trunc(value / b[lane]) | 0));
    }
  });
});

test("real numbers are f32, and go there and back", async () => {
  const { fround } = Math;
  for (let i = 0; i < 50; i++) {
    const [a, b] = [some(() => random.below(2 ** 20)), some(() => 1 + random.below(2 ** 10))];
    const found = await computed([a, b], (c, [x, y]) => {
      const [p, q] = [c.real(x), c.real(y)];
      const reals = [c.div(p, q), c.mul(c.sub(p, q), c.constant(1 / 3)), c.min(p, q), c.max(p, q), c.sum([p, q, p])];
      // Shown as whole numbers of 1 / 256, none below 0.
      return reals.map((value) => c.round(c.max(c.mul(value, c.constant(256)), c.constant(0))));
    });
    const expected = a.map((p, lane) => {
      const q = b[lane];
      const third = fround(1 / 3);
      const reals = [fround(p / q), fround(fround(p - q) * third), Math.min(p, q), Math.max(p, q), p + q + p];
      return reals.map((value) => Math.floor(fround(fround(Math.max(fround(value * 256), 0)) + 0.5)));
    });
    expect(found).toEqual(found.map((_, k) => expected.map((lane) => lane[k])));
  }
});

describe("control flow", () => {
  /** Steps of Collatz's sequence, with a branch in a loop in a branch: lanes go on for as long as each needs. */
  function collatz<S, B>(c: Code<S, B>, start: S): S[] {
    const value = c.variable(start);
    const steps = c.variable(c.whole(0));
    const largest = c.variable(start);
    c.when(c.less(c.whole(0), start), () => {
      c.loop(
        () => c.less(c.whole(1), value.get()),
        () => {
          const now = value.get();
          const half = c.quotient(now, c.whole(2));
          const odd = c.less(c.mul(half, c.whole(2)), now);
          const next = c.variable(half);
          c.when(odd, () => next.set(c.sum([c.mul(now, c.whole(3)), c.whole(1)])));
          value.set(next.get());
          steps.set(c.sum([steps.get(), c.whole(1)]));
          c.when(c.less(largest.get(), value.get()), () => largest.set(value.get()));
        },
      );
    });
    return [value.get(), steps.get(), largest.get()];
  }

  test("each lane does what it would do alone", async () => {
    const starts = [
      [1, 2, 3, 27],
      [-5, 0, 97, 1],
      [871, 6, 7, 9],
    ];
    for (const start of starts) {
      const found = await computed([start], (c, [x]) => collatz(c, x));
      const expected = start.map((value) => collatz<number, boolean>(numbers, value));
      expect(found).toEqual(found.map((_, k) => expected.map((lane) => lane[k])));
    }
    expect(collatz<number, boolean>(numbers, 27)).toEqual([1, 111, 9232]);
  });

  test("what is read of a variable does not change with it", async () => {
    const [before, after] = await computed([[1, 2, 3, 4]], (c, [x]) => {
      const variable = c.variable(x);
      const read = variable.get();
      variable.set(c.whole(9));
      return [read, variable.get()];
    });
    expect([before, after]).toEqual([
      [1, 2, 3, 4],
      [9, 9, 9, 9],
    ]);
  });

  test("a value from before a loop is there in its later rounds, whatever was computed since", async () => {
    const [sum] = await computed([[5, 6, 7, 8]], (c, [x]) => {
      const twice = c.sum([x, x]);
      const total = c.variable(c.whole(0));
      const round = c.variable(c.whole(0));
      c.loop(
        () => c.less(round.get(), c.whole(10)),
        () => {
          total.set(c.sum([total.get(), twice]));
          let filler = c.mul(round.get(), c.whole(3));
          for (let i = 0; i < 40; i++) filler = c.sum([c.mul(filler, filler), c.whole(i)]);
          round.set(c.sum([round.get(), c.whole(1), c.mul(filler, c.whole(0))]));
        },
      );
      return [total.get()];
    });
    expect(sum).toEqual([100, 120, 140, 160]);
  });
});

describe("a recording", () => {
  test("keeps what is used, and in a loop until its end", () => {
    const r = recording(100);
    const rows = { start: 0, width: 4, unit: 4 } as const;
    const [early, unused] = [r.gather(rows, 0), r.gather(rows, 0)];
    const register = r.register(r.whole(0));
    r.mul(unused, unused);
    r.whileAny(
      () => r.less(register.get(), r.whole(3)),
      () => register.set(r.sum([register.get(), early])),
    );
    r.scatter(rows, 0, register.get());
    const steps = usedSteps(r.steps);
    expect(steps.length).toBe(r.steps.length - 2);
    const end = steps.findIndex(({ is }) => is === "end");
    expect(lastUses(steps)[end]).toContain(early);
  });

  test("refuses to grow beyond what was allowed", () => {
    const r = recording(2);
    r.sum([r.whole(1), r.constant(0)]);
    expect(() => r.whole(2)).toThrow("more than");
  });
});
