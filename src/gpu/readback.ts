import { bufferUsage, MAP_READ_MODE } from "./constants.ts";

const WORD = 4;

/** One buffer that several are copied into, so that one map reads them all. */
export interface Readback<Name extends string> {
  /** Records the copies. `bytes` may be less than was allocated for a name. */
  copy(encoder: GPUCommandEncoder, bytes: Record<Name, number>): void;
  /** Maps, hands each name's words to `read` and unmaps. Call it right after the submit: Dawn polls from here. */
  map<T>(read: (words: Record<Name, Uint32Array>) => T): Promise<T>;
  destroy(): void;
}

/** @param sources  buffer and the most bytes of each name, whole words. */
export function createReadback<Name extends string>(
  device: GPUDevice,
  sources: Record<Name, { buffer: GPUBuffer; bytes: number }>,
): Readback<Name> {
  const names = Object.keys(sources) as Name[];
  const total = names.reduce((sum, name) => sum + sources[name].bytes, 0);
  const usage = bufferUsage.MAP_READ | bufferUsage.COPY_DST;
  const target = device.createBuffer({ label: "balancer readback", size: Math.max(WORD, total), usage });
  let copied = {} as Record<Name, [offset: number, bytes: number]>;
  let end = 0;
  return {
    copy(encoder, bytes) {
      copied = {} as typeof copied;
      end = 0;
      for (const name of names) {
        if (bytes[name] > 0) encoder.copyBufferToBuffer(sources[name].buffer, 0, target, end, bytes[name]);
        copied[name] = [end, bytes[name]];
        end += bytes[name];
      }
    },
    async map(read) {
      const mapped = Math.max(WORD, end); // a range is not empty
      await target.mapAsync(MAP_READ_MODE, 0, mapped);
      try {
        const range = target.getMappedRange(0, mapped);
        const words = names.map((name) => [name, new Uint32Array(range, copied[name][0], copied[name][1] / WORD)]);
        return read(Object.fromEntries(words));
      } finally {
        target.unmap();
      }
    },
    destroy: () => target.destroy(),
  };
}
