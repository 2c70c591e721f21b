import { describe, expect, test } from "vitest";
import { type BfioOptions, bfio } from "../../../src/serving/routing/bfio.ts";
import { type Play, play } from "./bfio_play.ts";

const create = (workers: number, options?: BfioOptions) => bfio(options).create({ workers, seed: 1, queue: "router" });

describe("over many fills", () => {
  const game = { workers: 4, slots: 6, steps: 400, seed: 3 };
  const predictions: [string, Play["predict"]][] = [
    ["exact", (output) => output],
    ["none", () => undefined],
    ["wrong", (output, at) => Math.round(output * 2 * at())],
    ["intervals", (output) => [Math.max(1, output - 5), output + 12]],
    ["some", (output, at) => (at() < 0.5 ? output : undefined)],
  ];

  test.each(predictions)(
    "the policy's own account gives what the running requests give: %s predictions",
    (_, predict) => {
      for (const options of [
        { horizon: 0 },
        { horizon: 20 },
        { horizon: 6, gamma: 0.9, growth: false },
        { overdue: "stays" as const },
      ]) {
        const fills = [() => true, () => false, (g: number) => g % 2 === 0].map((tells) =>
          play(create(game.workers, options), { ...game, predict, tells }),
        );
        expect(fills[0].flat().length).toBeGreaterThan(500);
        expect(fills[1]).toEqual(fills[0]);
        expect(fills[2]).toEqual(fills[0]);
      }
    },
  );

  test.each([
    [20, 300],
    [300, 300],
    [4, 1000],
  ])("the same where ends lie further ahead than any list: horizon %i, outputs of %i", (horizon, mean) => {
    const far = { ...game, mean, steps: 1500, predict: (output: number) => output };
    const fills = [true, false].map((tells) => play(create(game.workers, { horizon }), { ...far, tells: () => tells }));
    expect(fills[0].flat().length).toBeGreaterThan(100);
    expect(fills[1]).toEqual(fills[0]);
  });

  test.each([undefined, 3000])("each once, in the order of no other run, as many as fit: memory %s", (freeKv) => {
    const once = { ...game, predict: (output: number) => output, tells: () => true, freeKv };
    const fills = play(create(game.workers), once);
    const ids = fills.flat().map(([id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(play(create(game.workers), once)).toEqual(fills);
  });

  test("what is remembered is bounded by what waits and runs", () => {
    const router = create(game.workers);
    play(router, { ...game, steps: 3000, predict: (output) => output, tells: () => true });
    const { requests } = router as unknown as { requests: { id: Int32Array } };
    expect(requests.id.length).toBeLessThanOrEqual(64);
  });
});
