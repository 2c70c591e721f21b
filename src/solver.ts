import { type CpuBackend, cpuBackend } from "./backend_cpu.ts";
import { type SolverBuffers, type WebgpuBackend, webgpuBackend } from "./backend_webgpu.ts";
import { ArgumentError, DeviceError } from "./errors.ts";
import { type AcquiredDevice, type AdapterChoice, requestDevice, resolveChoice, sharedDevice } from "./gpu/device.ts";
import { Placement } from "./placement/placement.ts";
import {
  checkLoads,
  type EdgeLoads,
  type Graph,
  type Loads,
  type ReplicaLoads,
  type Speed,
  type TokenMode,
  toTopology,
} from "./problem.ts";
import { type BackendName, type EdgeSolution, judge, type RawSolution, type ReplicaSolution } from "./solution.ts";
import { type KernelChoice, type KernelPlan, kernelChoices } from "./specialised/plan.ts";
import type { Topology } from "./topology.ts";

export const backends = ["auto", "webgpu", "cpu"] as const;

export interface SolverOptions extends Speed {
  /**
   * "webgpu": the kernel, or a DeviceError. "cpu": the exact solver. "auto" (default): the kernel on a hardware adapter, or on a software
   * adapter that was asked for by name; otherwise the CPU, which is faster than a software adapter. It answers from the CPU, too, once the
   * device is lost, and says so in `solution.backend` and `solution.reason`.
   */
  backend?: (typeof backends)[number];
  /** A device of the caller's, used as it is and never destroyed. */
  device?: GPUDevice;
  /** Which adapters may be taken; the environment variable EVENKEEL_ADAPTER, or "auto", by default. */
  adapter?: AdapterChoice;
  /** Which WebGPU kernel, see KernelChoice; "auto" by default. */
  kernel?: KernelChoice;
}

