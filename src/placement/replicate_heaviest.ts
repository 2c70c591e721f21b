import { ShapeError } from "../common/errors.ts";
import type { Numbers } from "../common/numbers.ts";
import { requireNoneMisspelt } from "../common/objects.ts";
import { Placement, requireCount } from "./placement.ts";
import { checkWeight } from "./rebalance.ts";
import type { RedundantToOriginal } from "./topologies.ts";

/**
 * LPLB's placement: copies the heaviest experts of each GPU along a replica graph.
 *
 * Expert e stays on GPU floor(e / (E / G)). Each GPU's slots hold its own experts first, the heaviest first and equal ones in order of their
 * index, then the redundant ones: slot d copies the d-th heaviest expert of GPU r2o[g][d]. LPLB itself first deals the experts to the
 * GPUs anew, by EPLB without redundancy; that is not done here.
 *
 * @param weight  L rows [E], one per layer: the expected load of each expert, finite and >= 0. Read, never written or kept.
 * @param r2o  [ranks per group][D], as in `Placement.fromRedundantToOriginal`; `topologies` has LPLB's.
 * @param shape.epSize  G.
 * @param shape.redundantsPerRank  slots per rank, D by default; with more, slot d uses column d mod D.
 * @returns a placement per layer, with the experts' own ids.
 * @throws {ShapeError} The rows differ in length, or a count does not divide another as it should.
 * @throws {LoadError} A weight is negative or not finite.  @throws {PlacementError} r2o is not a replica graph.
 * @see DeepSeek LPLB (deepseek-ai/LPLB, MIT, 2025), `Planner`.
 */
export function replicateHeaviest(
  weight: readonly Numbers[],
  r2o: RedundantToOriginal,
  shape: { epSize: number; redundantsPerRank?: number },
): Placement[] {
  requireNoneMisspelt("shape", shape, { epSize: true, redundantsPerRank: true });
  const experts = checkWeight(weight);
  const gpus = requireCount("epSize", shape?.epSize);
  if (experts % gpus !== 0) throw new ShapeError("weight[0]", `a multiple of epSize = ${gpus} experts`, experts);
  const inOrder = Placement.fromRedundantToOriginal(r2o, { ...shape, logicalExperts: experts });
  const perGpu = experts / gpus;
  return weight.map((row) => {
    const heaviestFirst: number[] = [];
    for (let first = 0; first < experts; first += perGpu) {
      const own = Array.from({ length: perGpu }, (_, i) => first + i);
      heaviestFirst.push(...own.sort((a, b) => row[b] - row[a])); // stable
    }
    const map = inOrder.physicalToLogical.map((e) => heaviestFirst[e]);
    return Placement.fromPhysicalToLogical(map, { gpus });
  });
}
