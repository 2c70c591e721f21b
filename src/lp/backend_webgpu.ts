import { ArgumentError, type DeviceError } from "../common/errors.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";
import { Pauses } from "../common/pauses.ts";
import { bindCache, bindingOf, requireAlive, requireDistinct, storage } from "../gpu/buffers.ts";
import { bufferUsage, WORD } from "../gpu/constants.ts";
import { createJob, type Job } from "../gpu/job.ts";
import { lossError, watchLoss } from "../gpu/loss.ts";
import { encoderOf, requireOwnEncoder } from "../gpu/origin.ts";
import { bind } from "../gpu/pipeline.ts";
import type { BufferSlice, GPUCommandEncoderLike } from "../gpu/types.ts";
import type { KernelChoice } from "./kernels/choices.ts";
import { type ChosenKernel, chooseKernel } from "./kernels/choose.ts";
import { decodeProofs, proofWords } from "./kernels/proof.ts";
import { encodeSolve, LONGEST_DISPATCH, SOLVE_PARAMS_BYTES, solveParams } from "./kernels/variant.ts";
import { type Loads, rowsOf } from "./problem.ts";
import { emptyRaw, type RawSolution } from "./solution.ts";
import type { Topology } from "./topology.ts";
import { conserve, uploadable } from "./units.ts";

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
  /** [B, gpus] i32, with a cost f32 in its time, at unequal speeds >= 0; of dead GPUs not read. */
  baseLoad?: BufferSlice;
  /** [B, P] i32, written. */
  quota: BufferSlice;
  /**
   * [B, 3 + ceil(gpus / 32)] u32, written: status (0 optimal, 1 gap), iterations, moves, bottleneck set as bits. With a cost "optimal" is written only
   * where it comes in whole units, or no expert costs more than the least.
   */
  proof: BufferSlice;
}

const bufferFields = {
  ...{ batch: true, expertLoad: true, baseLoad: true, quota: true, proof: true },
} satisfies FieldsOf<SolverBuffers>;

/** @internal */
export interface WebgpuBackend {
  solve(loads: Loads, pauses?: Pauses): Promise<RawSolution>;
  encode(encoder: GPUCommandEncoderLike, buffers: SolverBuffers): void;
  checkBuffers(buffers: SolverBuffers, encoder?: GPUCommandEncoderLike): Promise<void>;
  readonly kernel: ChosenKernel;
  /** The error of every further call, once the device is lost. */
  lost(): DeviceError | undefined;
  destroy(): void;
}

/** Bytes of a buffer that are copied in one piece: a few milliseconds. */
const LARGEST_COPY = 2 ** 24;
const REMEDY = `Create a new solver, or use backend "auto" or "cpu".`;

/** What an LP reads and writes, by the names that kernels bind. */
type Parts = Record<"load" | "base" | "quota" | "proof", GPUBufferBinding>;

/** The chosen kernel on one device: buffers grow to the largest batch seen and are kept. Calls must not overlap. @internal */
export async function webgpuBackend(
  device: GPUDevice,
  topology: Topology,
  choice: KernelChoice,
): Promise<WebgpuBackend> {
  const tables = new Tables(device);
  const kernel = await chooseKernel(device, topology, choice, (label, data) => tables.upload(label, data));
  return new DeviceSolver(device, topology, kernel, tables);
}

/** Buffers of the kernels' tables, one of which may come after all was destroyed. */
class Tables {
  private readonly buffers: GPUBuffer[] = [];
  private destroyed = false;

  constructor(private readonly device: GPUDevice) {}

  upload(label: string, data: Uint32Array<ArrayBuffer>): GPUBuffer {
    const usage = bufferUsage.STORAGE | bufferUsage.COPY_DST;
    const buffer = this.device.createBuffer({ label: `solve ${label}`, size: Math.max(16, data.byteLength), usage });
    if (this.destroyed) buffer.destroy();
    else this.device.queue.writeBuffer(buffer, 0, data);
    this.buffers.push(buffer);
    return buffer;
  }

  destroy(): void {
    this.destroyed = true;
    for (const buffer of this.buffers) buffer.destroy();
  }
}

