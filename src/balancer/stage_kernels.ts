import { bufferUsage } from "../gpu/constants.ts";
import type { CompiledKernel } from "../gpu/pipeline.ts";
import { type LpKernel, solveParams, type Variant } from "../lp/kernels/variant.ts";
import type { Topology } from "../lp/topology.ts";
import { compileApportion } from "./kernels/apportion.ts";
import { compileCount } from "./kernels/count.ts";
import { compileImbalance } from "./kernels/imbalance.ts";
import { compileOffsets } from "./kernels/offsets.ts";
import { compileRemap } from "./kernels/remap.ts";
import { compileShares } from "./kernels/shares.ts";
import { compileTimeImbalance } from "./kernels/time_imbalance.ts";
import type { StageOptions } from "./stage_options.ts";

export type StageKernel = "count" | "offsets" | "evenSplit" | "scaled" | "imbalance" | "shares" | "remap";

/** Of the stages, and what tells times where there is a cost. */
export type StageKernels = Record<StageKernel, CompiledKernel> & { timeImbalance?: CompiledKernel };

/** Compiles every stage but the solver.  @throws {KernelError} The device's compiler refuses one. */
export async function compileStages(device: GPUDevice, experts: number, timed: boolean): Promise<StageKernels> {
  const timeImbalance = timed ? await compileTimeImbalance(device) : undefined;
  const [count, offsets, evenSplit, scaled, imbalance, shares, remap] = await Promise.all([
    compileCount(device, experts),
    compileOffsets(device),
    compileApportion(device, true),
    compileApportion(device, false),
    compileImbalance(device),
    compileShares(device),
    compileRemap(device, experts),
  ]);
  return { count, offsets, evenSplit, scaled, imbalance, timeImbalance, shares, remap };
}

/** The solver of all layers in one dispatch, and what it reads. The variant is chosen once, for the topologies of all GPUs. */
export class StageSolver {
  table: GPUBuffer;
  params: GPUBuffer;

  constructor(
    private readonly device: GPUDevice,
    private readonly options: StageOptions,
    readonly variant: Variant,
    public kernel: LpKernel,
  ) {
    this.table = this.upload(kernel.table.name, kernel.table.data, bufferUsage.STORAGE);
    this.params = this.upload("solve params", this.paramsOf(kernel), bufferUsage.UNIFORM);
  }

  /** Solves for the GPUs that are alive from now on: at once where the kernel has room for their topologies, which *lane* always has. */
  async setLiving(topologies: readonly Topology[]): Promise<void> {
    const data = this.kernel.tableOf(topologies);
    if (data) {
      this.device.queue.writeBuffer(this.table, 0, data);
      return;
    }
    const kernel = await this.variant.compile(this.device, topologies);
    this.destroy();
    this.kernel = kernel;
    this.table = this.upload(kernel.table.name, kernel.table.data, bufferUsage.STORAGE);
    this.params = this.upload("solve params", this.paramsOf(kernel), bufferUsage.UNIFORM);
  }

  private paramsOf({ sizes }: LpKernel): Uint32Array<ArrayBuffer> {
    const { layers, skipBelow } = this.options;
    return solveParams(layers, sizes, { hasBase: true, hasSkip: skipBelow > 0 }); // zeros where there is none
  }

  private upload(label: string, data: Uint32Array<ArrayBuffer>, usage: number): GPUBuffer {
    const size = data.byteLength;
    const buffer = this.device.createBuffer({ label: `balancer ${label}`, size, usage: usage | bufferUsage.COPY_DST });
    this.device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  }

  destroy(): void {
    this.table.destroy();
    this.params.destroy();
  }
}
