/** All of evenkeel's API as a user writes it who has no declarations of WebGPU. Never run: test/types.test.ts and tools/compat/types compile it. */
import {
  type AcquiredDevice,
  type Active,
  type Activity,
  type AdapterChoice,
  type AdapterReport,
  ArgumentError,
  type BackendName,
  type Balanced,
  type Balancer,
  type BalancerBuffers,
  type BalancerMetrics,
  type BalancerOptions,
  type BufferSlice,
  type Certificate,
  type Comparison,
  type Costed,
  type CostRow,
  type CostTableOptions,
  type Crew,
  type CurveCost,
  certify,
  createBalancer,
  createSolver,
  DeviceError,
  type EdgeLoads,
  type EdgeProblem,
  type EdgeSolution,
  EvenkeelError,
  type ExpertCost,
  type ExpertMaps,
  expertCostRows,
  expertPrice,
  type FittedCost,
  fitExpertCost,
  type GPUBufferBindingLike,
  type GPUBufferLike,
  type GPUCommandBufferLike,
  type GPUCommandEncoderLike,
  type GPUDeviceLike,
  type GPUQueueLike,
  type Graph,
  type Histogram,
  type ImbalanceInput,
  type ImbalanceOptions,
  type ImbalanceReport,
  type KernelChoice,
  KernelError,
  type KernelPlan,
  type LayerStatus,
  type LoadBalanceProblem,
  type LoadBalancerConfig,
  LoadError,
  type LoadHistory,
  type MeasuredImbalance,
  type ModelCost,
  measureImbalance,
  type NativeGPUDevice,
  type Numbers,
  type Objective,
  type OptimizedLayer,
  type OptimizedPlacements,
  type OptimizeOptions,
  optimizePlacement,
  Placement,
  PlacementError,
  type PlacementFields,
  type PlacementFiles,
  type PlacementFormat,
  type PlacementLike,
  type PlacementMaps,
  type PrometheusRegistry,
  placementMaps,
  placementsFromJSON,
  placementsToJSON,
  quotaToShares,
  type RankCounts,
  type RankLoads,
  type RebalanceOptions,
  type RedundantToOriginal,
  type ReplicaLoads,
  type ReplicaProblem,
  type ReplicaSolution,
  type Rows,
  rebalanceExperts,
  registerPrometheusMetrics,
  replicateHeaviest,
  requestDevice,
  ShapeError,
  type SharedGraph,
  type Solution,
  type SolveOptions,
  type Solver,
  type SolverBuffers,
  type SolverOptions,
  type Speed,
  type Status,
  type Survivors,
  sharesFromJSON,
  solveLoadBalanceLP,
  type TimeAnswer,
  type TimedSolution,
  type TimeProof,
  type TokenMode,
  type TopkIds,
  topologies,
  type UnchangedWeights,
} from "evenkeel";

const gpus = 4;
const speed: Speed = { speed: [1, 1, 2, 1] };
const weights: Numbers[] = [[9, 3, 2, 1], new Float64Array(4)];

export function placements(): Placement[] {
  const options: RebalanceOptions = { replicas: 8, gpus };
  const maps: ExpertMaps = rebalanceExperts(weights, options);
  const ring: RedundantToOriginal = topologies.ring(gpus);
  const planned: Placement[] = replicateHeaviest(weights, ring, { epSize: gpus });
  return [...planned, Placement.fromPhysicalToLogical(maps.physicalToLogical[0], { gpus })];
}

export function files(format: PlacementFormat, quota: Rows): Float32Array {
  const maps: PlacementMaps["vllm"] = placementMaps(placements(), "vllm");
  const file: PlacementFiles["sglang"] = placementsToJSON(placements(), "sglang");
  const config: LoadBalancerConfig = placementsToJSON(placements(), "trtllm");
  if (format === "trtllm") placementsFromJSON(config, { gpus: config.num_slots });
  const read: Placement[] = placementsFromJSON(format === "vllm" ? maps : file, { gpus });
  return sharesFromJSON({ ...file, log2phy_prob: quotaToShares(read, quota) }, { gpus });
}

