/** Curves by hand, for what is fitted. */
import type { CurveCost } from "../../src/lp/time/expert_cost.ts";
import type { CostRow } from "../../src/lp/time/fit_expert_cost.ts";

/** One expert with x tokens. */
export const single = (x: number, time: number): CostRow => ({ tokens: x, activated: 1, topK: 1, time });

/** c(x) by the definition: the line of the piece that x is in, from (0, 0), the last one for all beyond. */
export function timeOn({ tokens, time }: CurveCost, x: number): number {
  const points = [[0, 0], ...Array.from(tokens, (n, i) => [n, time[i]])].filter(([n], i) => i === 0 || n > 0);
  const at = points.findIndex(([n]) => n >= x);
  if (at >= 0 && points[at][0] === x) return points[at][1];
  const [[x0, t0], [x1, t1]] = at < 0 ? points.slice(-2) : points.slice(at - 1, at + 1);
  return t0 + ((t1 - t0) / (x1 - x0)) * (x - x0);
}
