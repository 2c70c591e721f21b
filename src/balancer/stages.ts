import { bindCache } from "../gpu/buffers.ts";
import { bufferUsage } from "../gpu/constants.ts";
import { bind, type CompiledKernel } from "../gpu/pipeline.ts";
import { type PassTimer, passTimer } from "../gpu/timing.ts";
import { compileLane, encodeSolve, solveParams } from "../lp/kernels/lane.ts";
import { proofWords, topologyTable } from "../lp/kernels/topology_table.ts";
import type { Topology } from "../lp/topology.ts";
import type { Placement } from "../placement/placement.ts";
import { compileApportion } from "./kernels/apportion.ts";
import { BALANCE_PARAMS_BYTES, balanceParams, chunksOf, LANES, placementTable } from "./kernels/balance_params.ts";
import { compileCount } from "./kernels/count.ts";
import { compileImbalance, METRICS_WORDS } from "./kernels/imbalance.ts";
import { compileOffsets } from "./kernels/offsets.ts";
import { compileRemap } from "./kernels/remap.ts";
import { compileShares } from "./kernels/shares.ts";
import type { Living } from "./living.ts";

const WORD = 4;

export interface StageOptions {
  placements: readonly Placement[];
  /** Of all GPUs: everything is sized for them. */
  topologies: readonly Topology[];
  /** Those that are alive; all are, if undefined. */
  living?: Living;
  layers: number;
  /** The most assignments N of a layer. */
  maxAssignments: number;
  skipBelow: number;
  late: boolean;
}

/** What one recording works on. The parts that a caller may bring are bindings; everything else is the stages' own. */
export interface StageBuffers {
  ids: GPUBufferBinding;
  physical: GPUBufferBinding;
  rank?: { counts: GPUBufferBinding; before: GPUBufferBinding };
  shares?: GPUBufferBinding;
}

/** The balancer's own buffers, by name. */
export type OwnBuffers = Record<
  | "ids"
  | "physical"
  | "counts"
  | "outOfRange"
  | "unserved"
  | "quota"
  | "gpuLoadBefore"
  | "busyBefore"
  | "metricsBefore"
  | "gpuLoadAfter"
  | "busyAfter"
  | "metricsAfter"
  | "skip"
  | "proof",
  GPUBuffer
>;

export interface Stages {
  readonly own: OwnBuffers;
  /** Times the stages recorded with it; undefined where the device has no timestamps. */
  readonly timer: PassTimer | undefined;
  /**
   * Records count, imbalance, solve and remap of `assignments` assignments per layer. Allocates nothing but, for sizes and buffers not seen
   * before, a uniform buffer and bind groups.
   */
  encode(encoder: GPUCommandEncoder, buffers: StageBuffers, assignments: number, timed: boolean): void;
  /** What is submitted from now on is for the GPUs that are alive: tables are written anew, and the quotas of dead slots cleared. */
  setLiving(living: Living): void;
  /** Records a dispatch that binds a storage buffer and does nothing. */
  touch(encoder: GPUCommandEncoder, binding: GPUBufferBinding): void;
  destroy(): void;
}