export async function solve(placement: Placement, tokens: TokenMode, signal: AbortSignal): Promise<Certificate[]> {
  const loads: ReplicaLoads = { expertLoad: [60, 200, 20, 10], baseLoad: [new Int32Array(gpus)] };
  const active: Active = [true, 1, 0, false];
  const some: Activity = { active };
  const fields: PlacementFields = { gpus, physicalToLogical: [0, 1, 2, -1], logicalExperts: 4 };
  const left: Survivors = await solveLoadBalanceLP({ placement: fields, ...loads, ...some });
  console.log(left.lost, left.unserved);
  const like: PlacementLike = signal.aborted ? placement : fields;
  const replicas: ReplicaProblem = { placement: like, ...loads, ...speed, active };
  const graph: Graph = { gpus, edges: topologies.edges(topologies.ring(gpus)) };
  const moves: EdgeLoads = { load: [9, 0, 0, 1], capacity: new Float64Array(4).fill(5) };
  const edges: EdgeProblem = { ...graph, ...moves };
  const asRead: number[][] = JSON.parse("[[0, 1], [1, 0]]");
  const read: EdgeProblem = { gpus: 2, edges: asRead, load: [4, 0], capacity: [2, 2] };
  const problems: LoadBalanceProblem[] = [replicas, edges, read];

  const options: SolverOptions & SolveOptions = { backend: "auto", kernel: "lane", tokens, signal };
  const one: ReplicaSolution = await solveLoadBalanceLP(replicas, options);
  const other: EdgeSolution = await solveLoadBalanceLP(edges, options);
  const prices: Float64Array[] = [expertPrice(replicas, one), expertPrice(edges, other)];
  const certificates: Certificate[] = [...certify(replicas, one), ...certify(edges, other)];
  for (const problem of problems) {
    const solution: ReplicaSolution | EdgeSolution = await solveLoadBalanceLP(problem, options);
    const { status, backend, reason }: Solution = solution;
    const first: Status = status[0];
    const name: BackendName = backend;
    console.log(first, name, reason, "flow" in solution ? solution.flow : solution.quota);
    prices.push(expertPrice(problem, solution));
    certificates.push(...certify(problem, solution));
    const solver = await createSolver(problem, options);
    const again: ReplicaSolution | EdgeSolution = await solver.solve(problem, { tokens });
    certificates.push(...certify(problem, again));
    solver.destroy();
  }
  const onReplicas: Solver<ReplicaLoads, ReplicaSolution> = await createSolver(placement, options);
  const onEdges: Solver<EdgeLoads, EdgeSolution> = await createSolver({ ...graph, ...speed }, options);
  const { quota } = await onReplicas.solve(loads);
  const { flow } = await onEdges.solve(moves);
  const plan: KernelPlan = onReplicas.plan;
  const kernel: KernelChoice | "time" | "cpu" = plan.kernel;
  await onReplicas.ready;
  console.log(prices, quota, flow, kernel);
  return certificates;
}

export async function inTime(placement: Placement): Promise<TimeAnswer> {
  const roofline: ModelCost = { model: "roofline", perExpert: 6.3, perToken: 0.035, tile: 64 };
  const curve: CurveCost = { tokens: [1, 128, 1024], time: new Float64Array([6.3, 8.3, 36.6]) };
  const cost: ExpertCost = placement.gpus > 2 ? roofline : curve;
  const costed: Costed = { cost };
  const problem = { placement, expertLoad: [60, 200, 20, 10], cost };
  const solution: TimedSolution = await solveLoadBalanceLP(problem);
  const proof: TimeProof = solution.timeProof[0];
  const certificates: Certificate[] = certify(problem, solution);
  console.log(proof.rule, proof.unit, certificates[0].timeTrue, certificates[0].timeBoundValid);
  const solver: Solver<ReplicaLoads, TimedSolution> = await createSolver(placement, { ...costed, cost });
  const { time, maxTime, timeBound, timeGap, timeProof } = await solver.solve({ expertLoad: [60, 200, 20, 10] });
  return { time, maxTime, timeBound, timeGap, timeProof };
}

export async function acquire(adapter: AdapterChoice): Promise<NativeGPUDevice> {
  const acquired: AcquiredDevice = await requestDevice({ adapter });
  const report: AdapterReport = acquired.adapter;
  console.log(report.name, report.software, acquired.device.limits.maxBufferSize);
  return acquired.device;
}

