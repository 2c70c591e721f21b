import { bindCache, write } from "../gpu/buffers.ts";
import { bufferUsage, WORD } from "../gpu/constants.ts";
import { createJob } from "../gpu/job.ts";
import { bind } from "../gpu/pipeline.ts";
import { variantFor } from "../lp/kernels/choose.ts";
import { encodeSolve } from "../lp/kernels/variant.ts";
import { ofLayer } from "../placement/per_layer.ts";
import { wordsOf } from "./base_load.ts";
import {
  BALANCE_PARAMS_BYTES,
  balanceParams,
  chunksOf,
  LANES,
  type PlacementTable,
  placementTable,
} from "./kernels/balance_params.ts";
import type { Living } from "./living.ts";
import { SourceStages } from "./source_stages.ts";
import { outputBytes, type StageJob, type StageOutput, stageContents } from "./stage_buffers.ts";
import { compileStages, type StageKernel, type StageKernels, StageSolver } from "./stage_kernels.ts";
import type { StageOptions } from "./stage_options.ts";

/** What one recording works on. The parts that a caller may bring are bindings; everything else is the stages' own. */
export interface StageBuffers {
  ids: GPUBufferBinding;
  physical: GPUBufferBinding;
  rank?: { counts: GPUBufferBinding; before: GPUBufferBinding };
  /** Instead, with distances: [L, S, E] of all ranks, and which this one is. */
  sourceRank?: { bySource: GPUBufferBinding; rank: number };
  /** [L, G]; that of the options, if undefined. */
  baseLoad?: GPUBufferBinding;
  shares?: GPUBufferBinding;
}

export const STAGES = ["count", "imbalance", "solve", "remap"] as const;
export type Stage = (typeof STAGES)[number];

/** What its user can do about a lost device. */
export const REMEDY = "Make a new balancer, or one with recover: true.";

/**
 * Compiles every stage and allocates for the largest batch.
 *
 * @throws {DeviceError} No variant takes the topologies on this device.  @throws {KernelError} Its compiler refuses a kernel.
 */
export async function createStages(device: GPUDevice, options: StageOptions): Promise<Stages> {
  const variant = variantFor(device, options.topologies);
  const [kernels, kernel] = await Promise.all([
    compileStages(device, options.placements[0].logicalExperts, options.topologies[0].cost !== undefined),
    variant.compile(device, options.topologies),
  ]);
  const solver = new StageSolver(device, options, variant, kernel);
  const { distance, sourceTable: table } = options;
  const sources = distance && table && (await SourceStages.create(device, options, distance, table));
  const job = createJob(device, stageContents(options), {
    ...{ label: "balancer", remedy: REMEDY, uniforms: ["noSizes", "sourceParams"], passes: STAGES },
    outputs: Object.keys(outputBytes(options)) as StageOutput[],
  });
  const stages = new Stages(device, options, kernels, solver, job, sources);
  if (options.living?.active) await stages.setLiving(options.living);
  return stages;
}

export class Stages {
  private readonly table: PlacementTable;
  private readonly paramsOf = new Map<string, GPUBuffer>();
  private readonly remembered = bindCache<ReturnType<Stages["bindAll"]>>();

  constructor(
    private readonly device: GPUDevice,
    private readonly options: StageOptions,
    private readonly kernels: StageKernels,
    readonly solver: StageSolver,
    readonly job: StageJob,
    readonly sources: SourceStages | undefined,
  ) {
    this.table = placementTable(options.placements);
  }

  /**
   * Records count, imbalance, solve and remap of `assignments` assignments per layer. Allocates nothing but, for sizes and buffers not seen
   * before, a uniform buffer and bind groups.
   *
   * @param timed  Whether each stage is a pass of its own, whose time is taken.
   */
  encode(encoder: GPUCommandEncoder, buffers: StageBuffers, assignments: number, timed: boolean): void {
    const { counts, outOfRange, unserved, bySource } = this.job.buffers;
    for (const sum of [counts, outOfRange, unserved, bySource]) encoder.clearBuffer(sum);
    const record = this.recorder(buffers, assignments);
    const { timer } = this.job;
    if (timed && timer) {
      for (const stage of STAGES) {
        const pass = encoder.beginComputePass({ label: stage, timestampWrites: timer.writes(stage) });
        record[stage](pass);
        pass.end();
      }
      timer.resolve(encoder);
      return;
    }
    const pass = encoder.beginComputePass({ label: "balancer" });
    for (const stage of STAGES) record[stage](pass);
    pass.end();
  }

