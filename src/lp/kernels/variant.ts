import { type CompiledKernel, foldGrid } from "../../gpu/pipeline.ts";
import type { Topology } from "../topology.ts";
import type { KernelPlan } from "./choices.ts";

/**
 * One way to solve LPs on a GPU. A further one is a file of this folder, its WGSL, twin and test; when it is taken is said in choose.ts. All bind buffers of
 * the same names and read the same params, so that whoever solves need not know which it is.
 */
export interface Variant {
  /** The stem of its files. */
  readonly name: Exclude<KernelPlan["kernel"], "cpu" | "simd">;
  /** Why it does not take topologies of equal G, E and P on this device; undefined where it does. Compiles nothing. */
  refuses(device: GPUDevice, topologies: readonly Topology[]): string | undefined;
  /** The kernel for topologies that it does not refuse.  @throws {KernelError} The device's compiler refuses it. */
  compile(device: GPUDevice, topologies: readonly Topology[]): Promise<LpKernel>;
}

/** A kernel compiled for topologies: LP p is of topology p % their number. */
export interface LpKernel {
  readonly compiled: CompiledKernel;
  readonly lpsPerWorkgroup: number;
  readonly sizes: TableSizes;
  /** What it reads of the topologies, by the name of its binding. */
  readonly table: { readonly name: "topology" | "labels"; readonly data: Uint32Array<ArrayBuffer> };
  /** What tokens cost, where that is data, too. */
  readonly curve?: Uint32Array<ArrayBuffer>;
  /** The table, as long, of the same topologies where fewer GPUs are alive; undefined where the kernel has no room for it, and another must be compiled. */
  tableOf(living: readonly Topology[]): Uint32Array<ArrayBuffer> | undefined;
  /** What a reader of the plan may want to know of it. */
  readonly note?: string;
}

/** What params tell a kernel of its table. */
export interface TableSizes {
  readonly topologies: number;
  /** u32 words of a record. */
  readonly stride: number;
  /** G, dead ones too. */
  readonly gpus: number;
  readonly experts: number;
  readonly slots: number;
}

export const SOLVE_PARAMS_BYTES = 32;

/** struct Params of solve_params.wgsl. */
export function solveParams(
  batch: number,
  { topologies, stride, gpus, experts, slots }: TableSizes,
  { hasBase, hasSkip }: { hasBase: boolean; hasSkip: boolean },
): Uint32Array<ArrayBuffer> {
  return Uint32Array.of(batch, topologies, stride, hasBase ? 1 : 0, hasSkip ? 1 : 0, gpus, experts, slots);
}

/** LPs in one dispatch at most: some drivers reset a GPU that is busy for seconds. */
export const LONGEST_DISPATCH = 65536;

/** Records one dispatch that solves `batch` LPs. */
export function encodeSolve(
  device: GPUDevice,
  pass: GPUComputePassEncoder,
  { compiled, lpsPerWorkgroup }: Pick<LpKernel, "compiled" | "lpsPerWorkgroup">,
  bindings: GPUBindGroup,
  batch: number,
): void {
  pass.setPipeline(compiled.pipeline);
  pass.setBindGroup(0, bindings);
  pass.dispatchWorkgroups(...foldGrid(device, Math.ceil(batch / lpsPerWorkgroup)));
}