/** Ids and loads that lie on the GPU, without any declaration of WebGPU. */
export async function encode(placement: Placement, device: GPUDeviceLike): Promise<Int32Array> {
  const { device: taken }: AcquiredDevice = await requestDevice({ device });
  const [STORAGE, COPY_DST, MAP_READ, READ] = [0x80, 8, 1, 1];
  const buffer = (size: number, usage: number): GPUBufferLike => device.createBuffer({ size, usage });
  const queue: GPUQueueLike = taken.queue;
  const expertLoad = buffer(16, STORAGE | COPY_DST);
  queue.writeBuffer(expertLoad, 0, Int32Array.of(60, 200, 20, 10));
  const slice: GPUBufferBindingLike = { buffer: buffer(1024, STORAGE), offset: 256, size: 64 };
  const quota: BufferSlice = slice;
  const solverBuffers: SolverBuffers = { batch: 1, expertLoad, quota, proof: buffer(1024, STORAGE) };
  const encoder: GPUCommandEncoderLike = device.createCommandEncoder({ label: "mine" });
  const solver = await createSolver(placement, { device });
  await solver.checkBuffers(solverBuffers, device.createCommandEncoder());
  solver.encode(encoder, solverBuffers);

  const work = { ...speed, baseLoad: [0, 1] };
  const options: BalancerOptions = { placement, topK: 2, maxTokens: 8, device, backend: "webgpu", ...work };
  const balancer: Balancer = await createBalancer(options);
  const rankCounts = { counts: buffer(16, STORAGE), before: buffer(16, STORAGE) };
  const ids = { topkIds: buffer(64, STORAGE), physicalIds: buffer(64, STORAGE) };
  const loads = { rankCounts, baseLoad: buffer(64, STORAGE) };
  const balancerBuffers: BalancerBuffers = { tokens: 8, ...ids, ...loads, quota: buffer(1024, COPY_DST) };
  await balancer.checkBuffers(balancerBuffers, device.createCommandEncoder());
  balancer.encode(encoder, balancerBuffers);
  const balancersOwn: NativeGPUDevice | undefined = balancer.device;

  const readback = buffer(64, COPY_DST | MAP_READ);
  encoder.copyBufferToBuffer(slice.buffer, 256, readback, 0, 64);
  const commands: GPUCommandBufferLike = encoder.finish();
  device.queue.submit([commands]);
  await readback.mapAsync(READ);
  const words = new Int32Array(readback.getMappedRange().slice(0));
  readback.unmap();
  for (const one of [expertLoad, readback]) one.destroy();
  console.log(balancersOwn?.limits, (await device.lost).reason);
  device.destroy();
  return words;
}

export async function balance(balancer: Balancer, registry: PrometheusRegistry): Promise<MeasuredImbalance> {
  const topkIds: TopkIds = new BigInt64Array(16);
  const rank: RankCounts = { counts: [8, 8, 0, 0], before: balancer.count(topkIds) };
  const besides: RankLoads = { ...rank, baseLoad: [[0, 0, 3, 0]] };
  await balancer.balance(topkIds, besides);
  await balancer.balance(topkIds, { baseLoad: new Int32Array(4) });
  const balanced: Balanced = await balancer.balance(topkIds, rank);
  await balancer.setActive([1, 1, 1, balanced.lost[0].length + balanced.unserved[0]]);
  const after: ImbalanceReport = balanced.after;
  const status: LayerStatus = balanced.status[0];
  const { problem, solution } = balanced.proof(0);
  const metrics: BalancerMetrics = balancer.metrics();
  const histogram: Histogram = metrics.imbalanceAfter;
  registerPrometheusMetrics(balancer, registry, { model: "mine" });
  const input: ImbalanceInput = { placement: problem.placement, counts: balanced.counts, shares: balanced.shares() };
  const options: ImbalanceOptions = { backend: balancer.backend };
  console.log(after.imbalance, status, certify(problem, solution), histogram.sum, balancer.reason);
  return measureImbalance(input, options);
}

export async function plan(objective: Objective): Promise<Placement[]> {
  const history: LoadHistory = { loads: new Float64Array(32), steps: 8, layers: 1, experts: 4 };
  const options: OptimizeOptions = { gpus, redundant: 4, objective, sharedTopology: true, budgetMs: 1000, ...speed };
  const unchangedWeights: UnchangedWeights = { placements: [], slots: 0 };
  const optimized: OptimizedPlacements = await optimizePlacement(history, { ...options, threads: 1 });
  const crew: Crew = optimized.crew;
  const layer: OptimizedLayer = optimized.layers[0];
  const recorded: Comparison = layer.recorded;
  const shared: SharedGraph | undefined = optimized.sharedTopology;
  console.log(recorded.after, shared?.roles, crew.threads, unchangedWeights.slots);
  return optimized.placements;
}

export function cost(csv: string, ep: number): ExpertCost[] {
  const options: CostTableOptions = { topK: 8, experts: 256, ep };
  const rows: CostRow[] = expertCostRows(csv, options);
  const { cost, hull, error }: FittedCost = fitExpertCost(rows);
  return error < 0.1 ? [cost, hull] : [];
}

export function remedy(error: unknown): string {
  if (error instanceof ShapeError || error instanceof LoadError || error instanceof PlacementError)
    return error.expected;
  if (error instanceof ArgumentError) return error.argument;
  if (error instanceof KernelError) return error.diagnostics.join("\n");
  if (error instanceof DeviceError || error instanceof EvenkeelError) return `${error.name}: ${error.message}`;
  throw error;
}
