/** How a device is made to work: buffers of a name each, and one upload, one submit and one map for a run. */
import type { DeviceError } from "../common/errors.ts";
import { write } from "./buffers.ts";
import { bufferUsage, MAP_READ_MODE, WORD } from "./constants.ts";
import { lossError, lossWouldBeKnown, watchLoss } from "./loss.ts";
import { type PassTimer, passTimer } from "./timing.ts";

export type Words = Int32Array | Uint32Array | Float32Array;

/** What one run does. */
export interface Work<Name extends string, Out extends Name> {
  /** Written before the submit; a uniform only where it is not what the last run left there. */
  upload?: Partial<Record<Name, Words>>;
  record(encoder: GPUCommandEncoder): void;
  /** How much of an output is read back: all of it by default. */
  bytes?: Partial<Record<Out, number>>;
  /** Whether `record` took the time of every pass. */
  timed?: boolean;
}

/** Makes something of the words of the outputs, and of the microseconds of each pass. */
export type Read<Out extends string, T> = (words: Record<Out, Uint32Array>, us?: Record<string, number>) => T;

export interface Job<Name extends string, Out extends Name> {
  /** STORAGE or UNIFORM, COPY_SRC and COPY_DST. Uniforms are written by runs alone. */
  readonly buffers: Readonly<Record<Name, GPUBuffer>>;
  /** The same as kernels bind them. */
  readonly bindings: Readonly<Record<Name, GPUBufferBinding>>;
  /** Takes the time of the passes; undefined where the device has no timestamps, or there are none to be timed. */
  readonly timer: PassTimer | undefined;
  /**
   * Uploads, records, submits, and hands the words of the outputs to `read`, with the microseconds of each pass where it was timed. They are
   * there during the call alone. Runs must not overlap.
   *
   * @throws {DeviceError} The device was lost.
   */
  run<T>(work: Work<Name, Out>, read: Read<Out, T>): Promise<T>;
  /** The error of every further run, once the device is lost. */
  lost(cause?: unknown): DeviceError | undefined;
  destroy(): void;
}

export interface JobOptions<Name extends string, Out extends Name> {
  /** Of the buffers, before their names. */
  label: string;
  /** What its user can do about a lost device. */
  remedy: string;
  /** Buffers that are uniforms: `params`, if there is one. */
  uniforms?: readonly NoInfer<Name>[];
  outputs: readonly Out[];
  /** Passes to be timed. */
  passes?: readonly string[];
}

/**
 * @param contents  by name: bytes, or the words that a buffer has from the start.
 * @param options.outputs  what is read back.
 */
export function createJob<Name extends string, Out extends Name>(
  device: GPUDevice,
  contents: Readonly<Record<Name, number | Words>>,
  options: JobOptions<Name, Out>,
): Job<Name, Out> {
  return new DeviceJob(device, contents, options);
}

class DeviceJob<Name extends string, Out extends Name> implements Job<Name, Out> {
  readonly buffers = {} as Record<Name, GPUBuffer>;
  readonly bindings = {} as Record<Name, GPUBufferBinding>;
  readonly timer: PassTimer | undefined;
  private readonly readback: GPUBuffer;
  /** Words that the uniforms have. */
  private readonly uniforms = new Map<Name, Uint32Array>();
  private readonly loss: () => GPUDeviceLostInfo | undefined;

  constructor(
    private readonly device: GPUDevice,
    private readonly contents: Readonly<Record<Name, number | Words>>,
    private readonly options: JobOptions<Name, Out>,
  ) {
    const { uniforms = ["params" as Name], outputs, passes = [] } = options;
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = bufferUsage;
    this.loss = watchLoss(device);
    for (const [name, content] of Object.entries<number | Words>(contents) as [Name, number | Words][]) {
      const usage = (uniforms.includes(name) ? UNIFORM : STORAGE) | COPY_SRC | COPY_DST;
      this.buffers[name] = this.create(name, sizeOf(content), usage);
      this.bindings[name] = { buffer: this.buffers[name] };
      if (uniforms.includes(name)) this.uniforms.set(name, new Uint32Array(0));
      if (typeof content !== "number") this.write(name, content);
    }
    const canTime = passes.length > 0 && device.features.has("timestamp-query");
    this.timer = canTime ? passTimer(device, passes) : undefined;
    const room = outputs.reduce((sum, name) => sum + this.buffers[name].size, this.timer?.bytes ?? 0);
    this.readback = this.create("readback", room, MAP_READ | COPY_DST);
  }

  private create(name: string, bytes: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const label = `${this.options.label} ${name}`;
    return this.device.createBuffer({ label, size: Math.max(LEAST_BYTES, bytes), usage });
  }

  lost(cause?: unknown): DeviceError | undefined {
    const info = this.loss();
    return info && lossError(info, this.options.remedy, cause);
  }

  async run<T>(work: Work<Name, Out>, read: Read<Out, T>): Promise<T> {
    try {
      return await this.submit(work, read);
    } catch (cause) {
      await lossWouldBeKnown(this.device);
      throw this.lost(cause) ?? cause;
    }
  }

  private async submit<T>({ upload = {}, record, bytes = {}, timed = false }: Work<Name, Out>, read: Read<Out, T>) {
    const { device, readback } = this;
    for (const [name, data] of Object.entries<Words | undefined>(upload)) {
      if (data) this.write(name as Name, data);
    }
    const encoder = device.createCommandEncoder({ label: this.options.label });
    record(encoder);
    const stamps = timed ? this.timer : undefined;
    const { places, end } = this.recordCopies(encoder, bytes, stamps);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(MAP_READ_MODE, 0, end); // right after the submit: Dawn polls from here
    try {
      const range = readback.getMappedRange(0, end);
      const words = places.map(({ name, at, size }) => [name, new Uint32Array(range, at, size / WORD)]);
      return read(Object.fromEntries(words), stamps?.decode(range.slice(0, stamps.bytes)));
    } finally {
      readback.unmap();
    }
  }

  private write(name: Name, data: Words): void {
    const known = this.uniforms.get(name);
    if (known) {
      const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
      if (words.length === known.length && words.every((word, i) => word === known[i])) return;
      this.uniforms.set(name, words.slice());
    }
    write(this.device, this.buffers[name], data);
  }

  /** Records copies of the outputs, one after the other, and says where each will be. Timestamps come first: they want an alignment of 8 bytes. */
  private recordCopies(encoder: GPUCommandEncoder, bytes: Partial<Record<Out, number>>, stamps?: PassTimer) {
    if (stamps) encoder.copyBufferToBuffer(stamps.buffer, 0, this.readback, 0, stamps.bytes);
    let end = stamps?.bytes ?? 0;
    const places = this.options.outputs.map((name) => {
      const size = bytes[name] ?? sizeOf(this.contents[name]);
      if (size > 0) encoder.copyBufferToBuffer(this.buffers[name], 0, this.readback, end, size);
      end += size;
      return { name, at: end - size, size };
    });
    return { places, end: Math.max(WORD, end) }; // a range is not empty
  }

  destroy(): void {
    for (const buffer of [...Object.values<GPUBuffer>(this.buffers), this.readback]) buffer.destroy();
    this.timer?.destroy();
  }
}

function sizeOf(content: number | Words): number {
  return typeof content === "number" ? content : content.byteLength;
}

/** Of a buffer: uniforms are whole vec4s, and nothing is empty. */
const LEAST_BYTES = 16;
