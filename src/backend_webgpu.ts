import { DeviceError } from "./errors.ts";
import { bind, type CompiledKernel } from "./gpu/pipeline.ts";
import { compileSolve, encodeSolve, solveParams } from "./kernels/solve.ts";
import { proofWords, topologyTable } from "./kernels/topology_table.ts";
import type { Loads } from "./problem.ts";
import { emptyRaw, type RawSolution } from "./solution.ts";
import type { Topology } from "./topology.ts";

/** Buffers for up to `capacity` LPs of one dispatch. */
interface Buffers {
  capacity: number;
  load: GPUBuffer;
  base: GPUBuffer;
  quota: GPUBuffer;
  proof: GPUBuffer;
  params: GPUBuffer;
  readback: GPUBuffer;
  groups: Map<CompiledKernel, GPUBindGroup>;
}

export interface WebgpuBackend {
  solve(loads: Loads, signal?: AbortSignal): Promise<RawSolution>;
  destroy(): void;
}

const WORD = 4;
/** LPs in one dispatch at most: some drivers reset a GPU that is busy for seconds. */
const LONGEST_DISPATCH = 65536;

/** The `solve` kernel on one device: buffers grow to the largest batch seen and are kept. Calls must not overlap. */
export function webgpuBackend(device: GPUDevice, topology: Topology): WebgpuBackend {
  const { gpus, experts, slots } = topology;
  const words = proofWords(gpus);
  const table = topologyTable([topology]);
  const record = createBuffer("topology", table.data.byteLength, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST);
  device.queue.writeBuffer(record, 0, table.data);
  let lost: GPUDeviceLostInfo | undefined;
  device.lost.then((info) => {
    lost = info;
  });
  let buffers: Buffers | undefined;

  // More LPs than the largest binding holds go in several dispatches.
  const rowBytes = WORD * Math.max(experts, gpus, slots, words);
  const most = Math.max(
    1,
    Math.min(LONGEST_DISPATCH, Math.floor(device.limits.maxStorageBufferBindingSize / rowBytes)),
  );

  function createBuffer(label: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    return device.createBuffer({ label: `solve ${label}`, size: Math.max(16, bytes), usage });
  }

  function buffersFor(batch: number): Buffers {
    if (buffers && buffers.capacity >= batch) return buffers;
    if (buffers) release(buffers);
    const input = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const output = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
    buffers = {
      capacity: batch,
      load: createBuffer("load", batch * experts * WORD, input),
      base: createBuffer("base", batch * gpus * WORD, input),
      quota: createBuffer("quota", batch * slots * WORD, output),
      proof: createBuffer("proof", batch * words * WORD, output),
      params: createBuffer("params", 32, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST),
      readback: createBuffer(
        "readback",
        batch * (slots + words) * WORD,
        GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      ),
      groups: new Map(),
    };
    return buffers;
  }

  /** LPs first..first + count - 1 in one submit and one map. */
  async function solveChunk(kernel: CompiledKernel, loads: Loads, first: number, count: number, raw: RawSolution) {
    const { load, base, quota, proof, params, readback, groups } = buffersFor(count);
    let group = groups.get(kernel);
    if (!group) {
      group = bind(device, kernel, {
        topology: { buffer: record },
        load: { buffer: load },
        base: { buffer: base },
        skip: { buffer: base }, // not read
        quota: { buffer: quota },
        proof: { buffer: proof },
        params: { buffer: params },
      });
      groups.set(kernel, group);
    }
    const { expertLoad, baseLoad } = uploadable(loads, topology, first, count);
    device.queue.writeBuffer(params, 0, solveParams(count, table, { hasBase: baseLoad !== undefined, hasSkip: false }));
    device.queue.writeBuffer(load, 0, expertLoad);
    if (baseLoad) device.queue.writeBuffer(base, 0, baseLoad);
    const encoder = device.createCommandEncoder({ label: kernel.label });
    const pass = encoder.beginComputePass({ label: kernel.label });
    encodeSolve(device, pass, kernel, group, count);
    pass.end();
    const quotaBytes = count * slots * WORD;
    const proofBytes = count * words * WORD;
    encoder.copyBufferToBuffer(quota, 0, readback, 0, quotaBytes);
    encoder.copyBufferToBuffer(proof, 0, readback, quotaBytes, proofBytes);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(GPUMapMode.READ, 0, quotaBytes + proofBytes); // right after submit: Dawn polls from here
    const mapped = readback.getMappedRange(0, quotaBytes + proofBytes);
    decode(mapped, loads, first, count, raw);
    readback.unmap();
  }

  function decode(mapped: ArrayBuffer, loads: Loads, first: number, count: number, raw: RawSolution) {
    const proofs = new Uint32Array(mapped, count * slots * WORD);
    for (let i = 0; i < count; i++) {
      raw.iterations[first + i] = proofs[i * words + 1];
      raw.moves[first + i] = proofs[i * words + 2];
      for (let g = 0; g < gpus; g++) {
        raw.member[(first + i) * gpus + g] = (proofs[i * words + 3 + (g >> 5)] >>> (g & 31)) & 1;
      }
    }
    raw.quota.set(new Int32Array(mapped, 0, count * slots), first * slots);
    if (loads.tokens === "integer") return;
    for (let lp = first; lp < first + count; lp++) {
      conserve(topology, loads, lp, raw.quota.subarray(lp * slots, (lp + 1) * slots) as Float64Array);
    }
  }

  async function solve(loads: Loads, signal?: AbortSignal): Promise<RawSolution> {
    if (lost) throw lostError(lost);
    try {
      const kernel = await compileSolve(device, table, topology.equalSpeeds);
      const raw = emptyRaw(topology, loads);
      for (let first = 0; first < loads.batch; first += most) {
        signal?.throwIfAborted();
        await solveChunk(kernel, loads, first, Math.min(most, loads.batch - first), raw);
      }
      return raw;
    } catch (cause) {
      await Promise.resolve(); // lets device.lost report first
      throw lost ? lostError(lost, cause) : cause;
    }
  }

  function destroy(): void {
    record.destroy();
    if (buffers) release(buffers);
    buffers = undefined;
  }
  return { solve, destroy };
}

