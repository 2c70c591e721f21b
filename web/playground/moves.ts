/** What has to go elsewhere, from one split of a batch to another. */
import { EMPTY, type Placement } from "../../src/placement/placement.ts";

export interface Move {
  expert: number;
  /** GPUs. */
  from: number;
  to: number;
  tokens: number;
}

/** The tokens of each expert from replicas that have more of them in `before` [P] to those that have more in `after` [P]; most tokens first. */
export function movesOf(placement: Placement, before: ArrayLike<number>, after: ArrayLike<number>): Move[] {
  const moves: Move[] = [];
  for (const [expert, gained] of gainsOf(placement, before, after).entries()) {
    const givers = [...gained].filter(([, tokens]) => tokens < 0);
    const takers = [...gained].filter(([, tokens]) => tokens > 0);
    let [g, t] = [0, 0];
    while (g < givers.length && t < takers.length) {
      const tokens = Math.min(-givers[g][1], takers[t][1]);
      moves.push({ expert, from: givers[g][0], to: takers[t][0], tokens });
      givers[g][1] += tokens;
      takers[t][1] -= tokens;
      if (givers[g][1] === 0) g++;
      if (takers[t][1] === 0) t++;
    }
  }
  return moves.sort((a, b) => b.tokens - a.tokens);
}

/** Of each expert, by GPU. */
function gainsOf(
  { logicalExperts, physicalToLogical, gpuOf }: Placement,
  before: ArrayLike<number>,
  after: ArrayLike<number>,
): Map<number, number>[] {
  const gains = Array.from({ length: logicalExperts }, () => new Map<number, number>());
  for (const [slot, expert] of physicalToLogical.entries()) {
    if (expert === EMPTY) continue;
    const gpu = gpuOf[slot];
    gains[expert].set(gpu, (gains[expert].get(gpu) ?? 0) + after[slot] - before[slot]);
  }
  return gains;
}