export interface SolveOptions {
  /** "integer": whole tokens, optimal to the token; the default when every load is an integer. "fractional": the LP's own x. */
  tokens?: TokenMode;
  /** Stops a long solve between pieces of the batch; the call rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** The largest G of the WebGPU kernel: its G x G / 2 matrix lives in private memory, one copy per LP. */
export const MAX_GPUS_WEBGPU = 64;

export type { SolverBuffers } from "./backend_webgpu.ts";

/** Solves batches on one topology: pipelines and buffers are made once and kept until `destroy`. */
export interface Solver<L, S> {
  /** Solves B LPs. Overlapping calls wait for each other. Inputs are read, never written or kept. */
  solve(loads: L, options?: SolveOptions): Promise<S>;
  /**
   * Records the solve of whole-token LPs that lie on the GPU into the caller's encoder, and nothing else: no submit, no map. Allocates
   * nothing but a small uniform buffer for a batch size, and bind groups for buffers, not seen before. The kernel's answer is left as
   * it is: status in `proof` says whether it is optimal.
   *
   * @throws {ArgumentError} A buffer is too small, misaligned or lacks a usage; it is named.  @throws {DeviceError} There is no device.
   */
  encode(encoder: GPUCommandEncoder, buffers: SolverBuffers): void;
  /** Who answers. */
  readonly backend: BackendName;
  /** Which kernel solves now, and why. */
  readonly plan: KernelPlan;
  /** For who wants to wait for the best kernel: asking starts its compilation, where there is one to come. Solves never wait for it. */
  readonly ready: Promise<void>;
  /** Frees the GPU buffers once the solves under way are done; further ones are refused. The device stays. */
  destroy(): void;
}

/**
 * A solver for repeated solves on one placement (replica form) or graph (edge form). A second solve of a shape compiles nothing and
 * allocates nothing on the GPU.
 *
 * @throws {PlacementError | ArgumentError | ShapeError} The topology, a speed or an option is not as it should be.
 * @throws {DeviceError} backend is "webgpu" and there is no device.
 */
export async function createSolver(
  placement: Placement,
  options?: SolverOptions,
): Promise<Solver<ReplicaLoads, ReplicaSolution>>;
export async function createSolver(
  graph: Graph & Speed,
  options?: SolverOptions,
): Promise<Solver<EdgeLoads, EdgeSolution>>;
export async function createSolver(
  form: Placement | (Graph & Speed),
  options: SolverOptions = {},
): Promise<Solver<ReplicaLoads, ReplicaSolution> | Solver<EdgeLoads, EdgeSolution>> {
  requireObject("options", options);
  const { speed = (form as Speed | undefined)?.speed } = options;
  const topology = toTopology(form, speed);
  return form instanceof Placement
    ? solverOn<ReplicaLoads, ReplicaSolution>(topology, undefined, options)
    : solverOn<EdgeLoads, EdgeSolution>(topology, form, options);
}

/** A solver on a topology that is checked already. */
export async function solverOn<L extends EdgeLoads | ReplicaLoads, S>(
  topology: Topology,
  graph: Graph | undefined,
  options: SolverOptions,
): Promise<TopologySolver<L, S>> {
  const { backend = "auto", kernel = "auto", device, adapter } = options;
  if (!backends.includes(backend)) throw new ArgumentError("backend", `"auto", "webgpu" or "cpu"`, backend);
  if (!kernelChoices.includes(kernel)) {
    throw new ArgumentError("kernel", `"auto", "lane" or "specialised"`, kernel);
  }
  if (adapter !== undefined) resolveChoice(adapter);
  if (device !== undefined && typeof device?.createBuffer !== "function") {
    throw new ArgumentError("device", "a GPUDevice", device);
  }
  const choice = await acquireDevice(topology.gpus, backend, options);
  const gpu = choice.acquired && (await webgpuBackend(choice.acquired.device, topology, kernel));
  return new TopologySolver<L, S>(topology, graph, backend, choice, gpu);
}

/** Checks what one solve is called with, and copies its loads. */
export function checkCall(
  topology: Topology,
  graph: Graph | undefined,
  given: EdgeLoads | ReplicaLoads,
  options: SolveOptions,
): Loads {
  requireObject("options", options);
  const { tokens, signal } = options;
  if (signal !== undefined && typeof signal?.throwIfAborted !== "function") {
    throw new ArgumentError("signal", "an AbortSignal", signal);
  }
  return checkLoads(topology, graph, given, tokens);
}

export function requireObject(argument: string, value: unknown): void {
  if (typeof value !== "object" || value === null) throw new ArgumentError(argument, "an object", value);
}

interface Choice {
  acquired: AcquiredDevice | undefined;
  reason: string;
}

/** The device that a backend wants, or why there is none and the CPU answers.  @throws {DeviceError} "webgpu", and there is none. */
export async function acquireDevice(
  gpus: number,
  backend: (typeof backends)[number],
  { device, adapter }: Pick<SolverOptions, "device" | "adapter">,
): Promise<Choice> {
  if (backend === "cpu") return { acquired: undefined, reason: "The caller asked for the CPU." };
  if (gpus > MAX_GPUS_WEBGPU) {
    const limit = `at most ${MAX_GPUS_WEBGPU} on backend "webgpu"`;
    if (backend === "webgpu") throw new ArgumentError("gpus", limit, gpus, `Use backend "cpu" or "auto".`);
    return { acquired: undefined, reason: `The WebGPU kernel takes at most ${MAX_GPUS_WEBGPU} GPUs.` };
  }
  try {
    const acquired = device ? await requestDevice({ device }) : await sharedDevice(adapterFor(backend, adapter));
    return { acquired, reason: acquired.adapter.reason };
  } catch (error) {
    if (backend === "webgpu" || !(error instanceof DeviceError)) throw error;
    return { acquired: undefined, reason: error.message };
  }
}

/** The exact CPU solver is faster than a software adapter, so "auto" takes one only where it was asked for. */
function adapterFor(backend: string, adapter: AdapterChoice | undefined): AdapterChoice {
  const choice = resolveChoice(adapter);
  return backend === "auto" && choice === "auto" ? "hardware" : choice;
}

class TopologySolver<L extends EdgeLoads | ReplicaLoads, S> implements Solver<L, S> {
  private readonly cpu: CpuBackend;
  private acquired: AcquiredDevice | undefined;
  private reason: string;
  private previous: Promise<unknown> = Promise.resolve();
  private destroyed = false;

