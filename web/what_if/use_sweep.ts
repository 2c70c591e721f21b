import { useRef, useState } from "preact/hooks";
import type { BreakingRate, Swept } from "../../src/serving.ts";
import { JobError, type Thread } from "./jobs.ts";
import type { Question } from "./question.ts";
import type { Settings } from "./settings.ts";

export interface Result {
  question: Question;
  swept: Swept;
  /** s that the sweep took. */
  seconds: number;
  /** Undefined until they are found. */
  breaking: BreakingRate[] | undefined;
}

/** What is being done, and how much of it is done. */
export interface Work {
  name: string;
  share: number;
}

/** Why there is no answer, or only a part of one. */
export interface Trouble {
  kind: "error" | "status";
  sentence: string;
  remedy?: { name: string; change: Partial<Settings> };
}

/** Sweeps in a thread: the last result stays until the next is there. */
export function useSweep(thread: Thread) {
  const [result, setResult] = useState<Result>();
  const [work, setWork] = useState<Work>();
  const [trouble, setTrouble] = useState<Trouble>();
  const stopping = useRef<AbortController>();

  async function start(question: Question): Promise<void> {
    stopping.current?.abort();
    const stop = new AbortController();
    stopping.current = stop;
    const doing = (name: string) => (share: number) => {
      if (!stop.signal.aborted) setWork({ name, share });
    };
    const { trace, grid, backend, attainment } = question;
    const job = { trace, grid, backend };
    let [name, onProgress] = ["Simulating", doing("Simulating")];
    onProgress(0);
    setTrouble(undefined);
    try {
      const begun = performance.now();
      const swept = await thread.run("sweep", job, { signal: stop.signal, onProgress });
      const result = { question, swept, seconds: (performance.now() - begun) / 1e3, breaking: undefined };
      setResult(result);
      if (question.breaking) {
        [name, onProgress] = ["Looking for the rates at which the SLO breaks", doing(BREAKING)];
        onProgress(0);
        const asked = { ...job, attainment };
        const breaking = await thread.run("breakingRates", asked, { signal: stop.signal, onProgress });
        setResult({ ...result, breaking });
      }
      setWork(undefined);
    } catch (error) {
      if (stopping.current !== stop) return; // another has begun
      setTrouble(troubleOf(error, name));
      setWork(undefined);
    }
  }

  return { result, work, trouble, start, stop: () => stopping.current?.abort() };
}

const BREAKING = "Looking for the rates at which the SLO breaks";

function troubleOf(error: unknown, doing: string): Trouble {
  const { name, message } = error as Error;
  if (name === "AbortError")
    return { kind: "status", sentence: `Stopped while ${doing[0].toLowerCase()}${doing.slice(1)}.` };
  if (error instanceof JobError && (name === "DeviceError" || name === "KernelError")) {
    return {
      kind: "error",
      sentence: `${message} Nothing is lost but this run: start again, or let the CPU compute it.`,
      remedy: { name: "Start on the CPU", change: { backend: "cpu" } },
    };
  }
  return { kind: "error", sentence: message };
}
