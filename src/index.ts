export { type Balancer, createBalancer } from "./balancer/balancer.ts";
export type { ImbalanceInput } from "./balancer/imbalance_input.ts";
export type { ImbalanceReport } from "./balancer/kernels/imbalance.ts";
export {
  type ImbalanceOptions,
  type MeasuredImbalance,
  measureImbalance,
} from "./balancer/measure_imbalance.ts";
export type { BalancerMetrics, Histogram } from "./balancer/metrics.ts";
export { type PrometheusRegistry, registerPrometheusMetrics } from "./balancer/prometheus.ts";
export { quotaToShares } from "./balancer/quota_to_shares.ts";
export type { TopkIds } from "./balancer/topk_ids.ts";
export type { TrafficReport, TrafficTotals } from "./balancer/traffic_report.ts";
export type {
  Balanced,
  BalancerBuffers,
  BalancerOptions,
  LayerStatus,
  RankCounts,
  RankLoads,
} from "./balancer/types.ts";
export {
  ArgumentError,
  DeviceError,
  EvenkeelError,
  KernelError,
  LoadError,
  PlacementError,
  ShapeError,
} from "./common/errors.ts";
export type { Numbers, Rows } from "./common/numbers.ts";
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
export { type Certificate, certify } from "./lp/certify.ts";
export type { KernelChoice, KernelPlan } from "./lp/kernels/choices.ts";
export type { Status } from "./lp/kernels/proof.ts";
export { expertPrice } from "./lp/prices.ts";
export type {
  EdgeLoads,
  EdgeProblem,
  ExpertLoads,
  Graph,
  LoadBalanceProblem,
  ReplicaLoads,
  ReplicaProblem,
  SourceLoads,
  Speed,
  TokenMode,
} from "./lp/problem.ts";
export type {
  BackendName,
  EdgeSolution,
  ReplicaSolution,
  Solution,
  SourcedSolution,
  Survivors,
  TimedSolution,
} from "./lp/solution.ts";
export { solveLoadBalanceLP } from "./lp/solve.ts";
export { createSolver, type Solver, type SolverBuffers } from "./lp/solver.ts";
export type { SolveOptions, SolverOptions } from "./lp/solver_options.ts";
export type { Costed, CurveCost, ExpertCost, ModelCost } from "./lp/time/expert_cost.ts";
export { type CostTableOptions, expertCostRows } from "./lp/time/expert_cost_rows.ts";
export { type CostRow, type FittedCost, fitExpertCost } from "./lp/time/fit_expert_cost.ts";
export type { TimeAnswer, TimeProof } from "./lp/time/judge_time.ts";
export type { TrafficAnswer } from "./lp/traffic/traffic_answer.ts";
export type { Active, Activity } from "./placement/active.ts";
export type { PlacementFiles, PlacementFormat, PlacementMaps } from "./placement/conventions.ts";
export type { Distanced } from "./placement/distance.ts";
export { Placement, type PlacementFields, type PlacementLike } from "./placement/placement.ts";
export { placementsFromJSON, sharesFromJSON } from "./placement/placements_from_json.ts";
export { placementMaps, placementsToJSON } from "./placement/placements_to_json.ts";
export { type ExpertMaps, type RebalanceOptions, rebalanceExperts } from "./placement/rebalance.ts";
export { replicateHeaviest } from "./placement/replicate_heaviest.ts";
export { type RedundantToOriginal, topologies } from "./placement/topologies.ts";
export type { LoadBalancerConfig } from "./placement/trtllm.ts";
export type { LoadHistory } from "./planner/history.ts";
export type { UnchangedWeights } from "./planner/in_force.ts";
export type { Comparison } from "./planner/layer.ts";
export type { Objective } from "./planner/objective.ts";
export {
  type OptimizeOptions,
  optimizePlacement,
} from "./planner/optimize.ts";
export type { Crew, OptimizedLayer, OptimizedPlacements } from "./planner/optimized.ts";
export type { SharedGraph } from "./planner/shared_graph.ts";
