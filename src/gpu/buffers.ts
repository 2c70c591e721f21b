import { ArgumentError } from "../common/errors.ts";
import { requireObject } from "../common/objects.ts";
import { bufferUsage, WORD } from "./constants.ts";
import { requireOrigin } from "./origin.ts";
import type { BufferSlice, GPUBufferBindingLike } from "./types.ts";

/** Usages by name, for messages. */
export const storage = { name: "STORAGE", flag: bufferUsage.STORAGE } as const;
export const copyTarget = { name: "COPY_DST", flag: bufferUsage.COPY_DST } as const;
export type Usage = typeof storage | typeof copyTarget;

/** Checks a caller's buffer by name and makes a binding of exactly `bytes` bytes of it. Whether it is destroyed only a submit can tell: see `requireAlive`. */
export function bindingOf(
  device: GPUDevice,
  name: string,
  slice: BufferSlice,
  bytes: number,
  usage: Usage,
): GPUBufferBinding {
  if (isBinding(slice)) requireObject(name, slice, { buffer: true, offset: true, size: true });
  const { buffer, offset = 0, size }: GPUBufferBindingLike = isBinding(slice) ? slice : { buffer: slice };
  if (typeof buffer?.usage !== "number" || typeof buffer.size !== "number") {
    throw new ArgumentError(name, "a GPUBuffer, or { buffer, offset, size }", buffer);
  }
  requireOrigin(device, name, "a buffer of the device that is worked on", buffer);
  const { minStorageBufferOffsetAlignment: alignment } = device.limits;
  if (!Number.isInteger(offset) || offset < 0 || offset % alignment !== 0) {
    throw new ArgumentError(`${name}.offset`, `a multiple of ${alignment} bytes`, offset);
  }
  const available = Math.min(size ?? Infinity, buffer.size - offset);
  if (available < bytes) throw new ArgumentError(name, `at least ${bytes} bytes from offset ${offset}`, available);
  if ((buffer.usage & usage.flag) === 0) {
    throw new ArgumentError(`${name}.usage`, `GPUBufferUsage.${usage.name} among its flags`, buffer.usage);
  }
  return { buffer: buffer as GPUBuffer, offset, size: Math.max(WORD, bytes) }; // bindings are not empty
}

/** A dispatch may not write a part of a buffer of which it reads another part: WebGPU would refuse the submit. */
export function requireDistinct(
  written: string,
  target: GPUBufferBinding | undefined,
  read: string,
  source: GPUBufferBinding | undefined,
): void {
  if (target && target.buffer === source?.buffer) {
    throw new ArgumentError(written, `a part of another buffer than ${read}`, "the same buffer");
  }
}

/** Writes all of the data. A queue is never given none, which ends Deno 2.9 (a panic of the whole process). */
export function write(device: GPUDevice, buffer: GPUBuffer, data: Int32Array | Uint32Array | Float32Array): void {
  if (data.length > 0) device.queue.writeBuffer(buffer, 0, data as Int32Array<ArrayBuffer>);
}

function isBinding(slice: BufferSlice): slice is GPUBufferBindingLike {
  return typeof slice === "object" && slice !== null && "buffer" in slice;
}

/**
 * Remembers bind groups by what they bind, since WebGPU objects are made anew for new buffers only. A caller with ever new buffers
 * makes it start over.
 */
export function bindCache<T>(): (parts: readonly Part[], make: () => T) => T {
  const identities = new WeakMap<GPUBuffer, number>();
  let identified = 0;
  const groups = new Map<string, T>();
  return (parts, make) => {
    const name = (part: Part) => {
      if (typeof part !== "object") return `${part}`;
      if (!identities.has(part.buffer)) identities.set(part.buffer, identified++);
      return `${identities.get(part.buffer)}+${part.offset ?? 0}`;
    };
    const key = parts.map(name).join(" ");
    const known = groups.get(key);
    if (known) return known;
    if (groups.size >= MOST_REMEMBERED) groups.clear();
    const made = make();
    groups.set(key, made);
    return made;
  };
}

const MOST_REMEMBERED = 64;
type Part = string | number | GPUBufferBinding | undefined;

/**
 * Submits nothing but a use of each buffer, and rejects with an ArgumentError that names the first one that cannot be used: destroyed, or
 * another device's. WebGPU tells this no sooner than at a submit, and then only by error scopes.
 */
export async function requireAlive(
  device: GPUDevice,
  buffers: Readonly<Record<string, { binding: GPUBufferBinding; use(encoder: GPUCommandEncoder): void }>>,
): Promise<void> {
  for (const [name, { binding, use }] of Object.entries(buffers)) {
    device.pushErrorScope("validation");
    const encoder = device.createCommandEncoder({ label: `check ${name}` });
    use(encoder);
    device.queue.submit([encoder.finish()]);
    const failure = await device.popErrorScope();
    if (failure) throw new ArgumentError(name, "a live buffer of the same device", binding.buffer, failure.message);
  }
}
