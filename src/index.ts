export type { Active, Activity } from "./active.ts";
export { type Balancer, createBalancer } from "./balancer/balancer.ts";
export type { BalancerMetrics, Histogram } from "./balancer/metrics.ts";
export { type PrometheusRegistry, registerPrometheusMetrics } from "./balancer/prometheus.ts";
export type {
  Balanced,
  BalancerBuffers,
  BalancerOptions,
  LayerStatus,
  RankCounts,
} from "./balancer/types.ts";
export { type Certificate, certify } from "./certify.ts";
export {
  ArgumentError,
  DeviceError,
  EvenkeelError,
  KernelError,
  LoadError,
  PlacementError,
  ShapeError,
} from "./errors.ts";
export { type AcquiredDevice, type AdapterChoice, type AdapterReport, requestDevice } from "./gpu/device.ts";
export type {
  BufferSlice,
  GPUBufferBindingLike,
  GPUBufferLike,
  GPUCommandBufferLike,
  GPUCommandEncoderLike,
  GPUDeviceLike,
  GPUQueueLike,
  NativeGPUDevice,
} from "./gpu/types.ts";
export type { ImbalanceReport } from "./kernels/imbalance.ts";
export type { Status } from "./kernels/solve.ts";
export {
  type ImbalanceInput,
  type ImbalanceOptions,
  type MeasuredImbalance,
  measureImbalance,
} from "./measure_imbalance.ts";
export type { Numbers, Rows } from "./numbers.ts";
export {
  type PlacementFiles,
  type PlacementFormat,
  type PlacementMaps,
  placementMaps,
  placementsFromJSON,
  placementsToJSON,
  sharesFromJSON,
} from "./placement/conventions.ts";
export { quotaToShares } from "./placement/dispatch_shares.ts";
export type { LoadHistory } from "./placement/history.ts";
export type { Comparison } from "./placement/layer.ts";
export type { Objective } from "./placement/objective.ts";
export {
  type OptimizedLayer,
  type OptimizedPlacements,
  type OptimizeOptions,
  optimizePlacement,
} from "./placement/optimize.ts";
export { Placement, type PlacementFields, type PlacementLike } from "./placement/placement.ts";
export { type ExpertMaps, type RebalanceOptions, rebalanceExperts } from "./placement/rebalance.ts";
export { replicateHeaviest } from "./placement/replicate_heaviest.ts";
export type { SharedGraph } from "./placement/shared_graph.ts";
export { type RedundantToOriginal, topologies } from "./placement/topologies.ts";
export type { LoadBalancerConfig } from "./placement/trtllm.ts";
export { expertPrice } from "./prices.ts";
export type {
  EdgeLoads,
  EdgeProblem,
  Graph,
  LoadBalanceProblem,
  ReplicaLoads,
  ReplicaProblem,
  Speed,
  TokenMode,
} from "./problem.ts";
export type { BackendName, EdgeSolution, ReplicaSolution, Solution, Survivors } from "./solution.ts";
export { solveLoadBalanceLP } from "./solve.ts";
export { createSolver, type Solver, type SolverBuffers } from "./solver.ts";
export type { SolveOptions, SolverOptions } from "./solver_options.ts";
export type { KernelChoice, KernelPlan } from "./specialised/plan.ts";
export type { TopkIds } from "./topk_ids.ts";
