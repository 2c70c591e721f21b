/**
 * One fill of BF-IO: which waiting requests go to which workers, so that the loads foreseen are as even as can be.
 *
 *   J = sum_{h=0..H} w_h (beta max_g L_g(h) - sum_g L_g(h)),   w_h = gamma^h
 *
 * Arrays are made once for the most that can wait and used again in every fill.
 */
export interface Fill {
  /** G. */
  readonly workers: number;
  /** H + 1. */
  readonly ahead: number;
  /** [H + 1] w_h. */
  readonly weight: Float64Array;
  /** sum_h w_h. */
  readonly totalWeight: number;
  readonly beta: number;
  /** Tokens by which a request grows in a step: 1, or 0 where loads stand still. */
  readonly growth: number;
  /** [G, H + 1] L_g(h): the active requests, and what has been assigned. */
  readonly load: Float64Array;
  /** [G] requests that a worker can still take. */
  readonly room: Int32Array;
  /** [G] tokens that it can still take: a request needs its prompt and one more. */
  readonly freeKv: Float64Array;
  /** |W|. */
  waiting: number;
  /** [|W|] s_i, ascending; the earlier one first where equal. */
  readonly prompt: Float64Array;
  /** [|W|] the order in which they came. */
  readonly arrival: Float64Array;
  /** [|W|] the worker of each, -1 while it waits. */
  readonly worker: Int32Array;
}

export interface FillShape {
  workers: number;
  horizon: number;
  gamma: number;
  beta: number;
  growth: boolean;
  /** The most that can wait. */
  window: number;
}

export function newFill({ workers, horizon, gamma, beta, growth, window }: FillShape): Fill {
  const ahead = horizon + 1;
  const weight = Float64Array.from({ length: ahead }, (_, h) => gamma ** h);
  return {
    workers,
    ahead,
    weight,
    totalWeight: weight.reduce((sum, w) => sum + w, 0),
    beta,
    growth: growth ? 1 : 0,
    load: new Float64Array(workers * ahead),
    room: new Int32Array(workers),
    freeKv: new Float64Array(workers),
    waiting: 0,
    prompt: new Float64Array(window),
    arrival: new Float64Array(window),
    worker: new Int32Array(window),
  };
}

/** J of the loads as they are. */
export function objective({ workers, ahead, weight, beta, load }: Fill): number {
  let total = 0;
  for (let h = 0; h < ahead; h++) {
    let most = 0;
    let sum = 0;
    for (let i = h; i < workers * ahead; i += ahead) {
      most = Math.max(most, load[i]);
      sum += load[i];
    }
    total += weight[h] * (beta * most - sum);
  }
  return total;
}

/** Adds requests with so many prompt tokens in all to worker g's loads; they grow with every step. Negative ones leave. */
export function addLoad({ ahead, growth, load }: Fill, g: number, prompt: number, requests: number): void {
  const perStep = requests * growth;
  for (let h = 0, i = g * ahead; h < ahead; h++, i++) load[i] += prompt + perStep * h;
}
