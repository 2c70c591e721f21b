import { ArgumentError, type DeviceError } from "../common/errors.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";
import { Pauses } from "../common/pauses.ts";
import { bindCache, bindingOf, requireAlive, requireDistinct, storage, write } from "../gpu/buffers.ts";
import { bufferUsage, MAP_READ_MODE } from "../gpu/constants.ts";
import { lossError, watchLoss } from "../gpu/loss.ts";
import { encoderOf, requireOwnEncoder } from "../gpu/origin.ts";
import { bind } from "../gpu/pipeline.ts";
import type { BufferSlice, GPUCommandEncoderLike } from "../gpu/types.ts";
import { decodeProofs, encodeSolve, solveParams } from "./kernels/lane.ts";
import { type KernelChoice, type PlannedKernel, planKernel } from "./kernels/plan.ts";
import { proofWords } from "./kernels/topology_table.ts";
import { type Loads, rowsOf } from "./problem.ts";
import { emptyRaw, type RawSolution } from "./solution.ts";
import { NO_REPLICA, type Topology } from "./topology.ts";

/**
 * The caller's buffers for `encode`, on the solver's device, usage STORAGE, 32-bit words, row-major without gaps. Offsets must be multiples
 * of the device's minStorageBufferOffsetAlignment. In the edge form expertLoad is the capacities, baseLoad the loads minus
 * the capacities that leave, and quota has two slots per edge: what stays, what moves.
 */
export interface SolverBuffers {
  /** B */
  batch: number;
  /** [B, E] i32 >= 0; with the magnitudes of base loads, an LP's sum must stay below 2^31. Not checked. */
  expertLoad: BufferSlice;
  /** [B, gpus] i32; of dead GPUs not read. */
  baseLoad?: BufferSlice;
  /** [B, P] i32, written. */
  quota: BufferSlice;
  /** [B, 3 + ceil(gpus / 32)] u32, written: status (0 optimal, 1 gap), iterations, moves, bottleneck set as bits. */
  proof: BufferSlice;
}

const bufferFields = {
  ...{ batch: true, expertLoad: true, baseLoad: true, quota: true, proof: true },
} satisfies FieldsOf<SolverBuffers>;

/** Buffers for up to `capacity` LPs of one dispatch. */
interface Buffers {
  capacity: number;
  load: GPUBuffer;
  base: GPUBuffer;
  quota: GPUBuffer;
  proof: GPUBuffer;
  params: GPUBuffer;
  readback: GPUBuffer;
}

/** @internal */
export interface WebgpuBackend {
  solve(loads: Loads, pauses?: Pauses): Promise<RawSolution>;
  encode(encoder: GPUCommandEncoderLike, buffers: SolverBuffers): void;
  checkBuffers(buffers: SolverBuffers, encoder?: GPUCommandEncoderLike): Promise<void>;
  readonly kernel: PlannedKernel;
  /** The error of every further call, once the device is lost. */
  lost(): DeviceError | undefined;
  destroy(): void;
}

const WORD = 4;
const PARAMS_BYTES = 32;
/** LPs in one dispatch at most: some drivers reset a GPU that is busy for seconds. */
const LONGEST_DISPATCH = 65536;
/** Bytes of a buffer that are copied in one piece: a few milliseconds. */
const LARGEST_COPY = 2 ** 24;