/** Compiles every stage and allocates for the largest batch. */
export async function createStages(device: GPUDevice, options: StageOptions): Promise<Stages> {
  const { placements, topologies, layers, maxAssignments, skipBelow, late } = options;
  const table = placementTable(placements);
  const topology = topologyTable(topologies);
  const { gpus, experts, slots } = table;
  const equalSpeeds = topologies.every((one) => one.equalSpeeds);
  const [count, offsets, evenSplit, scaled, solve, imbalance, shares, remap] = await Promise.all([
    compileCount(device, experts),
    compileOffsets(device),
    compileApportion(device, true),
    compileApportion(device, false),
    compileLane(device, topology, equalSpeeds),
    compileImbalance(device),
    compileShares(device),
    compileRemap(device, experts),
  ]);

  const allocated: GPUBuffer[] = [];
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = bufferUsage;
  const create = (label: string, bytes: number, usage = STORAGE | COPY_SRC | COPY_DST) => {
    const buffer = device.createBuffer({ label: `balancer ${label}`, size: Math.max(16, bytes), usage });
    allocated.push(buffer);
    return buffer;
  };
  const words = (label: string, length: number) => create(label, length * WORD);
  const filled = (label: string, data: Uint32Array<ArrayBuffer>, usage: number) => {
    const buffer = create(label, data.byteLength, usage | COPY_DST);
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  };
  const own: OwnBuffers = {
    ids: words("ids", layers * maxAssignments),
    physical: words("physical", layers * maxAssignments),
    counts: words("counts", layers * experts),
    outOfRange: words("out of range", layers),
    unserved: words("unserved", layers),
    quota: words("quota", layers * slots),
    gpuLoadBefore: words("gpu load before", layers * gpus),
    busyBefore: words("busy before", layers * gpus),
    metricsBefore: words("metrics before", layers * METRICS_WORDS),
    gpuLoadAfter: words("gpu load after", layers * gpus),
    busyAfter: words("busy after", layers * gpus),
    metricsAfter: words("metrics after", layers * METRICS_WORDS),
    skip: words("skip", layers),
    proof: words("proof", layers * proofWords(gpus)),
  };
  const chunkCounts = words("chunk counts", layers * chunksOf(maxAssignments) * experts);
  const noneBefore = words("tokens of earlier ranks", layers * experts); // zero
  const previous = words("previous quota", layers * slots); // zero at first: an even split
  const skipAfter = words("skip after", layers); // written by the second imbalance, read by nobody
  const placement = filled("placement", table.data, STORAGE);
  const topologyBuffer = filled("topology", topology.data, STORAGE);
  const flags = { hasBase: false, hasSkip: skipBelow > 0 };
  const solveParamsBuffer = filled("solve params", solveParams(layers, topology, flags), UNIFORM);
  const paramsOf = new Map<number, GPUBuffer>();

  const remembered = bindCache<ReturnType<typeof bindAll>>();

  function bindAll({ ids, physical, rank, shares: sharesOut }: StageBuffers, assignments: number) {
    let params = paramsOf.get(assignments);
    if (!params) {
      params = create("params", BALANCE_PARAMS_BYTES, UNIFORM | COPY_DST);
      device.queue.writeBuffer(params, 0, balanceParams(table, layers, assignments, skipBelow));
      paramsOf.set(assignments, params);
    }
    const whole = (buffer: GPUBuffer): GPUBufferBinding => ({ buffer });
    const counts = rank?.counts ?? whole(own.counts);
    const solved = whole(late ? previous : own.quota);
    const shared = {
      params: whole(params),
      placement: whole(placement),
      counts,
      quota: whole(own.quota),
      chunkCounts: whole(chunkCounts),
    };
    return {
      count: bind(device, count, { ...shared, ids, counts: whole(own.counts), outOfRange: whole(own.outOfRange) }),
      offsets: bind(device, offsets, { ...shared, before: rank?.before ?? whole(noneBefore) }),
      evenSplit: bind(device, evenSplit, { ...shared, weights: whole(placement) }), // weights are not read
      imbalanceBefore: bind(device, imbalance, {
        ...shared,
        gpuLoad: whole(own.gpuLoadBefore),
        busy: whole(own.busyBefore),
        metrics: whole(own.metricsBefore),
        skip: whole(own.skip),
      }),
      scaled: bind(device, scaled, { ...shared, weights: whole(previous) }),
      solve: bind(device, solve, {
        topology: whole(topologyBuffer),
        load: counts,
        base: counts, // not read
        skip: whole(own.skip),
        quota: solved,
        proof: whole(own.proof),
        params: whole(solveParamsBuffer),
      }),
      imbalanceAfter: bind(device, imbalance, {
        ...shared,
        gpuLoad: whole(own.gpuLoadAfter),
        busy: whole(own.busyAfter),
        metrics: whole(own.metricsAfter),
        skip: whole(skipAfter),
      }),
      shares: sharesOut && bind(device, shares, { ...shared, shares: sharesOut }),
      remap: bind(device, remap, {
        ...{ ...shared, ids, offsets: whole(chunkCounts), physical },
        unserved: whole(own.unserved),
      }),
    };
  }

  const timer = device.features.has("timestamp-query") ? passTimer(device, STAGES) : undefined;

  function encode(encoder: GPUCommandEncoder, buffers: StageBuffers, assignments: number, timed: boolean): void {
    const { ids, physical, rank, shares: sharesOut } = buffers;
    const parts = [assignments, ids, physical, rank?.counts, rank?.before, sharesOut];
    const groups = remembered(parts, () => bindAll(buffers, assignments));
    const perExpert = [Math.ceil(experts / LANES), layers] as const;
    const perChunk = [chunksOf(assignments), layers] as const;
    const run = (pass: GPUComputePassEncoder, kernel: CompiledKernel, group: GPUBindGroup, x: number, y = 1) => {
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(x, y);
    };
    const solveLayers = (pass: GPUComputePassEncoder) => encodeSolve(device, pass, solve, groups.solve, layers);
    const stages: Record<Stage, (pass: GPUComputePassEncoder) => void> = {
      count(pass) {
        run(pass, count, groups.count, ...perChunk);
        run(pass, offsets, groups.offsets, ...perExpert);
      },
      imbalance(pass) {
        run(pass, evenSplit, groups.evenSplit, ...perExpert);
        run(pass, imbalance, groups.imbalanceBefore, layers);
      },
      solve(pass) {
        if (late) run(pass, scaled, groups.scaled, ...perExpert);
        else solveLayers(pass);
        run(pass, imbalance, groups.imbalanceAfter, layers);
        if (groups.shares) run(pass, shares, groups.shares, ...perExpert);
      },
      remap(pass) {
        run(pass, remap, groups.remap, ...perChunk);
        if (late) solveLayers(pass); // for the next batch
      },
    };
    encoder.clearBuffer(own.counts);
    encoder.clearBuffer(own.outOfRange);
    encoder.clearBuffer(own.unserved);
    if (timed && timer) {
      for (const stage of STAGES) {
        const pass = encoder.beginComputePass({ label: stage, timestampWrites: timer.writes(stage) });
        stages[stage](pass);
        pass.end();
      }
      timer.resolve(encoder);
      return;
    }
    const pass = encoder.beginComputePass({ label: "balancer" });
    for (const stage of STAGES) stages[stage](pass);
    pass.end();
  }

  function setLiving({ active, slots: livingSlots, topologies: livingTopologies }: Living): void {
    device.queue.writeBuffer(placement, 0, placementTable(livingSlots, active).data);
    device.queue.writeBuffer(topologyBuffer, 0, topologyTable(livingTopologies, topology).data);
    const encoder = device.createCommandEncoder({ label: "balancer living" });
    for (let layer = 0; layer < layers; layer++) {
      const { gpuOf, slotsPerGpu } = placements[layer % placements.length];
      for (const [g, count] of slotsPerGpu.entries()) {
        if (active?.[g] !== 0 || count === 0) continue;
        const range = [(layer * slots + gpuOf.indexOf(g)) * WORD, count * WORD] as const;
        encoder.clearBuffer(own.quota, ...range);
        encoder.clearBuffer(previous, ...range);
      }
    }
    device.queue.submit([encoder.finish()]);
  }
  if (options.living?.active) setLiving(options.living);

  const noSizes = create("no sizes", BALANCE_PARAMS_BYTES, UNIFORM); // zero experts: nothing to do

  function touch(encoder: GPUCommandEncoder, binding: GPUBufferBinding): void {
    const pass = encoder.beginComputePass({ label: "touch" });
    pass.setPipeline(offsets.pipeline);
    const unused = { chunkCounts: { buffer: chunkCounts }, params: { buffer: noSizes } };
    pass.setBindGroup(0, bind(device, offsets, { before: binding, ...unused }));
    pass.dispatchWorkgroups(1);
    pass.end();
  }

  function destroy(): void {
    for (const buffer of allocated) buffer.destroy();
    timer?.destroy();
  }
  return { own, timer, encode, setLiving, touch, destroy };
}

export const STAGES = ["count", "imbalance", "solve", "remap"] as const;
export type Stage = (typeof STAGES)[number];
