/** The page's thread: see jobs.ts. */
import { breakingRates, sweep } from "../../src/serving.ts";
import type { FromThread, ToThread } from "./jobs.ts";
import { openFile } from "./open_file.ts";

/** ms between two words of progress. */
const PROGRESS_MS = 50;

const stops = new Map<number, AbortController>();
const tell = (message: FromThread) => postMessage(message);

addEventListener("message", async ({ data }: MessageEvent<ToThread>) => {
  const { id } = data;
  if (data.kind === "stop") {
    stops.get(id)?.abort();
    return;
  }
  const stop = new AbortController();
  stops.set(id, stop);
  try {
    tell({ id, answer: await answerOf(data, { signal: stop.signal, onProgress: progress(id) }) });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    tell({ id, error: { name, message } });
  } finally {
    stops.delete(id);
  }
});

type Asked = Exclude<ToThread, { kind: "stop" }>;

function answerOf(
  { kind, job }: Asked,
  o: { signal: AbortSignal; onProgress: (share: number) => void },
): Promise<Extract<FromThread, { answer: unknown }>["answer"]> {
  if (kind === "open") return openFile(job.name, job.bytes);
  const { trace, grid, backend } = job;
  if (kind === "sweep") return sweep(trace, grid, { ...o, backend });
  const { rates, ...unrated } = grid; // they are what is asked for
  return breakingRates(trace, unrated, { ...o, backend, attainment: job.attainment });
}

function progress(id: number): (share: number) => void {
  let told = performance.now();
  return (share) => {
    if (performance.now() - told < PROGRESS_MS) return;
    told = performance.now();
    tell({ id, share });
  };
}
