/** All of evenkeel/serving as a user writes it. Never run: test/types.test.ts and tools/compat/types compile it. */
import {
  type AdmissionBound,
  type AdmissionLimits,
  type AdmissionOptions,
  ArgumentError,
  admissionBound,
  admissionUse,
  type Balance,
  type BfioOptions,
  type BidPriceOptions,
  type BidPrices,
  type BoundOptions,
  type BoundPrices,
  bidPrices,
  type CacheAwareOptions,
  type Capacity,
  type CapacityOptions,
  type CertifiedBound,
  type CurveCost,
  capacity,
  certifyBound,
  chunkedTokenSteps,
  DeviceError,
  type Distribution,
  EvenkeelError,
  type ExpertCost,
  type ExpertParallelism,
  type FitOptions,
  type FittedStepTime,
  type FluidClass,
  type FluidEquilibrium,
  type FluidOptions,
  fitStepTime,
  fluidEquilibrium,
  type GenerateOptions,
  generateTrace,
  type ImprovedSchedule,
  type ImproveOptions,
  improveSchedule,
  type LatencyBound,
  type LatencyBoundOptions,
  type LatencyOptimum,
  type Lengths,
  type LmetricOptions,
  type LoadHistory,
  latencyBound,
  latencyOptimum,
  type McsfOptions,
  type ModelCost,
  meanOverSeeds,
  type NestedClass,
  type NestedFluidOptions,
  type NestedWaitOptions,
  type NoOptions,
  type Numbers,
  nestedWaitThresholds,
  type OptimumOptions,
  Placement,
  type PlacementFields,
  type PlacementLike,
  PolicyError,
  type Prediction,
  type PrefillPool,
  type PrefixBlocks,
  type PricesOptions,
  prefillDecodeSplit,
  type Queue,
  type ReadTraceOptions,
  type RequestView,
  type Router,
  type RouterOptions,
  type RoutingPolicy,
  type Rows,
  type Rule,
  readTrace,
  routing,
  type Scale,
  type Schedule,
  type Scheduler,
  type SchedulerOptions,
  type SchedulingPolicy,
  type Series,
  type Servegen,
  ShapeError,
  type Simulated,
  type SimulateOptions,
  type Slo,
  type Split,
  type SplitOptions,
  type Spread,
  type Stability,
  type StabilityOptions,
  type StepRow,
  type StepTime,
  type Summary,
  scheduling,
  simulate,
  stability,
  type Thresholds,
  type Trace,
  type TraceRow,
  type TrailOptions,
  type WaitingOptions,
  type WaitingTime,
  type WaitOptions,
  type WorkerSpec,
  type WorkersNeeded,
  type WorkerView,
  type Workload,
  waitingTime,
  waitThresholds,
  writeTrace,
} from "evenkeel/serving";