/** The `solve` kernel on one device: buffers grow to the largest batch seen and are kept. Calls must not overlap. @internal */
export async function webgpuBackend(
  device: GPUDevice,
  topology: Topology,
  choice: KernelChoice,
): Promise<WebgpuBackend> {
  const { gpus: living, allGpus: gpus, label, experts, slots } = topology;
  const words = proofWords(gpus);
  const loss = watchLoss(device);
  const lost = (cause?: unknown) => {
    const info = loss();
    return info && lossError(info, REMEDY, cause);
  };
  const requireDevice = () => {
    const error = lost();
    if (error) throw error;
  };
  const tables: GPUBuffer[] = [];
  let destroyed = false;
  const kernel = await planKernel(device, topology, choice, (label, data) => {
    const buffer = createBuffer(label, data.byteLength, bufferUsage.STORAGE | bufferUsage.COPY_DST);
    if (destroyed) buffer.destroy();
    else device.queue.writeBuffer(buffer, 0, data);
    tables.push(buffer);
    return buffer;
  });
  let buffers: Buffers | undefined;

  // More LPs than the largest binding holds go in several dispatches.
  const rowBytes = WORD * Math.max(experts, gpus, slots, words);
  const largest = Math.min(LARGEST_COPY, device.limits.maxStorageBufferBindingSize);
  const most = Math.max(1, Math.min(LONGEST_DISPATCH, Math.floor(largest / rowBytes)));

  function createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    return device.createBuffer({ label: `solve ${label}`, size: Math.max(16, bytes), usage });
  }

  function buffersFor(batch: number): Buffers {
    if (buffers && buffers.capacity >= batch) return buffers;
    if (buffers) release(buffers);
    const input = bufferUsage.STORAGE | bufferUsage.COPY_DST;
    const output = bufferUsage.STORAGE | bufferUsage.COPY_SRC;
    const load = createBuffer("load", batch * experts * WORD, input);
    const base = createBuffer("base", batch * gpus * WORD, input);
    const quota = createBuffer("quota", batch * slots * WORD, output);
    const proof = createBuffer("proof", batch * words * WORD, output);
    const params = createBuffer("params", PARAMS_BYTES, bufferUsage.UNIFORM | bufferUsage.COPY_DST);
    const readbackBytes = batch * (slots + words) * WORD;
    const readback = createBuffer("readback", readbackBytes, bufferUsage.MAP_READ | bufferUsage.COPY_DST);
    buffers = { capacity: batch, load, base, quota, proof, params, readback };
    return buffers;
  }

  function bindAll(
    parts: Record<"load" | "base" | "quota" | "proof", GPUBufferBinding>,
    params: GPUBuffer,
  ): GPUBindGroup {
    const { compiled, table } = kernel.current;
    const own = { [table.name]: table.binding, params: { buffer: params } };
    return bind(device, compiled, { ...own, ...parts, skip: parts.load }); // skip is not read
  }

  const remembered = bindCache<GPUBindGroup>();
  const paramsOf = new Map<string, GPUBuffer>();

  /** The caller's buffers, checked. */
  function partsOf(given: SolverBuffers) {
    requireObject("buffers", given, bufferFields);
    const { batch, expertLoad, baseLoad, quota, proof } = given;
    if (!Number.isInteger(batch) || batch < 1) throw new ArgumentError("batch", "an integer >= 1", batch);
    const load = bindingOf(device, "expertLoad", expertLoad, batch * experts * WORD, storage);
    const parts = {
      load,
      base: baseLoad ? bindingOf(device, "baseLoad", baseLoad, batch * gpus * WORD, storage) : load, // not read
      quota: bindingOf(device, "quota", quota, batch * slots * WORD, storage),
      proof: bindingOf(device, "proof", proof, batch * words * WORD, storage),
    };
    for (const [name, written] of Object.entries({ quota: parts.quota, proof: parts.proof })) {
      requireDistinct(name, written, "expertLoad", parts.load);
      requireDistinct(name, written, "baseLoad", parts.base);
    }
    return parts;
  }

  function encode(given: GPUCommandEncoderLike, givenBuffers: SolverBuffers): void {
    requireDevice();
    const encoder = encoderOf(device, given);
    const parts = partsOf(givenBuffers);
    const { batch, baseLoad } = givenBuffers;
    const flags = { hasBase: baseLoad !== undefined, hasSkip: false };
    const sizes = `${batch} ${flags.hasBase}`; // a uniform of its own, since several encodings may wait for one submit
    let params = paramsOf.get(sizes);
    if (!params) {
      params = createBuffer("params", PARAMS_BYTES, bufferUsage.UNIFORM | bufferUsage.COPY_DST);
      device.queue.writeBuffer(params, 0, solveParams(batch, kernel.table, flags));
      paramsOf.set(sizes, params);
    }
    const sized = params;
    const group = remembered([sizes, kernel.current.table.binding, ...Object.values(parts)], () =>
      bindAll(parts, sized),
    );
    const pass = encoder.beginComputePass({ label: "solve" });
    encodeSolve(device, pass, kernel.current.compiled, group, batch, kernel.current.lpsPerWorkgroup);
    pass.end();
  }

  async function checkBuffers(given: SolverBuffers, encoder?: GPUCommandEncoderLike): Promise<void> {
    requireDevice();
    const { load, base, ...written } = partsOf(given);
    const bindings = { expertLoad: load, ...(given.baseLoad ? { baseLoad: base } : {}), ...written };
    const { quota, proof, params } = buffersFor(1);
    device.queue.writeBuffer(params, 0, new Uint32Array(PARAMS_BYTES / WORD)); // no LPs: nothing is done
    const uses = Object.entries(bindings).map(([name, binding]) => {
      const use = (encoder: GPUCommandEncoder) => {
        const parts = { load: binding, base: binding, quota: { buffer: quota }, proof: { buffer: proof } };
        const pass = encoder.beginComputePass({ label: `check ${name}` });
        encodeSolve(device, pass, kernel.current.compiled, bindAll(parts, params), 1, kernel.current.lpsPerWorkgroup);
        pass.end();
      };
      return [name, { binding, use }] as const;
    });
    await requireAlive(device, Object.fromEntries(uses));
    if (encoder) await requireOwnEncoder(device, encoder);
  }

  /** LPs first..first + count - 1 in one submit and one map. */
  async function solveChunk(loads: Loads, first: number, count: number, raw: RawSolution, pauses: Pauses) {
    const { expertLoad, baseLoad } = await uploadable(rowsOf(topology, loads, first, count), topology, pauses);
    const { load, base, quota, proof, params, readback } = buffersFor(count);
    const parts = {
      load: { buffer: load },
      base: { buffer: base },
      quota: { buffer: quota },
      proof: { buffer: proof },
    };
    const group = remembered([kernel.current.table.binding, ...Object.values(parts)], () => bindAll(parts, params));
    device.queue.writeBuffer(
      params,
      0,
      solveParams(count, kernel.table, { hasBase: baseLoad !== undefined, hasSkip: false }),
    );
    write(device, load, expertLoad);
    if (baseLoad) write(device, base, baseLoad);
    const encoder = device.createCommandEncoder({ label: "solve" });
    const pass = encoder.beginComputePass({ label: "solve" });
    encodeSolve(device, pass, kernel.current.compiled, group, count, kernel.current.lpsPerWorkgroup);
    pass.end();
    const quotaBytes = count * slots * WORD;
    const proofBytes = count * words * WORD;
    encoder.copyBufferToBuffer(quota, 0, readback, 0, quotaBytes);
    encoder.copyBufferToBuffer(proof, 0, readback, quotaBytes, proofBytes);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(MAP_READ_MODE, 0, quotaBytes + proofBytes); // right after submit: Dawn polls from here
    pauses.rested();
    const mapped = readback.getMappedRange(0, quotaBytes + proofBytes);
    raw.quota.set(new Int32Array(mapped, 0, count * slots), first * slots);
    const { member, iterations, moves } = decodeProofs(new Uint32Array(mapped, quotaBytes), count, gpus, label);
    readback.unmap();
    raw.member.set(member, first * living);
    raw.iterations.set(iterations, first);
    raw.moves.set(moves, first);
    if (loads.tokens === "integer") return;
    await pauses.inPieces(count, slots + experts, (from, end) => {
      for (let lp = first + from; lp < first + end; lp++) {
        conserve(topology, loads, lp, raw.quota.subarray(lp * slots, (lp + 1) * slots) as Float64Array);
      }
    });
  }

  async function solve(loads: Loads, pauses = new Pauses()): Promise<RawSolution> {
    requireDevice();
    try {
      const raw = emptyRaw(topology, loads);
      for (let first = 0; first < loads.batch; first += most) {
        pauses.signal?.throwIfAborted();
        await solveChunk(loads, first, Math.min(most, loads.batch - first), raw, pauses);
      }
      kernel.solved();
      return raw;
    } catch (cause) {
      await Promise.resolve(); // lets device.lost report first
      throw lost(cause) ?? cause;
    }
  }

  function destroy(): void {
    destroyed = true;
    for (const table of tables) table.destroy();
    if (buffers) release(buffers);
    buffers = undefined;
    for (const params of paramsOf.values()) params.destroy();
  }
  return { solve, encode, checkBuffers, kernel, lost: () => lost(), destroy };
}