function release(buffers: Buffers): void {
  for (const part of [buffers.load, buffers.base, buffers.quota, buffers.proof, buffers.params, buffers.readback]) {
    part.destroy();
  }
}

function lostError({ reason, message }: GPUDeviceLostInfo, cause?: unknown): DeviceError {
  return new DeviceError(
    `The WebGPU device was lost (${reason}): ${message} Create a new solver, or use backend "auto" or "cpu".`,
    { cause },
  );
}

/** Fractions are solved as whole units, this many in an LP: rounding to them costs about 1e-9 of the total. */
const UNITS = 2 ** 30;

/**
 * LPs first..first + count - 1 as the kernel reads them: whole tokens as they are; fractions in units of their LP's total / UNITS,
 * base loads counted by magnitude. Any f64 range fits, and the exact finish closes the gap that f32 would leave.
 */
function uploadable(
  { expertLoad, baseLoad, tokens }: Loads,
  { experts, gpus }: Topology,
  first: number,
  count: number,
) {
  const rows = (values: Int32Array | Float64Array, width: number) =>
    values.subarray(first * width, (first + count) * width);
  const load = rows(expertLoad, experts);
  const base = baseLoad && rows(baseLoad, gpus);
  if (tokens === "integer") {
    return { expertLoad: load as Int32Array<ArrayBuffer>, baseLoad: base as Int32Array<ArrayBuffer> | undefined };
  }
  const wholeLoad = new Int32Array(load.length);
  const wholeBase = base && new Int32Array(base.length);
  for (let i = 0; i < count; i++) {
    let total = 0;
    for (let e = 0; e < experts; e++) total += load[i * experts + e];
    if (base) for (let g = 0; g < gpus; g++) total += Math.abs(base[i * gpus + g]);
    if (total === 0) continue;
    const toUnits = (value: number) => Math.round((value / total) * UNITS);
    for (let e = 0; e < experts; e++) wholeLoad[i * experts + e] = toUnits(load[i * experts + e]);
    if (base && wholeBase) for (let g = 0; g < gpus; g++) wholeBase[i * gpus + g] = toUnits(base[i * gpus + g]);
  }
  return { expertLoad: wholeLoad, baseLoad: wholeBase };
}

/** From units back to tokens: scales the slots of each expert to its load in f64, and leaves the last rounding to the largest. */
function conserve(topology: Topology, { expertLoad }: Loads, lp: number, quota: Float64Array): void {
  const { experts, slots, slotExpert } = topology;
  const sum = new Float64Array(experts);
  for (let p = 0; p < slots; p++) sum[slotExpert[p]] += quota[p];
  const largest = new Int32Array(experts).fill(-1);
  const rest = new Float64Array(experts);
  for (let e = 0; e < experts; e++) rest[e] = expertLoad[lp * experts + e];
  for (let p = 0; p < slots; p++) {
    const e = slotExpert[p];
    quota[p] = sum[e] > 0 ? quota[p] * (expertLoad[lp * experts + e] / sum[e]) : 0;
    rest[e] -= quota[p];
    if (largest[e] < 0 || quota[p] > quota[largest[e]]) largest[e] = p;
  }
  for (let e = 0; e < experts; e++) quota[largest[e]] += rest[e];
}
