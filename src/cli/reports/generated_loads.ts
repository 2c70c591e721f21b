import { seeded } from "../../common/random.ts";
import type { LoadHistory } from "../files/load_file.ts";

const TOP_K = 4;
const TOKENS = 704;
/** Standard deviation of the log-popularity over the experts of a layer. */
const SPREAD = 0.525;
/** Correlation of the log-popularity from one step to the next; most of what changes between steps is which tokens came. */
const PERSISTENCE = 0.9995;

/**
 * Loads like those of a real model's decode steps: every layer has its popular experts, and they change slowly.
 *
 *   popularity_e = exp(SPREAD z_e),   z_e <- PERSISTENCE z_e + sqrt(1 - PERSISTENCE^2) N(0, 1) from step to step
 *   load_e = Poisson(TOKENS TOP_K popularity_e / sum popularity), in the normal approximation
 *
 * Calibrated to 511 decode steps of gpt-oss-20b (24 layers, 32 experts, top 4, 1,168 to 2,812 assignments a step); in brackets, what comes
 * out here for 32 experts. Load of the hottest expert over the mean, of all steps and layers: median 2.57 (2.55), 95th percentile 3.86
 * (3.88). Correlation over the experts between the loads of one step and the next, on average: 0.96 (0.96). Not modelled: that the experts
 * of one token differ, that some layers are more skewed than others by nature, and that batches grow and shrink.
 *
 * @param seed  An integer; the same seed gives the same loads.
 */
export function generateLoads(shape: { steps: number; layers: number; experts: number }, seed: number): LoadHistory {
  const { steps, layers, experts } = shape;
  const { normal } = seeded(seed);
  const innovation = Math.sqrt(1 - PERSISTENCE ** 2);
  const loads = new Int32Array(steps * layers * experts);
  const popularity = new Float64Array(experts);
  const z = Float64Array.from({ length: layers * experts }, normal);
  for (let step = 0; step < steps; step++) {
    for (let layer = 0; layer < layers; layer++) {
      for (let e = 0; e < experts; e++) popularity[e] = Math.exp(SPREAD * z[layer * experts + e]);
      const tokensPerPopularity = (TOKENS * TOP_K) / popularity.reduce((a, b) => a + b);
      for (let e = 0; e < experts; e++) {
        const mean = tokensPerPopularity * popularity[e];
        const drawn = Math.round(mean + Math.sqrt(mean) * normal());
        loads[(step * layers + layer) * experts + e] = Math.max(0, drawn);
      }
    }
    for (let i = 0; i < z.length; i++) z[i] = PERSISTENCE * z[i] + innovation * normal();
  }
  return { source: `generated, seed ${seed}`, steps, layers, experts, loads };
}
