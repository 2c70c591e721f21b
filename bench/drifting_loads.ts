/** Seeded loads of a model whose experts' popularity fluctuates and drifts from step to step. */
import { type Random, seeded } from "../src/common/random.ts";

export interface Drift {
  steps: number;
  layers: number;
  experts: number;
  /** A layer's tokens in one step. */
  assignments: number;
  /** Log-sd of an expert's share in time. */
  fluctuation: number;
  /** Popularity 1 / rank^zipf, in random order; by default lognormal. */
  zipf?: number;
  /** Each load drawn as Poisson of its mean, rather than rounded. */
  sampled?: boolean;
}

/** Log-sd of the popularity of a layer's experts. */
const SPREAD = 0.8;
/** Correlation of a fluctuation from one step to the next. */
const PERSISTENCE = 0.97;
/** Above this mean Poisson is drawn in the normal approximation. */
const MANY = 50;

/**
 *   load_e(t) = assignments share_e(t),   share_e(t) ~ popularity_e exp(fluctuation a_e(t))
 *   a_e(t) = PERSISTENCE a_e(t - 1) + sqrt(1 - PERSISTENCE^2) N(0, 1), of unit variance
 *
 * @returns [steps, layers, E] whole tokens; the same seed gives the same.
 */
export function driftingLoads(drift: Drift, seed: number): Int32Array {
  const { steps, layers, experts, assignments, fluctuation, sampled } = drift;
  const random = seeded(seed);
  const base = Array.from({ length: layers }, () => popularity(drift, random));
  const a = base.map(() => Float64Array.from({ length: experts }, random.normal));
  const innovation = Math.sqrt(1 - PERSISTENCE ** 2);
  const loads = new Int32Array(steps * layers * experts);
  for (let t = 0; t < steps; t++) {
    for (const [layer, own] of base.entries()) {
      const at = a[layer];
      for (let e = 0; e < experts; e++) at[e] = PERSISTENCE * at[e] + innovation * random.normal();
      const weight = own.map((share, e) => share * Math.exp(fluctuation * at[e]));
      const unit = assignments / weight.reduce((sum, w) => sum + w);
      const tokens = weight.map((w) => (sampled ? poisson(w * unit, random) : Math.round(w * unit)));
      loads.set(tokens, (t * layers + layer) * experts);
    }
  }
  return loads;
}

function popularity({ experts, zipf }: Drift, random: Random): Float64Array {
  if (zipf === undefined) return Float64Array.from({ length: experts }, () => Math.exp(SPREAD * random.normal()));
  return Float64Array.from(random.shuffle([...Array(experts).keys()]), (rank) => (rank + 1) ** -zipf);
}

function poisson(mean: number, random: Random): number {
  if (mean > MANY) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()));
  let drawn = 0;
  for (let p = random.next(); p > Math.exp(-mean); p *= random.next()) drawn++; // D. Knuth, TAOCP 2, 3.4.1
  return drawn;
}