class DeviceSolver implements WebgpuBackend {
  private readonly loss: () => GPUDeviceLostInfo | undefined;
  /** LPs of one dispatch at most: more than the largest binding holds go in several. */
  private readonly most: number;
  /** For up to `capacity` LPs. */
  private own: (Job<keyof Parts | "params", "quota" | "proof"> & { capacity: number }) | undefined;
  private readonly remembered = bindCache<GPUBindGroup>();
  /** Of encodings, by size: several may wait for one submit. */
  private readonly paramsOf = new Map<string, GPUBuffer>();
  /** u32 words of a row of each part. */
  private readonly words: Record<keyof Parts, number>;

  constructor(
    private readonly device: GPUDevice,
    private readonly topology: Topology,
    readonly kernel: ChosenKernel,
    private readonly tables: Tables,
  ) {
    this.loss = watchLoss(device);
    const { experts, allGpus, slots } = topology;
    this.words = { load: experts, base: allGpus, quota: slots, proof: proofWords(allGpus) };
    const largest = Math.min(LARGEST_COPY, device.limits.maxStorageBufferBindingSize);
    const rowBytes = WORD * Math.max(...Object.values(this.words));
    this.most = Math.max(1, Math.min(LONGEST_DISPATCH, Math.floor(largest / rowBytes)));
  }

  lost(): DeviceError | undefined {
    const info = this.loss();
    return info && lossError(info, REMEDY);
  }

  private requireDevice(): void {
    const error = this.lost();
    if (error) throw error;
  }

  async solve(loads: Loads, pauses = new Pauses()): Promise<RawSolution> {
    this.requireDevice();
    const raw = emptyRaw(this.topology, loads);
    for (let first = 0; first < loads.batch; first += this.most) {
      pauses.signal?.throwIfAborted();
      await this.solveChunk(loads, first, Math.min(this.most, loads.batch - first), raw, pauses);
    }
    this.kernel.solved();
    return raw;
  }

  /** LPs first..first + count - 1 in one submit and one map. */
  private async solveChunk(loads: Loads, first: number, count: number, raw: RawSolution, pauses: Pauses) {
    const { topology, words } = this;
    const { slots, allGpus, gpus, experts, label } = topology;
    const chunk = rowsOf(topology, loads, first, count);
    const { expertLoad, baseLoad } = await uploadable(chunk, topology, pauses);
    const job = this.jobFor(count);
    const { params, ...parts } = job.bindings;
    const { current } = this.kernel;
    const made = [...Object.values(current.bound), ...Object.values(parts)];
    const group = this.remembered(made, () => this.bindAll(parts, params.buffer));
    const flags = { hasBase: baseLoad !== undefined, hasSkip: false };
    const work = {
      upload: { params: solveParams(count, current.sizes, flags), load: expertLoad, base: baseLoad },
      record: (encoder: GPUCommandEncoder) => this.record(encoder, "solve", group, count),
      bytes: { quota: count * words.quota * WORD, proof: count * words.proof * WORD },
    };
    await job.run(work, ({ quota, proof }) => {
      pauses.rested();
      raw.quota.set(new Int32Array(quota.buffer, quota.byteOffset, quota.length), first * slots);
      const { member, iterations, moves } = decodeProofs(proof, count, allGpus, label);
      raw.member.set(member, first * gpus);
      raw.iterations.set(iterations, first);
      raw.moves.set(moves, first);
    });
    if (loads.tokens === "integer") return;
    await pauses.inPieces(count, slots + experts, (from, end) => {
      for (let lp = first + from; lp < first + end; lp++) {
        conserve(topology, loads, lp, raw.quota.subarray(lp * slots, (lp + 1) * slots) as Float64Array);
      }
    });
  }

  private jobFor(batch: number) {
    if (this.own && this.own.capacity >= batch) return this.own;
    this.own?.destroy();
    const { load, base, quota, proof } = this.words;
    const bytes = (words: number) => batch * words * WORD;
    const contents = { load: bytes(load), base: bytes(base), quota: bytes(quota), proof: bytes(proof) };
    const job = createJob(
      this.device,
      { ...contents, params: SOLVE_PARAMS_BYTES },
      { label: "solve", remedy: REMEDY, outputs: ["quota", "proof"] },
    );
    this.own = Object.assign(job, { capacity: batch });
    return this.own;
  }