  constructor(
    private readonly topology: Topology,
    private readonly graph: Graph | undefined,
    private readonly asked: string,
    choice: Choice,
    private gpu: WebgpuBackend | undefined,
  ) {
    this.cpu = cpuBackend(topology);
    this.acquired = choice.acquired;
    this.reason = choice.reason;
  }

  get backend(): BackendName {
    return this.gpu ? "webgpu" : "cpu";
  }

  get plan(): KernelPlan {
    return this.gpu?.kernel.plan ?? { kernel: "cpu", reason: this.reason };
  }

  get ready(): Promise<void> {
    return this.gpu?.kernel.ready ?? Promise.resolve();
  }

  async solve(given: L, options: SolveOptions = {}): Promise<S> {
    if (this.destroyed) throw new DeviceError(DESTROYED);
    // Now, not when its turn comes: the caller may reuse its arrays at once.
    return this.solveInTurn(checkCall(this.topology, this.graph, given, options), options.signal);
  }

  solveInTurn(loads: Loads, signal: AbortSignal | undefined): Promise<S> {
    const answer = this.previous.then(() => this.solveNow(loads, signal));
    this.previous = answer.catch(() => {});
    return answer;
  }

  private async solveNow(loads: Loads, signal: AbortSignal | undefined): Promise<S> {
    signal?.throwIfAborted();
    const raw = await this.solveRaw(loads, signal);
    const { judged, judgeOne } = judge(this.topology, loads, raw);
    let finishedOnCpu = 0;
    for (let lp = 0; lp < loads.batch; lp++) {
      if (judgeOne(lp) === "optimal" || !this.gpu) continue;
      this.cpu.solveOne(loads, lp, raw);
      judgeOne(lp);
      finishedOnCpu++;
    }
    return {
      batch: loads.batch,
      tokens: loads.tokens,
      ...judged,
      ...(this.graph ? { flow: flowOf(raw.quota) } : { quota: raw.quota }),
      iterations: raw.iterations,
      moves: raw.moves,
      finishedOnCpu,
      backend: this.backend,
      adapter: this.acquired?.adapter,
      reason: this.reason,
    } as S;
  }

  private async solveRaw(loads: Loads, signal: AbortSignal | undefined): Promise<RawSolution> {
    if (!this.gpu) return this.cpu.solve(loads, signal);
    try {
      return await this.gpu.solve(loads, signal);
    } catch (error) {
      if (this.asked !== "auto" || !(error instanceof DeviceError)) throw error;
      this.gpu = undefined;
      this.acquired = undefined;
      this.reason = error.message;
      return this.cpu.solve(loads, signal);
    }
  }

  encode(encoder: GPUCommandEncoder, buffers: SolverBuffers): void {
    if (this.destroyed) throw new DeviceError(DESTROYED);
    if (!this.gpu) throw new DeviceError(`This solver works on the CPU: use solve, or backend "webgpu".`);
    this.gpu.encode(encoder, buffers);
  }

  destroy(): void {
    this.destroyed = true;
    this.previous.then(() => this.gpu?.destroy());
  }
}

const DESTROYED = "This solver was destroyed. Create a new one.";

/** The tokens on the replica of each edge; those that stayed on the original are the slot before. */
function flowOf(quota: Int32Array | Float64Array): Int32Array | Float64Array {
  return quota.filter((_, slot) => slot % 2 === 1);
}
