import { bufferUsage } from "./constants.ts";
/** Timestamps around compute passes, one pair per name. Values are in ns, quantised as the implementation likes. */
export interface PassTimer {
  /** For beginComputePass. */
  writes(name: string): GPUComputePassTimestampWrites;
  /** Records the copy out of the query set; call it after the last pass. */
  resolve(encoder: GPUCommandEncoder): void;
  /** Resolved timestamps: BYTES of them, to be copied to a readback buffer. */
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  /** Microseconds per name from the resolved bytes. */
  decode(bytes: ArrayBuffer): Record<string, number>;
  destroy(): void;
}

export function passTimer(device: GPUDevice, names: readonly string[]): PassTimer {
  const count = 2 * names.length;
  const bytes = count * 8;
  const querySet = device.createQuerySet({ type: "timestamp", count });
  const buffer = device.createBuffer({ size: bytes, usage: bufferUsage.QUERY_RESOLVE | bufferUsage.COPY_SRC });
  return {
    writes(name) {
      const first = 2 * names.indexOf(name);
      return { querySet, beginningOfPassWriteIndex: first, endOfPassWriteIndex: first + 1 };
    },
    resolve: (encoder) => encoder.resolveQuerySet(querySet, 0, count, buffer, 0),
    buffer,
    bytes,
    decode(resolved) {
      const stamps = new BigUint64Array(resolved);
      return Object.fromEntries(names.map((name, i) => [name, Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e3]));
    },
    destroy() {
      querySet.destroy();
      buffer.destroy();
    },
  };
}