export async function traces(file: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Trace> {
  const options: ReadTraceOptions = { format: "mooncake", signal };
  const read = await readTrace(file, options);
  const blocks: PrefixBlocks | undefined = read.blocks;
  const lengths: Lengths = { input: read.input, output: [...read.output] };
  const row: TraceRow = [0, 1, 1, "Gamma", 1, 1];
  const distribution: Distribution = { 5: 1 };
  const servegen: Servegen = {
    windowSeconds: 600,
    clients: { a: { trace: [row], dataset: { 0: { input_tokens: distribution, output_tokens: distribution } } } },
  };
  const options2: GenerateOptions = { requests: blocks?.tokens ?? 10, seed: 1, rate: 2, lengths: { servegen } };
  generateTrace(options2);
  return generateTrace({ requests: 10, seed: 1, rate: 2, arrivals: { cv: 2 }, lengths });
}

export function step(rows: StepRow[]): StepTime {
  const options: FitOptions = { heldOut: 0.1 };
  const { stepTime, heldOutError }: FittedStepTime = fitStepTime(rows, options);
  if (heldOutError > 0.2) throw new Error("no model of these steps");
  return stepTime;
}

/** Keeps what it is told of. */
class InOrder implements Router, Scheduler {
  private readonly ids: number[] = [];
  arrived({ id }: RequestView): void {
    this.ids.push(id);
  }
  assign(workers: readonly WorkerView[], _now: number, out: Int32Array): number {
    if (workers.length === 0 || this.ids.length === 0) return 0;
    out.set([this.ids.shift() ?? 0, 0]);
    return 1;
  }
  admit(worker: WorkerView, _now: number, out: Int32Array): number {
    if (worker.freeSlots === 0 || this.ids.length === 0) return 0;
    out[0] = this.ids.shift() ?? 0;
    return 1;
  }
  evict(worker: WorkerView, need: number, out: Int32Array): number {
    let count = 0;
    for (const { id } of worker.running) if (need > 0) out[count++] = id;
    return count;
  }
}
const queues: Queue[] = ["worker", "router"];
const ownRouting: RoutingPolicy = {
  name: "in order",
  create: ({ queue = queues[0] }: RouterOptions) => (queue ? new InOrder() : new InOrder()),
};
const ownScheduling: SchedulingPolicy = {
  name: "in order",
  create: ({ slots }: SchedulerOptions) => (slots > 0 ? new InOrder() : new InOrder()),
};

const cached: CacheAwareOptions = { balanceAbs: 32 };
const metric: LmetricOptions = { blocks: 1000 };
const ahead: BfioOptions = { horizon: 20, gamma: 0.9 };
const none: NoOptions = {};
export const policies: RoutingPolicy[] = [
  ownRouting,
  routing.leastKv(none),
  routing.cacheAware(cached),
  routing.lmetric(metric),
  routing.bfio(ahead),
];

export async function compare(trace: Trace, stepTime: StepTime): Promise<Summary[]> {
  const worker: WorkerSpec = { slots: 64, kvTokens: 1_000_000, stepTime };
  const prefill: PrefillPool = { pool: [worker], bandwidth: 1e6 };
  const prediction: Prediction = { factor: 1.5 };
  const slo: Slo = { ttft: 0.5 };
  const options: SimulateOptions = {
    workers: [worker, worker],
    clock: "seconds",
    routing: policies[0],
    prefill,
    prediction,
    slo: [slo, { tpot: 0.1 }],
  };
  const summaries: Summary[] = [];
  for (const scheduler of [ownScheduling, scheduling.fcfs()]) {
    const result: Simulated = await simulate(trace, { ...options, scheduling: scheduler });
    const latency: Spread = result.summary.latency;
    const { time }: Series = result.series;
    if (latency.halfWidth < 1 && time.length > 0) summaries.push(result.summary);
    for await (const piece of writeTrace(trace, "vllm", result)) console.log(piece);
  }
  console.log(meanOverSeeds(summaries.map(({ ttft }) => ttft.mean)).halfWidth);
  return summaries;
}

const admission: AdmissionOptions = { admission: "future" };
const reserve: McsfOptions = { reserve: 0.1 };
const preemptible: TrailOptions = { c: 0.5 };
const chats: FluidClass = { rate: 2, input: 100, output: 50 };
const fluid: FluidOptions = { classes: [chats], base: 0.01, perKvToken: 1e-7 };
const ends: NestedClass = { rate: 2, output: 50 };
const nested: NestedFluidOptions = { classes: [ends], input: 100, base: 0.01, perKvToken: 1e-7 };
const company: WaitOptions = fluid;
const segments: NestedWaitOptions = nested;
export const schedulers: SchedulingPolicy[] = [
  ...[scheduling.sjf(admission), scheduling.mcsf(reserve), scheduling.trail(preemptible), scheduling.svf(none)],
  ...[scheduling.wait(company), scheduling.nestedWait(segments)],
];
export function room(): number {
  const equilibrium: FluidEquilibrium = fluidEquilibrium(fluid);
  const thresholds: Thresholds[] = [waitThresholds(fluid), nestedWaitThresholds(nested)];
  return Math.max(equilibrium.kvTokens, ...thresholds.map(({ kvTokens }) => kvTokens));
}

export async function gaps(trace: Trace): Promise<number[]> {
  const fleet: BoundOptions = { kvTokens: 16_492, workers: 2 };
  const search: LatencyBoundOptions = { ...fleet, evaluations: 10, backend: "auto" };
  const bound: LatencyBound = await latencyBound(trace, search);
  const prices: BoundPrices = bound.prices;
  const proven: CertifiedBound = certifyBound(trace, fleet, prices);
  const improve: ImproveOptions = { ...fleet, prices, iterations: 100 };
  const improved: ImprovedSchedule = await improveSchedule(trace, improve);
  const schedule: Schedule = improved;
  const exact: OptimumOptions = { ...fleet, nodes: 1000 };
  const optimum: LatencyOptimum = await latencyOptimum(trace, exact);
  const priced: PricesOptions = { prices, tolerance: 2 };
  schedulers.push(scheduling.prices(priced));
  return [proven.total, optimum.bound, improved.total, schedule.start[0]];
}

export function accepts(trace: Trace, value: Numbers): boolean {
  const limits: AdmissionLimits = { span: 100, kvTokens: 16_492 };
  const { use, budget } = admissionUse(trace, limits);
  const rows: Rows = use;
  const bound: AdmissionBound = admissionBound(value, rows, budget);
  const scale: Scale = { value: 1, use: [1] };
  const options: BidPriceOptions = { budget, requests: trace.requests, scale };
  const bids: BidPrices = bidPrices(options);
  return bids.decide(bound.value, [use[0]]);
}

export function fleet(lengths: Lengths, stepTime: StepTime): number[] {
  const workload: Workload = { lengths, rate: 10 };
  const options: CapacityOptions = { kvTokens: 100_000, stepTime, slo: { ttft: 1 } };
  const { workers, needs }: Capacity = capacity(workload, options);
  const each: WorkersNeeded = needs;
  const memory: StabilityOptions = { kvTokens: 100_000, chunk: 512, stepTime };
  const threshold: Stability = stability(lengths, memory);
  const erlang: WaitingOptions = { servers: workers, rate: 10, serviceTime: 0.1 };
  const waiting: WaitingTime = waitingTime(erlang);
  const apart: SplitOptions = { workers: 8, kvTokens: 100_000, stepTime, bandwidth: 1e6 };
  const split: Split = prefillDecodeSplit(lengths, apart);
  return [each.memory, threshold.mu, waiting.mean, split.prefill, chunkedTokenSteps(1600, 1, 512)];
}

export function shared(history: LoadHistory, fields: PlacementFields): ExpertParallelism {
  const roofline: ModelCost = { model: "roofline", perExpert: 6.3, perToken: 0.035 };
  const curve: CurveCost = { tokens: [100], time: [7] };
  const cost: ExpertCost = history.steps > 1 ? roofline : curve;
  const balance: Balance = "time";
  const placement: PlacementLike = fields;
  return { history, placement, balance, cost, costUnit: 1e-6, topK: 4 };
}

export function told(error: unknown): Rule | string {
  if (error instanceof PolicyError) return error.rule;
  if (error instanceof ShapeError || error instanceof ArgumentError) return error.argument;
  if (error instanceof DeviceError) return "no device";
  return error instanceof EvenkeelError ? error.message : String(Placement);
}
