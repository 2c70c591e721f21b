import { expertPrice } from "../../lp/prices.ts";
import type { TokenMode } from "../../lp/problem.ts";
import type { ReplicaSolution } from "../../lp/solution.ts";
import { createSolver } from "../../lp/solver.ts";
import { livingSlots } from "../../placement/living_slots.ts";
import { Placement } from "../../placement/placement.ts";
import { pause } from "../interruption.ts";
import type { Layer } from "./layer_solvers.ts";
import { livingGpus } from "./split_imbalance.ts";
import { evenly } from "./step_split.ts";

/** One more replica, and what the mean imbalance would lose by it. */
export interface ReplicaProposal {
  expert: number;
  gpu: number;
  saved: number;
}

/** Batches that proposals are tried on, evenly spaced. */
const TRIED_BATCHES = 64;
/** Proposals that are tried. Prices order them well: more change little. */
const TRIALS = 24;

/**
 * The single replica that lowers a layer's LP-optimal imbalance most: proposed by prices, tried with the LP.
 *
 * A replica of expert e on GPU h saves at most w_e max(0, price of e - price of h) in a batch (see `expertPrice`), rounded up where tokens are
 * whole: with few tokens that is much more. Candidates are tried in descending order of the first, but for those whose bound is not above
 * what the best one really saves, until TRIALS were tried; `saved` is of all batches.
 */
export async function bestReplica(
  layer: Layer,
  solution: ReplicaSolution,
  tokens: TokenMode,
  signal: AbortSignal,
): Promise<ReplicaProposal | undefined> {
  const { placement, expertLoad, active } = layer;
  const { gpus, logicalExperts: experts } = placement;
  const living = livingGpus(gpus, active);
  const price = expertPrice(layer, solution);
  const means = meanLoads(layer, solution.batch);
  const batches = evenly(0, solution.batch, TRIED_BATCHES);

  const candidates: (ReplicaProposal & { atMost: number })[] = [];
  for (let expert = 0; expert < experts; expert++) {
    for (const gpu of living) {
      let [saved, atMost] = [0, 0];
      for (const lp of batches) {
        const gain = price[lp * experts + expert] - solution.price[lp * gpus + gpu];
        const bound = Math.max(0, expertLoad[lp * experts + expert] * gain);
        saved += bound / means[lp] / batches.length;
        atMost += (tokens === "integer" ? Math.ceil(bound) : bound) / means[lp] / batches.length;
      }
      if (saved > 0) candidates.push({ expert, gpu, saved, atMost });
    }
  }
  candidates.sort((a, b) => b.saved - a.saved);

  /** What the mean imbalance of some batches loses by a replica. */
  async function tried({ expert, gpu }: ReplicaProposal, lps: readonly number[]): Promise<ReplicaProposal> {
    await pause(signal);
    const solver = await createSolver(withReplica(placement, expert, gpu), { active });
    const rows = Float64Array.from(lps.flatMap((lp) => rowOf(layer, lp)));
    const { maxLoad } = await solver.solve({ expertLoad: rows }, { tokens, signal });
    solver.destroy();
    const saved = lps.reduce((sum, lp, i) => sum + (solution.maxLoad[lp] - maxLoad[i]) / means[lp], 0);
    return { expert, gpu, saved: saved / lps.length };
  }

  let best: ReplicaProposal | undefined;
  let trials = 0;
  for (const candidate of candidates) {
    if (best && candidate.atMost <= best.saved) continue;
    if (trials++ === TRIALS) break;
    const proposal = await tried(candidate, batches);
    if (proposal.saved > (best?.saved ?? 0)) best = proposal;
  }
  return best && tried(best, [...means.keys()]);
}

/** [B] mean load of the living GPUs; 1 where nothing is served, and no replica helps. */
function meanLoads(layer: Layer, batch: number): number[] {
  const { replicaCount } = livingSlots(layer.placement, layer.active);
  const gpus = livingGpus(layer.placement.gpus, layer.active).length;
  return Array.from({ length: batch }, (_, lp) => {
    const served = rowOf(layer, lp).reduce((sum, tokens, e) => (replicaCount[e] > 0 ? sum + tokens : sum), 0);
    return served / gpus || 1;
  });
}

function rowOf({ placement: { logicalExperts }, expertLoad }: Layer, lp: number): number[] {
  return Array.from({ length: logicalExperts }, (_, e) => expertLoad[lp * logicalExperts + e]);
}

function withReplica(
  { gpus, logicalExperts, physicalToLogical, gpuOf }: Placement,
  expert: number,
  gpu: number,
): Placement {
  const map: number[] = [];
  const slotsPerGpu: number[] = [];
  for (let g = 0; g < gpus; g++) {
    const held = [...physicalToLogical].filter((_, slot) => gpuOf[slot] === g);
    if (g === gpu) held.push(expert);
    map.push(...held);
    slotsPerGpu.push(held.length);
  }
  return Placement.fromPhysicalToLogical(map, { gpus, slotsPerGpu, logicalExperts });
}
