import { openCpuThreads } from "#cpu_threads";
import { DeviceError } from "../common/errors.ts";
import { requireObject } from "../common/objects.ts";
import { Pauses, Turns } from "../common/pauses.ts";
import type { GPUCommandEncoderLike } from "../gpu/types.ts";
import type { PlacementLike } from "../placement/placement.ts";
import { type Answered, AutoBackend, type Begin, type GpuChoice } from "./backend_auto.ts";
import { type CpuBackend, cpuBackend } from "./backend_cpu.ts";
import { type SolverBuffers, type WebgpuBackend, webgpuBackend } from "./backend_webgpu.ts";
import type { CpuThreads } from "./cpu_threads.ts";
import { ASKED_FOR_CPU, findDevice, reasonOrThrow } from "./device_choice.ts";
import type { Form } from "./form.ts";
import { formOf } from "./forms.ts";
import type { KernelPlan } from "./kernels/choices.ts";
import { type Leveller, leveller } from "./level.ts";
import type { EdgeLoads, Graph, LoadBalanceProblem, Loads, ReplicaLoads, ReplicaProblem, Speed } from "./problem.ts";
import { Settlement } from "./settle.ts";
import {
  type BackendName,
  type EdgeSolution,
  emptyRaw,
  noneJudged,
  type RawSolution,
  type ReplicaSolution,
  type Solution,
  type TimedSolution,
} from "./solution.ts";
import {
  type Call,
  checkBackend,
  checkCall,
  checkKernel,
  checkThreads,
  requireOwnTopology,
  type SolveOptions,
  type SolverOptions,
  solveFields,
  solverFields,
} from "./solver_options.ts";
import type { Costed } from "./time/expert_cost.ts";
import type { Topology } from "./topology.ts";
import { TrafficStage } from "./traffic/traffic_stage.ts";

export type { SolverBuffers } from "./backend_webgpu.ts";

/** Solves batches on one topology: pipelines and buffers are made once and kept until `destroy`. */
export interface Solver<L, S> {
  /**
   * Solves B LPs. Overlapping calls wait for each other. Inputs are read at once, never written or kept. A large batch hands the event loop
   * back about every 40 ms, a small one not at all.
   */
  solve(loads: L, options?: SolveOptions): Promise<S>;
  /**
   * Records the solve of whole-token LPs that lie on the GPU into the caller's encoder, and nothing else: no submit, no map. Allocates
   * nothing but a small uniform buffer for a batch size, and bind groups for buffers, not seen before. The kernel's answer is left as
   * it is: status in `proof` says whether it is optimal; at unequal speeds, for the speeds as the kernel rounds them, to 31 bits.
   *
   * @throws {ArgumentError} A buffer is too small, misaligned or lacks a usage, or the encoder is known to be of another device, as those of
   *   `requestDevice` are; it is named.  @throws {DeviceError} There is no device.
   */
  encode(encoder: GPUCommandEncoderLike, buffers: SolverBuffers): void;
  /**
   * Checks buffers as `encode` does, and that they are alive and of the solver's device, which WebGPU tells at a submit: so this submits. For
   * once, when the buffers are made.
   *
   * @param encoder  an empty one, made as those for `encode` will be, and used up: whether it is of the solver's device.
   * @throws {ArgumentError} names the buffer, or the encoder.  @throws {DeviceError} There is no device.
   */
  checkBuffers(buffers: SolverBuffers, encoder?: GPUCommandEncoderLike): Promise<void>;
  /** Who answered last; before the first solve, who will. */
  readonly backend: BackendName;
  /** Which kernel solves now, and why. */
  readonly plan: KernelPlan;
  /**
   * For who wants to wait for the best kernel: asking starts its compilation, where there is one to come, and opens worker threads, if `threads` are
   * asked for. With "auto", also until both backends have been timed, which takes a solve before. Solves never wait for it.
   */
  readonly ready: Promise<void>;
  /** Frees the GPU buffers and closes the worker threads once the solves under way are done; further ones are refused. The device stays. */
  destroy(): void;
}

/**
 * A solver for repeated solves on one placement (replica form) or graph (edge form), or on those of a problem, whose loads are not read. A
 * second solve of a shape compiles nothing and allocates nothing on the GPU.
 *
 * @throws {PlacementError | ArgumentError | ShapeError} The topology, a speed or an option is not as it should be.
 * @throws {DeviceError} backend is "webgpu" and there is no device.  @throws {KernelError} It is, and the device's compiler refuses a kernel.
 */
