import { ArgumentError } from "../errors.ts";
import type { BufferSlice } from "./types.ts";

/** Checks a caller's buffer by name and makes a binding of exactly `bytes` bytes of it. Only a submit can tell a destroyed buffer. */
export function bindingOf(
  device: GPUDevice,
  name: string,
  slice: BufferSlice,
  bytes: number,
  usage: { name: string; flag: GPUBufferUsageFlags },
): GPUBufferBinding {
  const { buffer, offset = 0, size } = isBinding(slice) ? slice : ({ buffer: slice } as GPUBufferBinding);
  if (!(buffer instanceof GPUBuffer)) throw new ArgumentError(name, "a GPUBuffer, or { buffer, offset, size }", buffer);
  const { minStorageBufferOffsetAlignment: alignment } = device.limits;
  if (!Number.isInteger(offset) || offset < 0 || offset % alignment !== 0) {
    throw new ArgumentError(`${name}.offset`, `a multiple of ${alignment} bytes`, offset);
  }
  const available = Math.min(size ?? Infinity, buffer.size - offset);
  if (available < bytes) throw new ArgumentError(name, `at least ${bytes} bytes from offset ${offset}`, available);
  if ((buffer.usage & usage.flag) === 0) {
    throw new ArgumentError(`${name}.usage`, `GPUBufferUsage.${usage.name} among its flags`, buffer.usage);
  }
  return { buffer, offset, size: Math.max(WORD, bytes) };
}

const WORD = 4; // bindings are not empty

function isBinding(slice: BufferSlice): slice is GPUBufferBinding {
  return typeof slice === "object" && slice !== null && "buffer" in slice;
}
