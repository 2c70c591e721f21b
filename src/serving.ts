export { ArgumentError, DeviceError, EvenkeelError, ShapeError } from "./common/errors.ts";
export type { Numbers, Rows } from "./common/numbers.ts";
export type { CurveCost, ExpertCost, ModelCost } from "./lp/time/expert_cost.ts";
export { Placement, type PlacementFields, type PlacementLike } from "./placement/placement.ts";
export type { LoadHistory } from "./planner/history.ts";
export { type AdmissionBound, admissionBound } from "./serving/admission/admission_bound.ts";
export { type AdmissionLimits, admissionUse } from "./serving/admission/admission_use.ts";
export { type BidPriceOptions, type BidPrices, bidPrices } from "./serving/admission/bid_prices.ts";
export type { Scale } from "./serving/admission/gradient_prices.ts";
export type { BoundOptions, BoundPrices } from "./serving/bound/bound_options.ts";
export { type CertifiedBound, certifyBound } from "./serving/bound/certify_bound.ts";
export { type ImprovedSchedule, type ImproveOptions, improveSchedule } from "./serving/bound/improve_schedule.ts";
export { type LatencyBound, type LatencyBoundOptions, latencyBound } from "./serving/bound/latency_bound.ts";
export { type LatencyOptimum, latencyOptimum, type OptimumOptions } from "./serving/bound/latency_optimum.ts";
export type { Schedule } from "./serving/bound/round_requests.ts";
export { type CacheBound, type CacheBoundOptions, cacheBound } from "./serving/caching/bound/cache_bound.ts";
export {
  type CertifiedCacheBound,
  type CertifyCacheBoundOptions,
  certifyCacheBound,
} from "./serving/caching/bound/certify_cache_bound.ts";
export type { CacheDecisions, CacheDecisionsOptions, CachePolicy, Key, Model } from "./serving/caching/cache_policy.ts";
export type { SimulatedCache } from "./serving/caching/cache_run.ts";
export type { CacheTrace } from "./serving/caching/cache_trace.ts";
export { caching } from "./serving/caching/caching.ts";
export { type CacheOptions, createCache, type PolicyCache, type SetOptions } from "./serving/caching/create_cache.ts";
export type { EncoderTime } from "./serving/caching/encoder_time.ts";
export type { Confidence, LecOptions } from "./serving/caching/lec.ts";
export { type SimulateCacheOptions, simulateCache } from "./serving/caching/simulate_cache.ts";
export { type EmbeddingCacheTraceOptions, embeddingCacheTrace } from "./serving/caching/trace/embedding_cache_trace.ts";
export { type PrefixCacheTraceOptions, prefixCacheTrace } from "./serving/caching/trace/prefix_cache_trace.ts";
export { type ReadCacheTraceOptions, readCacheTrace } from "./serving/caching/trace/read_cache_trace.ts";
export {
  type Capacity,
  type CapacityOptions,
  capacity,
  type WorkersNeeded,
  type Workload,
} from "./serving/capacity/capacity.ts";
export { prefillDecodeSplit, type Split, type SplitOptions } from "./serving/capacity/prefill_decode_split.ts";
export { type Stability, type StabilityOptions, stability } from "./serving/capacity/stability.ts";
export { chunkedTokenSteps } from "./serving/capacity/token_steps.ts";
export { type WaitingOptions, type WaitingTime, waitingTime } from "./serving/capacity/waiting_time.ts";
export type { ExpertParallelism } from "./serving/experts/expert_parallelism.ts";
export type { Balance } from "./serving/experts/layer_time.ts";
export { type FitOptions, type FittedStepTime, fitStepTime, type StepRow } from "./serving/fit_step_time.ts";
export {
  type FluidClass,
  type FluidEquilibrium,
  type FluidOptions,
  fluidEquilibrium,
  type NestedClass,
  type NestedFluidOptions,
  nestedWaitThresholds,
  type Thresholds,
  waitThresholds,
} from "./serving/fluid.ts";
export {
  PolicyError,
  type Queue,
  type RequestView,
  type Router,
  type RouterOptions,
  type RoutingPolicy,
  type Rule,
  type Scheduler,
  type SchedulerOptions,
  type SchedulingPolicy,
  type WorkerView,
} from "./serving/policy.ts";
export type { NoOptions } from "./serving/policy_options.ts";
export type { BfioOptions } from "./serving/routing/bfio.ts";
export type { CacheAwareOptions } from "./serving/routing/cache_aware.ts";
export type { LmetricOptions } from "./serving/routing/lmetric.ts";
export { routing } from "./serving/routing/routing.ts";
export type { AdmissionOptions } from "./serving/scheduling/baseline.ts";
export type { McsfOptions } from "./serving/scheduling/mcsf.ts";
export type { NestedWaitOptions } from "./serving/scheduling/nested_wait.ts";
export type { PricesOptions } from "./serving/scheduling/prices.ts";
export { scheduling } from "./serving/scheduling/scheduling.ts";
export type { TrailOptions } from "./serving/scheduling/trail.ts";
export type { WaitOptions } from "./serving/scheduling/wait.ts";
export type { EmbeddingOptions } from "./serving/simulator/embedding_options.ts";
export { meanOverSeeds } from "./serving/simulator/mean_over_seeds.ts";
export type { PrefillPool, SimulateOptions, Slo, WorkerSpec } from "./serving/simulator/options.ts";
export type { Prediction } from "./serving/simulator/prediction.ts";
export { simulate } from "./serving/simulator/simulate.ts";
export type { Series, Simulated, Spread, Summary } from "./serving/simulator/simulated.ts";
export type { StepTime } from "./serving/step_time.ts";
export { type BreakingRate, type BreakingRateOptions, breakingRates } from "./serving/sweep/breaking_rates.ts";
export { meanOfSeeds, type ParetoAxis, paretoFront, type SweptMean } from "./serving/sweep/pareto.ts";
export type { ScenarioLabel } from "./serving/sweep/scenarios.ts";
export { type SweepOptions, type Swept, sweep } from "./serving/sweep/sweep.ts";
export type { SweepGrid, SweptRouting, SweptScheduling } from "./serving/sweep/sweep_grid.ts";
export type { SweptScenario, SweptSpread } from "./serving/sweep/swept.ts";
export { type GenerateOptions, generateTrace, type Lengths } from "./serving/trace/generate_trace.ts";
export { type ReadTraceOptions, readTrace } from "./serving/trace/read_trace.ts";
export type { ImageCatalogue } from "./serving/trace/recurring_images.ts";
export type { Distribution, Servegen, TraceRow } from "./serving/trace/servegen_clients.ts";
export type { PrefixBlocks, PromptImages, Trace } from "./serving/trace/trace.ts";
export { writeTrace } from "./serving/trace/write_trace.ts";