export async function createSolver(
  problem: ReplicaProblem & Required<Costed>,
  options?: SolverOptions,
): Promise<Solver<ReplicaLoads, TimedSolution>>;
export async function createSolver(
  placement: PlacementLike | ReplicaProblem,
  options: SolverOptions & Required<Costed>,
): Promise<Solver<ReplicaLoads, TimedSolution>>;
export async function createSolver(
  placement: PlacementLike | ReplicaProblem,
  options?: SolverOptions,
): Promise<Solver<ReplicaLoads, ReplicaSolution>>;
export async function createSolver(
  graph: Graph & Speed,
  options?: SolverOptions,
): Promise<Solver<EdgeLoads, EdgeSolution>>;
export async function createSolver(
  form: PlacementLike | (Graph & Speed) | LoadBalanceProblem,
  options?: SolverOptions,
): Promise<Solver<ReplicaLoads | EdgeLoads, ReplicaSolution | EdgeSolution>>;
export async function createSolver(
  given: PlacementLike | (Graph & Speed) | LoadBalanceProblem,
  options: SolverOptions = {},
): Promise<Solver<ReplicaLoads | EdgeLoads, ReplicaSolution | EdgeSolution>> {
  requireObject("options", options, solverFields);
  const form = formOf(given, options);
  return form.name === "edge" ? solverOn(form, options) : solverOn(form, options);
}

/** A solver in a form that is checked already. @internal */
export async function solverOn<L, A extends object>(
  form: Form<L, A>,
  options: SolverOptions,
): Promise<TopologySolver<L, A>> {
  const { device } = options;
  const { topology } = form;
  const backend = checkBackend(options);
  const kernel = checkKernel(options, backend, topology);
  const threads = checkThreads(options);
  const cpu = cpuBackend(topology);
  if (kernel === "simd") await cpu.ready();
  const crew = openCpuThreads(topology, cpu, threads);
  if (backend === "auto") {
    // A device of the caller's may be encoded for at once; others are found in the background.
    const prepare = () => gpuFor(topology, options);
    const now = device ? await prepare().catch(reasonOrThrow) : undefined;
    return new TopologySolver(form, cpu, crew, { prepare, now });
  }
  const choice = backend === "cpu" ? undefined : await gpuFor(topology, options);
  return new TopologySolver(form, cpu, crew, choice);
}

/** A device and the kernels on it.  @throws {DeviceError} There is none.  @throws {KernelError} Its compiler refuses one. */
async function gpuFor(topology: Topology, options: SolverOptions): Promise<GpuChoice> {
  const acquired = await findDevice(options);
  const kernel = options.kernel === undefined || options.kernel === "simd" ? "auto" : options.kernel;
  return { acquired, gpu: await webgpuBackend(acquired.device, topology, kernel) };
}

/** How to find a GPU in the background, and one that is there already or why there will be none. */
interface Auto {
  prepare: () => Promise<GpuChoice>;
  now: GpuChoice | string | undefined;
}

/** @internal */
class TopologySolver<L, A extends object> implements Solver<L, Solution & A> {
  private readonly topology: Topology;
  private readonly auto: AutoBackend | undefined;
  private readonly fixed: GpuChoice | undefined;
  private leveller: Leveller | undefined;
  private traffic: TrafficStage | undefined;
  private last: BackendName;
  private previous: Promise<unknown> = Promise.resolve();
  /** Of the latest call, while it is under way. */
  private latest: Pauses | undefined;
  private readonly turns = new Turns();
  private destroyed = false;

  /** @param threads  where several share large batches.  @param choice  The GPU that answers; none: the CPU; or what "auto" needs. */
  constructor(
    private readonly form: Form<L, A>,
    private readonly cpu: CpuBackend,
    private readonly threads: CpuThreads | undefined,
    choice: GpuChoice | Auto | undefined,
  ) {
    const { topology } = form;
    this.topology = topology;
    if (choice && "prepare" in choice) {
      const { prepare, now } = choice;
      this.auto = new AutoBackend(topology, cpu, prepare, now, (work) => this.inTurn(work), threads);
    } else this.fixed = choice;
    this.last = this.fixed ? "webgpu" : "cpu";
  }

  get backend(): BackendName {
    return this.last;
  }

