import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { planElimination } from "../../src/lp/elimination.ts";

describe("the elimination plan", () => {
  test("keeps dependent places of a stage in one task, and covers every place once", () => {
    const random = seeded(28);
    for (let trial = 0; trial < 40; trial++) {
      const nodes = 2 + random.below(40);
      const cliques = Array.from({ length: random.below(40) }, () =>
        random.shuffle([...Array(nodes).keys()]).slice(0, 2 + random.below(3)),
      );
      const { order, column, tasks, stages } = planElimination(nodes, cliques);
      expect([...order].sort((a, b) => a - b)).toEqual([...Array(nodes).keys()]);
      expect(tasks.at(-1)).toBe(nodes);
      expect(stages.at(-1)).toBe(tasks.length - 1);
      const taskOf = order.map((_, k) => tasks.findLastIndex((first) => first <= k));
      const stageOf = taskOf.map((task) => stages.findLastIndex((first) => first <= task));
      for (const [k, reach] of column.entries()) {
        for (const i of reach) {
          expect(i).toBeGreaterThan(k);
          if (stageOf[i] === stageOf[k]) expect(taskOf[i]).toBe(taskOf[k]);
          for (const j of reach) if (j > i) expect(column[i]).toContain(j); // the fill
        }
      }
      const place = order.map((_, g) => order.indexOf(g));
      for (const clique of cliques) {
        const places = clique.map((g) => place[g]).sort((a, b) => a - b);
        for (const i of places.slice(1)) expect(column[places[0]]).toContain(i);
      }
    }
  });

  test("takes log n stages for a ring", () => {
    const stagesOf = (n: number) =>
      planElimination(
        n,
        Array.from({ length: n }, (_, g) => [g, (g + 1) % n]),
      ).stages.length - 1;
    console.log(`stages of rings: ${[8, 32, 128, 512].map((n) => `${n}: ${stagesOf(n)}`).join(", ")}`);
    expect(stagesOf(512)).toBeLessThanOrEqual(9);
  });
});
