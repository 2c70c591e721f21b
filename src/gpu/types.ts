/**
 * WebGPU's objects as far as they pass through evenkeel's API, so that its types refer to no other package and to no library of TypeScript's.
 * Every declaration of WebGPU satisfies them: @webgpu/types, lib.dom of TypeScript 6 and later, Deno's. What a program's own GPUDevice,
 * GPUBuffer or GPUCommandEncoder is goes in as it is; without any declaration of WebGPU these are enough to upload, encode and read back.
 */

/** A GPUDevice. */
export interface GPUDeviceLike {
  readonly limits: {
    readonly maxBufferSize: number;
    readonly maxStorageBufferBindingSize: number;
    readonly minStorageBufferOffsetAlignment: number;
  };
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly queue: GPUQueueLike;
  createBuffer(descriptor: { label?: string; size: number; usage: number; mappedAtCreation?: boolean }): GPUBufferLike;
  createCommandEncoder(descriptor?: { label?: string }): GPUCommandEncoderLike;
  destroy(): void;
}

/** A GPUQueue. */
export interface GPUQueueLike {
  submit(commandBuffers: Iterable<GPUCommandBufferLike>): void;
  writeBuffer(buffer: GPUBufferLike, bufferOffset: number, data: ArrayBuffer | ArrayBufferView<ArrayBuffer>): void;
}

/** A GPUBuffer. */
export interface GPUBufferLike {
  /** Bytes. */
  readonly size: number;
  /** Flags of GPUBufferUsage. */
  readonly usage: number;
  mapAsync(mode: number, offset?: number, size?: number): Promise<unknown>;
  getMappedRange(offset?: number, size?: number): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

/** A GPUBufferBinding: a part of a GPUBuffer, in bytes; all of it by default. */
export interface GPUBufferBindingLike {
  buffer: GPUBufferLike;
  offset?: number;
  size?: number;
}

/** A GPUBuffer of the caller's, or a part of one. */
export type BufferSlice = GPUBufferLike | GPUBufferBindingLike;

/** A GPUCommandEncoder. */
export interface GPUCommandEncoderLike {
  /** A GPUComputePassEncoder. */
  beginComputePass(descriptor?: { label?: string }): { end(): void };
  clearBuffer(buffer: GPUBufferLike, offset?: number, size?: number): void;
  copyBufferToBuffer(
    source: GPUBufferLike,
    sourceOffset: number,
    target: GPUBufferLike,
    targetOffset: number,
    size: number,
  ): void;
  finish(): GPUCommandBufferLike;
}

/** A GPUCommandBuffer. */
export interface GPUCommandBufferLike {
  readonly label: string;
}

/**
 * The type of a device that evenkeel hands out: GPUDevice wherever the program has a declaration of it, be it from lib.dom or from
 * @webgpu/types, and GPUDeviceLike elsewhere.
 */
export type NativeGPUDevice = typeof globalThis extends { GPUDevice: { prototype: infer Device extends GPUDeviceLike } }
  ? Device
  : GPUDeviceLike;
