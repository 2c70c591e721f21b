/**
 * Counts what is asked of a real device, its queue and its buffers from here on; all calls go through.
 *
 * @returns a function that gives the counts since it was last called: { createBuffer: 2, "queue.submit": 1, "buffer.mapAsync": 1 }.
 */
export function countCalls(device: GPUDevice): () => Record<string, number> {
  let counts: Record<string, number> = {};
  function watch(object: object, prefix: string) {
    const prototype = Object.getPrototypeOf(object);
    for (const [name, { value: method }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof method !== "function" || name === "constructor") continue;
      const counted = (...args: unknown[]) => {
        counts[prefix + name] = (counts[prefix + name] ?? 0) + 1;
        const result = method.apply(object, args);
        if (name === "createBuffer") watch(result, "buffer.");
        return result;
      };
      Object.defineProperty(object, name, { value: counted });
    }
  }
  watch(device, "");
  watch(device.queue, "queue.");
  return () => {
    const since = counts;
    counts = {};
    return since;
  };
}
