/** The LP of admission through HiGHS. */
import loadHighs from "highs";
import { seeded } from "../../../src/common/random.ts";

const highs = await loadHighs();

export interface Instance {
  values: number[];
  /** [n, m] */
  use: number[];
  budget: number[];
}

const TOLERANCES = { primal_feasibility_tolerance: 1e-10, dual_feasibility_tolerance: 1e-10 } as const;

export function highsOptimum({ values, use, budget }: Instance): number {
  const m = budget.length;
  const term = (coefficient: number, j: number) => `+ ${coefficient} x${j}`;
  const rows = budget.map((b, i) => ` b${i}: ${values.map((_, j) => term(use[j * m + i], j)).join(" ")} <= ${b}`);
  const bounds = values.map((_, j) => ` 0 <= x${j} <= 1`);
  const objective = values.map(term).join(" ");
  const text = `Maximize\n obj: ${objective}\nSubject To\n${rows.join("\n")}\nBounds\n${bounds.join("\n")}\nEnd\n`;
  const { Status, ObjectiveValue } = highs.solve(text, TOLERANCES);
  if (Status !== "Optimal") throw new Error(`HiGHS: ${Status}`);
  return ObjectiveValue;
}

export const kinds = ["uniform", "ties", "zeros", "equal", "far apart", "rare uses"] as const;

/** Few requests and budgets, of which some are 0 and some more than all use. */
export function randomInstance(seed: number): Instance & { kind: (typeof kinds)[number]; share: number } {
  const random = seeded(seed);
  const kind = kinds[seed % kinds.length];
  const n = 1 + random.below(25);
  const m = 1 + random.below(6);
  const draw = {
    uniform: () => random.next(),
    ties: () => random.below(4),
    zeros: () => (random.next() < 0.5 ? 0 : random.below(3)),
    equal: () => 1 + random.below(2),
    "far apart": () => Math.exp(3 * random.normal()),
    "rare uses": () => (random.next() < 0.7 ? 0 : 1e6 * random.next()),
  }[kind];
  const values = Array.from({ length: n }, draw);
  const use = Array.from({ length: n * m }, draw);
  const share = random.pick([0, 0.01, 0.25, 0.6, 1.5]);
  const budget = Array.from({ length: m }, (_, i) => {
    const all = values.reduce((sum, _, j) => sum + use[j * m + i], 0);
    if (random.next() < 0.1) return 0;
    return kind === "ties" || kind === "equal" ? Math.floor(share * all) : share * all;
  });
  return { kind, share, values, use, budget };
}
