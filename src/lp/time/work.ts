/** What an expert costs at least, however its tokens are split. */
import type { Curve } from "./expert_cost.ts";

/** Units that an expert of w tokens weighs: whole tiles; 1 where only its weights count. */
export function unitsOf(tile: number, w: number): number {
  return w > 0 ? Math.max(1, Math.ceil(w / tile)) : 0;
}

/** Parts that are looked for among all; of further ones a bound must do. */
const EXACT_PARTS = 3;

/**
 * W(w, parts) = least sum of c over splits of w tokens into at most `parts` parts, whole tokens; beyond three parts a lower bound of it.
 *
 * A best split has at most one part where c is linear on both sides: of two such, tokens could move from one to the other at no loss until one
 * of them reaches a point. So all parts but one are at points. What is left for further parts costs at least its tokens times the least c(x) / x.
 */
export function leastWork(curve: Curve, w: number, parts: number, exact = EXACT_PARTS): number {
  const whole = curve.time(w);
  if (curve.subadditive || parts < 2 || w < 2) return whole;
  let least = whole;
  if (exact < 2) {
    for (const [x, time] of curve.points) {
      if (x > w) break;
      least = Math.min(least, (time / x) * w);
    }
    return least;
  }
  for (const [x, time] of curve.points) {
    if (x >= w) break;
    if (time >= least) break; // times never fall
    least = Math.min(least, time + leastWork(curve, w - x, parts - 1, exact - 1));
  }
  return least;
}