  get plan(): KernelPlan {
    const plan = this.auto?.plan ?? this.fixed?.gpu.kernel.plan ?? this.cpu.plan();
    const why = this.threads?.why;
    return why === undefined ? plan : { ...plan, reason: `${plan.reason} One thread works: ${why}` };
  }

  get ready(): Promise<void> {
    const kernel = this.auto?.ready ?? this.fixed?.gpu.kernel.ready ?? this.cpu.ready();
    return this.threads ? Promise.all([kernel, this.threads.ready()]).then(() => {}) : kernel;
  }

  async solve(given: L, options: SolveOptions = {}): Promise<Solution & A> {
    if (this.destroyed) throw new DeviceError(DESTROYED);
    // Now, not when its turn comes: the caller may reuse its arrays at once.
    requireObject("options", options, solveFields);
    requireObject("loads", given, this.form.fields);
    requireOwnTopology(given as Partial<LoadBalanceProblem>, this.form);
    const pauses = new Pauses(options.signal, this.latest);
    this.latest = pauses;
    const checked = checkCall(this.form, given, options, pauses);
    const answer = this.inTurn(async () => this.solveNow(await checked));
    try {
      await checked; // what is wrong with the loads is told before their turn
      return await answer;
    } finally {
      if (this.latest === pauses) this.latest = undefined;
    }
  }

  solveInTurn(call: Call): Promise<Solution & A> {
    return this.inTurn(() => this.solveNow(call));
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.previous.then(work);
    this.previous = done.catch(() => {});
    return done;
  }

  private async solveNow({ loads, level, slack, pauses }: Call): Promise<Solution & A> {
    const { auto, threads } = this;
    await this.turns.give(this.cpu.isPreparing() || auto?.isPreparing === true || threads?.isOpening === true);
    pauses.signal?.throwIfAborted();
    if (level) this.leveller ??= leveller(this.topology);
    const { topology, cpu, form } = this;
    const levelling = level ? this.leveller : undefined;
    const begin = (raw: RawSolution) =>
      new Settlement(topology, cpu, loads, raw, noneJudged(topology, loads.batch), levelling);
    const { batch, backend, acquired, reason } = await this.answer(loads, begin, pauses);
    this.last = backend;
    await batch.settleRest(backend, pauses);
    const { raw, judged, finishedOnCpu } = batch;
    if (loads.sourceLoad) this.traffic ??= new TrafficStage(topology, form.distance!, this.auto !== undefined);
    const traffic = loads.sourceLoad && (await this.traffic!.solve(batch, slack, pauses, acquired?.device));
    return {
      batch: loads.batch,
      tokens: loads.tokens,
      ...judged,
      ...(await form.answer(raw, loads, pauses)),
      ...traffic,
      iterations: raw.iterations,
      moves: raw.moves,
      finishedOnCpu,
      backend,
      adapter: acquired?.adapter,
      reason,
    };
  }

  private async answer(loads: Loads, begin: Begin, pauses: Pauses): Promise<Answered> {
    if (this.auto) return this.auto.solve(loads, begin, pauses);
    if (this.fixed) {
      const { gpu, acquired } = this.fixed;
      const batch = begin(await gpu.solve(loads, pauses));
      return { batch, backend: "webgpu", acquired, reason: acquired.adapter.reason };
    }
    const batch = begin(emptyRaw(this.topology, loads));
    if (this.threads?.areFor(loads.batch)) await this.threads.solve(batch, pauses);
    else await this.cpu.solve(loads, batch.raw, pauses);
    return { batch, backend: "cpu", acquired: undefined, reason: ASKED_FOR_CPU };
  }

  encode(encoder: GPUCommandEncoderLike, buffers: SolverBuffers): void {
    this.requireGpu().encode(encoder, buffers);
  }

  async checkBuffers(buffers: SolverBuffers, encoder?: GPUCommandEncoderLike): Promise<void> {
    await this.requireGpu().checkBuffers(buffers, encoder);
  }

  private requireGpu(): WebgpuBackend {
    if (this.destroyed) throw new DeviceError(DESTROYED);
    const gpu = this.auto ? this.auto.gpu : this.fixed?.gpu;
    if (!gpu) throw new DeviceError(`This solver works on the CPU: use solve, or backend "webgpu".`);
    return gpu;
  }

  destroy(): void {
    this.destroyed = true;
    this.previous.then(() => {
      (this.auto ?? this.fixed?.gpu)?.destroy();
      this.threads?.close();
      this.traffic?.destroy();
    });
  }
}

const DESTROYED = "This solver was destroyed. Create a new one.";
