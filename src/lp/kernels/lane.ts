import u64 from "../../../shaders/common/u64.wgsl";
import cutSweep from "../../../shaders/lp/cut_sweep.wgsl";
import finish from "../../../shaders/lp/finish.wgsl";
import interiorPoint from "../../../shaders/lp/interior_point.wgsl";
import wgsl from "../../../shaders/lp/lane.wgsl";
import scaling from "../../../shaders/lp/scaling.wgsl";
import params from "../../../shaders/lp/solve_params.wgsl";
import starMesh from "../../../shaders/lp/star_mesh.wgsl";
import wholeTime from "../../../shaders/lp/whole_time.wgsl";
import { type CompiledKernel, compile, foldGrid, type Kernel } from "../../gpu/pipeline.ts";
import { proofWords, type TopologyTable } from "./topology_table.ts";

/** @internal */
export const laneKernel = {
  name: "lane",
  wgsl,
  includes: [params, scaling, cutSweep, finish, wholeTime, u64, interiorPoint, starMesh],
  bindings: {
    topology: "read-only-storage",
    load: "read-only-storage",
    base: "read-only-storage",
    skip: "read-only-storage",
    quota: "storage",
    proof: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** Statuses by the number that the kernel writes. */
export const statuses = ["optimal", "gap"] as const;
/** Proven (to the token, or within 1e-6 in fractions), or certified with the gap that is left. */
export type Status = (typeof statuses)[number];

/** The largest G: the kernel's G x G / 2 matrix lives in private memory, one copy per LP. */
export const MAX_GPUS_LANE = 64;

/** One lane per LP; a warp's worth, so that small batches spread over the cores of a GPU. */
export const WORKGROUP = 32;

/** struct Params of solve_params.wgsl. */
export function solveParams(
  batch: number,
  table: TopologyTable,
  { hasBase, hasSkip }: { hasBase: boolean; hasSkip: boolean },
): Uint32Array<ArrayBuffer> {
  const { topologies, stride, gpus, experts, slots } = table;
  return Uint32Array.of(batch, topologies, stride, hasBase ? 1 : 0, hasSkip ? 1 : 0, gpus, experts, slots);
}

/** @internal */
export function compileLane(
  device: GPUDevice,
  { maxGpus, maxReplicas }: TopologyTable,
  equalSpeeds: boolean,
): Promise<CompiledKernel> {
  const shape = { MAX_GPUS: maxGpus, MAX_REPLICAS: maxReplicas };
  return compile(device, laneKernel, shape, { EQUAL_SPEEDS: equalSpeeds ? 1 : 0, WG: WORKGROUP });
}

/** Records one dispatch that solves `batch` LPs, with this kernel or another of its bindings. @internal */
export function encodeSolve(
  device: GPUDevice,
  pass: GPUComputePassEncoder,
  kernel: CompiledKernel,
  bindings: GPUBindGroup,
  batch: number,
  lpsPerWorkgroup = WORKGROUP,
): void {
  pass.setPipeline(kernel.pipeline);
  pass.setBindGroup(0, bindings);
  pass.dispatchWorkgroups(...foldGrid(device, Math.ceil(batch / lpsPerWorkgroup)));
}

/**
 * What the kernel wrote into `proof` besides its status, for `batch` LPs: bottleneck sets, iterations and moves [B].
 *
 * @param label  Whose bits: the set is [B, length of label]. All GPUs by default.
 */
export function decodeProofs(proof: Uint32Array, batch: number, gpus: number, label?: ArrayLike<number>) {
  const words = proofWords(gpus);
  const width = label?.length ?? gpus;
  const member = new Uint8Array(batch * width);
  for (let p = 0; p < batch; p++) {
    for (let i = 0; i < width; i++) {
      const g = label?.[i] ?? i;
      member[p * width + i] = (proof[p * words + 3 + (g >> 5)] >>> (g & 31)) & 1;
    }
  }
  const column = (word: number) => Int32Array.from({ length: batch }, (_, p) => proof[p * words + word]);
  return { member, iterations: column(1), moves: column(2) };
}