function release(buffers: Buffers): void {
  for (const part of [buffers.load, buffers.base, buffers.quota, buffers.proof, buffers.params, buffers.readback]) {
    part.destroy();
  }
}

const REMEDY = `Create a new solver, or use backend "auto" or "cpu".`;

/** Fractions are solved as whole units, this many in an LP: rounding to them costs about 1e-9 of the total. */
const UNITS = 2 ** 30;

/** [B, living GPUs] as the kernels read base loads: [B, all GPUs]. */
function ofAll({ gpus, allGpus, label }: Topology, living: Int32Array): Int32Array<ArrayBuffer> {
  if (gpus === allGpus) return living as Int32Array<ArrayBuffer>;
  const all = new Int32Array((living.length / gpus) * allGpus);
  for (const [i, load] of living.entries()) all[Math.floor(i / gpus) * allGpus + label[i % gpus]] = load;
  return all;
}

/**
 * Loads as the kernel reads them: whole tokens as they are; fractions in units of their LP's total / UNITS,
 * base loads counted by magnitude. Any f64 range fits, and the exact finish closes the gap that f32 would leave.
 */
async function uploadable(
  { batch, expertLoad: load, baseLoad: base, tokens }: Loads,
  topology: Topology,
  pauses: Pauses,
) {
  const { experts, gpus, lost } = topology;
  if (tokens === "integer") {
    return { expertLoad: load as Int32Array<ArrayBuffer>, baseLoad: base && ofAll(topology, base as Int32Array) };
  }
  const wholeLoad = new Int32Array(load.length);
  const wholeBase = base && new Int32Array(base.length);
  await pauses.inPieces(batch, experts + gpus, (first, end) => {
    for (let i = first; i < end; i++) {
      let total = 0;
      for (let e = 0; e < experts; e++) if (!lost.includes(e)) total += load[i * experts + e];
      if (base) for (let g = 0; g < gpus; g++) total += Math.abs(base[i * gpus + g]);
      if (total === 0) continue;
      const toUnits = (value: number) => Math.round((value / total) * UNITS);
      for (let e = 0; e < experts; e++) {
        if (!lost.includes(e)) wholeLoad[i * experts + e] = toUnits(load[i * experts + e]);
      }
      if (base && wholeBase) for (let g = 0; g < gpus; g++) wholeBase[i * gpus + g] = toUnits(base[i * gpus + g]);
    }
  });
  return { expertLoad: wholeLoad, baseLoad: wholeBase && ofAll(topology, wholeBase) };
}

/** From units back to tokens: scales the slots of each expert to its load in f64, and leaves the last rounding to the largest. */
function conserve(topology: Topology, { expertLoad }: Loads, lp: number, quota: Float64Array): void {
  const { experts, slots, slotExpert, slotReplica } = topology;
  const sum = new Float64Array(experts);
  for (let p = 0; p < slots; p++) if (slotReplica[p] !== NO_REPLICA) sum[slotExpert[p]] += quota[p];
  const largest = new Int32Array(experts).fill(-1);
  const rest = new Float64Array(experts);
  for (let e = 0; e < experts; e++) rest[e] = expertLoad[lp * experts + e];
  for (let p = 0; p < slots; p++) {
    if (slotReplica[p] === NO_REPLICA) continue;
    const e = slotExpert[p];
    quota[p] = sum[e] > 0 ? quota[p] * (expertLoad[lp * experts + e] / sum[e]) : 0;
    rest[e] -= quota[p];
    if (largest[e] < 0 || quota[p] > quota[largest[e]]) largest[e] = p;
  }
  for (let e = 0; e < experts; e++) if (largest[e] >= 0) quota[largest[e]] += rest[e];
}
