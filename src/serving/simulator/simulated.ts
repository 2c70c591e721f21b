/** Of a figure that each request has, or each token. NaN where none has. */
export interface Spread {
  mean: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
  /** Half the width of the mean's 95 % confidence interval, by means of 30 batches of consecutive requests; NaN below 60 requests, and for `itl`. */
  halfWidth: number;
}

/**
 * What became of a policy. Times are seconds, or rounds. Latencies are of requests that arrived from the warm-up's end on; averages over
 * time are of the span from there to the last start, after which the simulation only drains.
 */
export interface Summary {
  /** That arrived from the warm-up's end on. */
  requests: number;
  /** Of those. */
  completed: number;
  /** Of those: larger than the memory. */
  rejected: number;
  /** The span of the averages over time. */
  from: number;
  to: number;
  /** From 0 to the last finish. */
  makespan: number;
  /** Steps of all workers, or of all together behind a barrier, from 0 to the last finish. */
  steps: number;
  /** From arrival to the first start. */
  wait: Spread;
  /** From arrival to the first token. */
  ttft: Spread;
  /** (finish - first token) / (output - 1), of requests with two tokens or more. */
  tpot: Spread;
  /** Between two tokens of a request, over all that were made from the warm-up's end on; percentiles within 1 %. Without the gap of an eviction. */
  itl: Spread;
  /** From arrival to finish. */
  latency: Spread;
  /** Finished requests per s (or round) of the span. */
  requestThroughput: number;
  /** Generated tokens per s (or round) of the span. */
  tokenThroughput: number;
  /** Finished requests that met the SLO per s (or round) of the span; undefined without an SLO. */
  goodput?: number;
  /** Requests that wait, at the router or at workers: mean over the span. */
  queue: number;
  /** Share of the slots that run: mean over the steps (barrier) or the span. */
  slotUse: number;
  /** Share of the KV memory that is held: mean over the steps (barrier) or the span. */
  kvUse: number;
  /** Barrier: mean over steps of mean_g(1 - L_g / L_max), after a step and before the next requests begin. Else: share of the span in which a worker does no step. */
  idle: number;
  /** sum_g (L_max - L_g), KV tokens: mean over the steps (barrier) or over the time of the span. */
  imbalance: number;
  /** Barrier: s that the span's steps took; with rounds, in which loads take no time, the sum over steps of the largest load at their start, KV tokens. */
  stepTime?: number;
  /** Barrier: what these steps take at least, wherever what is done in each of them is done: base + max(all that requests add / G, the largest that one adds). */
  barrierBound?: number;
  /** Barrier: what they would take with even loads, base + all that requests add / G, whether or not requests can be put so. */
  stepEven?: number;
  /** Barrier: (stepTime - barrierBound) / stepTime, the share of the steps' time that other routing of the same starts could save at most. */
  routable?: number;
  /** s per step of the span that its MoE layers took; undefined without experts. */
  expertTime?: number;
  /** In the span. */
  evictions: number;
  /** Tokens that were generated and lost by evictions, in the span. */
  wastedTokens: number;
  /** J over the span: 100 W and up to 300 W more a worker, by (1 - idle)^0.7; a round counts as a second. */
  energy: number;
  /** Share of prompt tokens of the span's starts that were found in prefix caches; undefined without prefix blocks. */
  prefixHit?: number;
  /** Share of image tokens of the span's prefills that were found in caches of embeddings; undefined without such caches. */
  embeddingHit?: number;
  /** Jain's index over the classes' mean latency per output token: 1 where all are served alike; undefined without classes. */
  fairness?: number;
}

/** T samples at equal distances in time, at most 2,048: they become rarer as a simulation grows longer. */
export interface Series {
  /** [T] */
  time: Float64Array;
  /** [T] requests that wait, at the router or at workers: the mean from this time to the next. */
  queue: Float64Array;
  /** [T, G] KV tokens held. */
  load: Float64Array;
  /** [T, G] running requests. */
  running: Int32Array;
}

/** [n] each, by the index in the trace; -1 where a request was rejected (its arrival apart). */
export interface Simulated {
  /** As in the trace; with a closed pool, when it came into the pool. */
  arrival: Float64Array;
  /** When it first began. */
  start: Float64Array;
  /** When its first token was made. */
  firstToken: Float64Array;
  finish: Float64Array;
  /** With a prefill pool, of a request that was done when it had been prefilled: the number of workers, and the prefill worker's own. */
  worker: Int32Array;
  /** How often it lost its KV and began again. */
  evictions: Int32Array;
  summary: Summary;
  series: Series;
}