  private bindAll(parts: Parts, params: GPUBuffer): GPUBindGroup {
    const { compiled, bound } = this.kernel.current;
    const own = { ...bound, params: { buffer: params } };
    return bind(this.device, compiled, { ...own, ...parts, skip: parts.load }); // skip is not read
  }

  private record(encoder: GPUCommandEncoder, label: string, group: GPUBindGroup, batch: number): void {
    const pass = encoder.beginComputePass({ label });
    encodeSolve(this.device, pass, this.kernel.current, group, batch);
    pass.end();
  }

  encode(given: GPUCommandEncoderLike, buffers: SolverBuffers): void {
    this.requireDevice();
    const encoder = encoderOf(this.device, given);
    const parts = this.partsOf(buffers);
    const { batch, baseLoad } = buffers;
    const params = this.paramsFor(batch, baseLoad !== undefined);
    const made = [{ buffer: params }, ...Object.values(this.kernel.current.bound), ...Object.values(parts)];
    const group = this.remembered(made, () => this.bindAll(parts, params));
    this.record(encoder, "solve", group, batch);
  }

  private paramsFor(batch: number, hasBase: boolean): GPUBuffer {
    const sizes = `${batch} ${hasBase}`;
    const known = this.paramsOf.get(sizes);
    if (known) return known;
    const usage = bufferUsage.UNIFORM | bufferUsage.COPY_DST;
    const params = this.device.createBuffer({ label: "solve params", size: SOLVE_PARAMS_BYTES, usage });
    this.device.queue.writeBuffer(
      params,
      0,
      solveParams(batch, this.kernel.current.sizes, { hasBase, hasSkip: false }),
    );
    this.paramsOf.set(sizes, params);
    return params;
  }

  /** The caller's buffers, checked. */
  private partsOf(given: SolverBuffers): Parts {
    requireObject("buffers", given, bufferFields);
    const { batch, expertLoad, baseLoad, quota, proof } = given;
    if (!Number.isInteger(batch) || batch < 1) throw new ArgumentError("batch", "an integer >= 1", batch);
    const part = (name: string, slice: BufferSlice, words: number) =>
      bindingOf(this.device, name, slice, batch * words * WORD, storage);
    const load = part("expertLoad", expertLoad, this.words.load);
    const parts = {
      load,
      base: baseLoad ? part("baseLoad", baseLoad, this.words.base) : load, // not read
      quota: part("quota", quota, this.words.quota),
      proof: part("proof", proof, this.words.proof),
    };
    for (const [name, written] of Object.entries({ quota: parts.quota, proof: parts.proof })) {
      requireDistinct(name, written, "expertLoad", parts.load);
      requireDistinct(name, written, "baseLoad", parts.base);
    }
    return parts;
  }

  async checkBuffers(given: SolverBuffers, encoder?: GPUCommandEncoderLike): Promise<void> {
    this.requireDevice();
    const { load, base, ...written } = this.partsOf(given);
    const bindings = { expertLoad: load, ...(given.baseLoad ? { baseLoad: base } : {}), ...written };
    const { quota, proof } = this.jobFor(1).bindings;
    const params = this.paramsFor(0, false); // no LPs: nothing is done
    const uses = Object.entries(bindings).map(([name, binding]) => {
      const group = () => this.bindAll({ load: binding, base: binding, quota, proof }, params);
      return [name, { binding, use: (e: GPUCommandEncoder) => this.record(e, `check ${name}`, group(), 1) }] as const;
    });
    await requireAlive(this.device, Object.fromEntries(uses));
    if (encoder) await requireOwnEncoder(this.device, encoder);
  }

  destroy(): void {
    this.tables.destroy();
    this.own?.destroy();
    this.own = undefined;
    for (const params of this.paramsOf.values()) params.destroy();
  }
}