  /** What each stage dispatches. */
  private recorder(buffers: StageBuffers, assignments: number): Record<Stage, (pass: GPUComputePassEncoder) => void> {
    const { kernels, solver, device } = this;
    const { layers, late } = this.options;
    const { ids, physical, rank, sourceRank, baseLoad, shares } = buffers;
    const parts = [assignments, { buffer: solver.table }, ids, physical, rank?.counts, rank?.before, baseLoad, shares];
    parts.push(sourceRank?.bySource, sourceRank?.rank);
    const groups = this.remembered(parts, () => this.bindAll(buffers, assignments));
    const { sources } = groups;
    const choosesQuotas = this.sources?.choosesQuotas === true;
    const perExpert = [Math.ceil(this.table.experts / LANES), layers] as const;
    const perChunk = [chunksOf(assignments), layers] as const;
    const run = (pass: GPUComputePassEncoder, kernel: StageKernel, group: GPUBindGroup, x: number, y = 1) => {
      pass.setPipeline(kernels[kernel].pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(x, y);
    };
    const tellTimes = (pass: GPUComputePassEncoder, group: GPUBindGroup | undefined) => {
      if (!kernels.timeImbalance || !group) return;
      pass.setPipeline(kernels.timeImbalance.pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(layers);
    };
    const solve = (pass: GPUComputePassEncoder) => encodeSolve(device, pass, solver.kernel, groups.solve, layers);
    return {
      count(pass) {
        run(pass, "count", groups.count, ...perChunk);
        sources?.count(pass);
        run(pass, "offsets", groups.offsets, ...perExpert);
      },
      imbalance(pass) {
        run(pass, "evenSplit", groups.evenSplit, ...perExpert);
        run(pass, "imbalance", groups.imbalanceBefore, layers);
        tellTimes(pass, groups.timesBefore);
      },
      solve(pass) {
        if (late) run(pass, "scaled", groups.scaled, ...perExpert);
        else solve(pass);
        run(pass, "imbalance", groups.imbalanceAfter, layers);
        tellTimes(pass, groups.timesAfter);
        sources?.match(pass);
        if (sources && choosesQuotas) {
          sources.choose(pass);
          run(pass, "imbalance", groups.imbalanceAfter, layers); // as it is then
        }
        if (groups.shares) run(pass, "shares", groups.shares, ...perExpert);
      },
      remap(pass) {
        if (sources) sources.remap(pass);
        else run(pass, "remap", groups.remap, ...perChunk);
        if (late) solve(pass); // for the next batch
      },
    };
  }

  private bindAll({ ids, physical, rank, sourceRank, baseLoad, shares }: StageBuffers, assignments: number) {
    const { device, kernels, solver } = this;
    const own = this.job.bindings;
    const counts = sourceRank ? own.rankCounts : (rank?.counts ?? own.counts);
    const params = { buffer: this.paramsFor(assignments, sourceRank?.rank) };
    const { placement, quota, chunkCounts } = own;
    const { noTokens, curve, rate } = own;
    const base = baseLoad ?? own.baseLoad;
    const { timeImbalance } = kernels;
    const tokens = timeImbalance ? noTokens : base;
    const shared = { params, placement, counts, base: tokens, quota, chunkCounts };
    const times = (more: Record<string, GPUBufferBinding>) =>
      timeImbalance && bind(device, timeImbalance, { ...shared, base, curve, rate, ...more });
    const bindStage = (kernel: StageKernel, more: Record<string, GPUBufferBinding>) =>
      bind(device, kernels[kernel], { ...shared, ...more });
    return {
      count: bindStage("count", { ids, counts: own.counts, outOfRange: own.outOfRange }),
      offsets: bindStage("offsets", { before: rank?.before ?? own.noneBefore }),
      evenSplit: bindStage("evenSplit", { weights: placement }), // weights are not read
      imbalanceBefore: bindStage("imbalance", {
        ...{ gpuLoad: own.gpuLoadBefore, busy: own.busyBefore, metrics: own.metricsBefore, skip: own.skip },
      }),
      timesBefore: times({ time: own.timeBefore, metrics: own.timeMetricsBefore, skip: own.skip }),
      timesAfter: times({ time: own.timeAfter, metrics: own.timeMetricsAfter, skip: own.skipAfter }),
      scaled: bindStage("scaled", { weights: own.previous }),
      solve: bind(device, solver.kernel.compiled, {
        [solver.kernel.table.name]: { buffer: solver.table },
        load: counts,
        base,
        curve,
        skip: own.skip,
        quota: this.options.late ? own.previous : quota,
        proof: own.proof,
        params: { buffer: solver.params },
      }),
      imbalanceAfter: bindStage("imbalance", {
        ...{ gpuLoad: own.gpuLoadAfter, busy: own.busyAfter, metrics: own.metricsAfter, skip: own.skipAfter },
      }),
      shares: shares && bindStage("shares", { shares }),
      // Nobody's starts are read.
      remap: bindStage("remap", {
        ...{ ids, offsets: chunkCounts, start: own.noneBefore, physical, unserved: own.unserved },
      }),
      sources: this.sources?.recorder(
        own,
        { ids, physical, params, base, bySource: sourceRank?.bySource },
        chunksOf(assignments),
      ),
    };
  }

  private paramsFor(assignments: number, rank: number | undefined): GPUBuffer {
    const key = `${assignments} ${rank}`;
    const known = this.paramsOf.get(key);
    if (known) return known;
    const { layers, skipBelow, topK, distance } = this.options;
    const sources = distance && { topK, sources: distance.sources, rank };
    const usage = bufferUsage.UNIFORM | bufferUsage.COPY_DST;
    const params = this.device.createBuffer({ label: "balancer params", size: BALANCE_PARAMS_BYTES, usage });
    this.device.queue.writeBuffer(params, 0, balanceParams(this.table, layers, assignments, skipBelow, sources));
    this.paramsOf.set(key, params);
    return params;
  }

  /** What is submitted from now on is for the GPUs that are alive: tables are written anew, and the quotas of dead slots cleared. */
  async setLiving({ active, slots: livingSlots, topologies, baseLoad }: Living): Promise<void> {
    const { device, options, job, table } = this;
    await this.solver.setLiving(topologies);
    device.queue.writeBuffer(job.buffers.placement, 0, placementTable(livingSlots, active).data);
    if (baseLoad) write(device, job.buffers.baseLoad, wordsOf(baseLoad));
    if (this.sources) device.queue.writeBuffer(job.buffers.sourceTable, 0, this.sources.living(topologies));
    const encoder = device.createCommandEncoder({ label: "balancer living" });
    for (let layer = 0; layer < options.layers; layer++) {
      const { gpuOf, slotsPerGpu } = ofLayer(options.placements, layer);
      for (const [g, count] of slotsPerGpu.entries()) {
        if (active?.[g] !== 0 || count === 0) continue;
        const range = [(layer * table.slots + gpuOf.indexOf(g)) * WORD, count * WORD] as const;
        encoder.clearBuffer(job.buffers.quota, ...range);
        encoder.clearBuffer(job.buffers.previous, ...range);
      }
    }
    device.queue.submit([encoder.finish()]);
  }

  /** Records a dispatch that binds a storage buffer and does nothing. */
  touch(encoder: GPUCommandEncoder, binding: GPUBufferBinding): void {
    const { offsets } = this.kernels;
    const { chunkCounts, noSizes } = this.job.bindings;
    const pass = encoder.beginComputePass({ label: "touch" });
    pass.setPipeline(offsets.pipeline);
    pass.setBindGroup(0, bind(this.device, offsets, { before: binding, chunkCounts, params: noSizes }));
    pass.dispatchWorkgroups(1);
    pass.end();
  }

  destroy(): void {
    this.job.destroy();
    this.solver.destroy();
    for (const params of this.paramsOf.values()) params.destroy();
  }
}
