/** What the page has its thread do. */
import type { BreakingRate, SweepGrid, Swept, Trace } from "../../src/serving.ts";
import type { Opened } from "./open_file.ts";

interface Sweep {
  trace: Trace;
  grid: SweepGrid;
  backend: "auto" | "webgpu" | "cpu";
}

export interface Jobs {
  open: { job: { name: string; bytes: Uint8Array }; answer: Opened };
  sweep: { job: Sweep; answer: Swept };
  breakingRates: { job: Sweep & { attainment: number }; answer: BreakingRate[] };
}

type Kind = keyof Jobs;

export type ToThread =
  | { [K in Kind]: { id: number; kind: K; job: Jobs[K]["job"] } }[Kind]
  | { id: number; kind: "stop" };
export type FromThread = { id: number } & (
  | { share: number }
  | { answer: Jobs[Kind]["answer"] }
  | { error: { name: string; message: string } }
);

interface Waiting {
  resolve(answer: never): void;
  reject(error: unknown): void;
  onProgress?: (share: number) => void;
}

/** An error of the thread, with its name there. */
export class JobError extends Error {
  constructor({ name, message }: { name: string; message: string }) {
    super(message);
    this.name = name;
  }
}

/** The thread in which everything is computed, so that the page stays alive. */
export class Thread {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;

  constructor(script: string) {
    this.worker = new Worker(script, { type: "module" });
    this.worker.onmessage = ({ data }: MessageEvent<FromThread>) => this.hear(data);
    this.worker.onerror = ({ message }) => {
      const error = new Error(`The page's thread has failed${message ? `: ${message}` : ""}. Reload the page.`);
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    };
  }

  /** @throws {JobError} what the job throws.  @throws the signal's reason, at once. */
  run<K extends Kind>(
    kind: K,
    job: Jobs[K]["job"],
    { signal, onProgress }: { signal?: AbortSignal; onProgress?: (share: number) => void } = {},
  ): Promise<Jobs[K]["answer"]> {
    const id = ++this.last;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      this.waiting.set(id, { resolve, reject, onProgress });
      this.worker.postMessage({ id, kind, job });
      signal?.addEventListener("abort", () => {
        if (!this.waiting.delete(id)) return;
        this.worker.postMessage({ id, kind: "stop" });
        reject(signal.reason);
      });
    });
  }

  private hear(message: FromThread): void {
    const waiting = this.waiting.get(message.id);
    if (!waiting) return; // it was stopped
    if ("share" in message) {
      waiting.onProgress?.(message.share);
      return;
    }
    this.waiting.delete(message.id);
    if ("error" in message) waiting.reject(new JobError(message.error));
    else waiting.resolve(message.answer as never);
  }
}
