/** What distances add to the stages on a device: who has which tokens, which quotas they fill, and the ids handed out by that. */
import { bind, type CompiledKernel, foldGrid } from "../gpu/pipeline.ts";
import { compileMatchSources, matchGrid } from "../lp/kernels/match_sources.ts";
import { type SourceTable, sourceTable } from "../lp/kernels/source_table.ts";
import { compileTraffic } from "../lp/kernels/traffic.ts";
import type { Topology } from "../lp/topology.ts";
import { type Distance, isUniform } from "../placement/distance.ts";
import { LANES } from "./kernels/balance_params.ts";
import { compileCaps } from "./kernels/caps.ts";
import { compileCountSources } from "./kernels/count_sources.ts";
import { compileRemap } from "./kernels/remap.ts";
import { compileSourceStarts } from "./kernels/source_starts.ts";
import type { StageBuffer } from "./stage_buffers.ts";
import type { StageOptions } from "./stage_options.ts";

type SourceKernel = "countSources" | "sourceStarts" | "caps" | "match" | "traffic" | "remap";

/** The bindings of the stages' own buffers, as a recording uses them. */
export type Own = Readonly<Record<StageBuffer, GPUBufferBinding>>;

/** What one recording works on besides. */
export interface SourceBuffers {
  ids: GPUBufferBinding;
  physical: GPUBufferBinding;
  params: GPUBufferBinding;
  base: GPUBufferBinding;
  /** One rank's: the counts of all. Undefined: all tokens are here, dealt to the sources. */
  bySource: GPUBufferBinding | undefined;
}

export class SourceStages {
  /** Whether all distances are equal among the living: then quotas stay as they are. */
  private uniform = false;

  private constructor(
    private readonly device: GPUDevice,
    private readonly options: StageOptions,
    private readonly distance: Distance,
    private readonly table: SourceTable,
    private readonly kernels: Readonly<Record<SourceKernel, CompiledKernel>>,
  ) {
    this.setUniform(options.topologies);
  }

  /**
   * @throws {KernelError} The device's compiler refuses a kernel.
   */
  static async create(
    device: GPUDevice,
    options: StageOptions,
    distance: Distance,
    table: SourceTable,
  ): Promise<SourceStages> {
    const [countSources, sourceStarts, caps, match, traffic, remap] = await Promise.all([
      compileCountSources(device),
      compileSourceStarts(device),
      compileCaps(device),
      compileMatchSources(device, table),
      compileTraffic(device, table),
      compileRemap(device, table.experts, true),
    ]);
    const kernels = { countSources, sourceStarts, caps, match, traffic, remap };
    return new SourceStages(device, options, distance, table, kernels);
  }

  /** How much distance a step of the potentials is. */
  get step(): number {
    return this.table.step;
  }

  /** Whether quotas are chosen by distance, and not only filled by it. */
  get choosesQuotas(): boolean {
    return !this.uniform && !this.options.late;
  }

  private setUniform(topologies: readonly Topology[]): void {
    this.uniform = isUniform(this.distance, topologies[0].label);
  }

  /** The table of what is alive, as long as that of all GPUs. */
  living(topologies: readonly Topology[]): Uint32Array<ArrayBuffer> {
    this.setUniform(topologies);
    return sourceTable(topologies, this.distance, this.table).data;
  }

  /** What each step dispatches; `chunks` are of the ids. */
  recorder(own: Own, given: SourceBuffers, chunks: number) {
    const { layers } = this.options;
    const groups = this.bindAll(own, given);
    const run = (pass: GPUComputePassEncoder, kernel: SourceKernel, x: number, y = 1) => {
      pass.setPipeline(this.kernels[kernel].pipeline);
      pass.setBindGroup(0, groups[kernel]);
      pass.dispatchWorkgroups(x, y);
    };
    return {
      count: (pass: GPUComputePassEncoder) => {
        if (!given.bySource) run(pass, "countSources", chunks, layers);
        run(pass, "sourceStarts", Math.ceil(this.table.experts / LANES), layers);
      },
      match: (pass: GPUComputePassEncoder) => run(pass, "match", ...matchGrid(this.table, layers)),
      /** After `match`, of quotas whose loads are told. */
      choose: (pass: GPUComputePassEncoder) => {
        run(pass, "caps", Math.ceil(layers / LANES));
        const [x, y] = foldGrid(this.device, layers);
        run(pass, "traffic", x, y);
      },
      remap: (pass: GPUComputePassEncoder) => run(pass, "remap", chunks, layers),
    };
  }

  private bindAll(own: Own, { ids, physical, params, base, bySource }: SourceBuffers) {
    const { device, kernels } = this;
    const sourceLoad = bySource ?? own.bySource;
    const lps = {
      table: own.sourceTable,
      sourceLoad,
      quota: own.quota,
      sourceQuota: own.sourceQuota,
      params: own.sourceParams,
    };
    const ofIds = { placement: own.placement, ids, params };
    return {
      countSources: bind(device, kernels.countSources, { ...ofIds, bySource: own.bySource }),
      sourceStarts: bind(device, kernels.sourceStarts, {
        ...{ bySource: sourceLoad, start: own.sourceStart, counts: bySource ? own.rankCounts : own.counts, params },
      }),
      caps: bind(device, kernels.caps, {
        ...{ placement: own.placement, load: own.gpuLoadAfter, base, pace: own.pace, cap: own.caps, params },
      }),
      match: bind(device, kernels.match, lps),
      traffic: bind(device, kernels.traffic, {
        ...{ ...lps, cap: own.caps, skip: own.skip, flow: own.sourceFlow, proof: own.trafficProof },
      }),
      remap: bind(device, kernels.remap, {
        ...{ ...ofIds, offsets: own.chunkCounts, quota: own.sourceQuota, start: own.sourceStart },
        ...{ physical, unserved: own.unserved },
      }),
    };
  }
}
