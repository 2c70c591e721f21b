/** Who asks which question. */
import { balancerStages } from "./balancer_stages.ts";
import { coldStart } from "./cold_start.ts";
import { cudaQuestion } from "./cuda.ts";
import { depthOfSolves } from "./depth.ts";
import type { Bench } from "./harness.ts";
import { levelling } from "./level.ts";
import { placementScale } from "./placement_scale.ts";
import type { QuestionName } from "./questions.ts";
import { scalingBatch } from "./scaling_batch.ts";
import { scalingGpus } from "./scaling_gpus.ts";
import { simdQuestion } from "./simd.ts";
import { solveBatch } from "./solve_batch.ts";
import { solveLatency } from "./solve_latency.ts";
import { solveStages } from "./solve_stages.ts";
import { times } from "./times.ts";
import { tokensModes } from "./tokens_modes.ts";

/** Adds rows and notes to the bench.  @throws {Error} An answer is wrong, or the device was lost. */
export const ask: Readonly<Record<QuestionName, (bench: Bench) => Promise<void>>> = {
  "cold-start": coldStart,
  "solve-latency": solveLatency,
  "solve-stages": solveStages,
  "solve-batch": solveBatch,
  simd: simdQuestion,
  cuda: cudaQuestion,
  depth: depthOfSolves,
  "tokens-modes": tokensModes,
  level: levelling,
  time: times,
  "scaling-batch": scalingBatch,
  "scaling-gpus": scalingGpus,
  "balancer-stages": balancerStages,
  "placement-scale": placementScale,
};
