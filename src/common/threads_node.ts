import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { OpenThreads, Tasks, Threads } from "./threads.ts";

export const threadsAreSupported = true;

/** Beside the bundle that this is in: the tasks, and what tinypool starts a thread with. */
const files = ["./worker.js", "./entry/worker.js"].map((name) => new URL(name, import.meta.url));
const [tasks] = files;

export const openThreads: OpenThreads = async <T extends Tasks<T>>(count: number, signal?: AbortSignal) => {
  const missing = files.find((file) => file.protocol !== "file:" || !existsSync(fileURLToPath(file)));
  if (missing)
    return { reason: `${missing.href} is not there, which worker threads run: it belongs beside the bundle.` };
  const { Tinypool } = await import("tinypool");
  const pool = new Tinypool({ filename: tasks.href, minThreads: count, maxThreads: count });
  pool.on("error", () => {}); // of a thread without a task, which is replaced
  const end = () => void pool.destroy();
  signal?.addEventListener("abort", end);
  const close = async () => {
    signal?.removeEventListener("abort", end);
    await pool.destroy();
  };
  const run = async (name: string, task?: unknown) => {
    try {
      signal?.throwIfAborted();
      return await pool.run(task, { name });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  };
  try {
    await Promise.all(Array.from({ length: count }, () => run("isReady"))); // another's worker.js may be there
  } catch (error) {
    await close();
    signal?.throwIfAborted();
    return { reason: `Worker threads do not start: ${(error as Error).message}` };
  }
  return { count, run: run as Threads<T>["run"], close };
};
