import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { OpenThreads } from "./threads.ts";

export const threadsAreSupported = true;

/** Beside the bundle that this is in. */
const worker = new URL("./worker.js", import.meta.url);

export const openThreads: OpenThreads = async (count, signal) => {
  if (worker.protocol !== "file:" || !existsSync(fileURLToPath(worker))) {
    return { reason: `${worker.href} is not there, which worker threads run: it belongs beside the bundle.` };
  }
  const { Tinypool } = await import("tinypool");
  const pool = new Tinypool({ filename: worker.href, minThreads: count, maxThreads: count });
  const end = () => void pool.destroy();
  signal?.addEventListener("abort", end);
  return {
    count,
    async run(name, task) {
      try {
        signal?.throwIfAborted();
        return await pool.run(task, { name });
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      }
    },
    async close() {
      signal?.removeEventListener("abort", end);
      await pool.destroy();
    },
  };
};
