import { useEffect, useRef, useState } from "preact/hooks";
import { type QuestionName, questions } from "../../bench/questions.ts";
import type { Meta } from "../../bench/results_file.ts";
import type { Row } from "../../bench/row.ts";
import type { Order, Told } from "./messages.ts";

/** A measurement that goes on, or has ended. */
export interface Run {
  order: Order;
  ended?: "done" | "stopped" | "failed";
  /** Undefined until there is a device. */
  meta?: Meta;
  question?: QuestionName;
  what: string;
  rows: Row[];
  notes: string[];
  /** Why there is less than was asked for. */
  faults: string[];
  /** From 0 to 1, by what questions usually take. */
  share: number;
}

/** Measures in a thread, one run at a time. Rows of a run that is stopped, or that fails, are kept. */
export function useRun() {
  const [run, setRun] = useState<Run>();
  const worker = useRef<Worker>();
  const end = () => {
    worker.current?.terminate(); // and its device with it
    worker.current = undefined;
  };
  useEffect(() => end, []);

  function start(order: Order): void {
    const begun = new Map<QuestionName, number>();
    setRun({ order, what: "asking for a device", rows: [], notes: [], faults: [], share: 0 });
    const hear = (told: Told) => {
      if (told.kind === "measuring" && !begun.has(told.question)) begun.set(told.question, performance.now());
      setRun((known) => known && heard(known, told, begun));
      if (told.kind === "done" || (told.kind === "fault" && told.question === undefined)) end();
    };
    const started = new Worker("benchmark_worker.js", { type: "module" });
    started.addEventListener("message", ({ data }: MessageEvent<Told>) => hear(data));
    started.addEventListener("error", ({ message }) =>
      hear({
        kind: "fault",
        message: `The thread that measures has ended${message ? `: ${message}` : ""}. Load the page again.`,
      }),
    );
    worker.current = started;
    started.postMessage(order);
  }

  function stop(): void {
    end();
    setRun((known) => known && { ...known, ended: "stopped" });
  }
  return { run, start, stop };
}

/** What is known of a run once something more was told. */
export function heard(run: Run, told: Told, begun: ReadonlyMap<QuestionName, number>): Run {
  switch (told.kind) {
    case "begun":
      return { ...run, meta: told.meta };
    case "measuring": {
      const { question, what, rows, notes } = told;
      const askedForMs = performance.now() - (begun.get(question) ?? performance.now());
      return { ...run, question, what, rows, notes, share: shareDone(run.order, question, askedForMs) };
    }
    case "fault": {
      const faults = [...run.faults, told.question ? `${told.question}: ${told.message}` : told.message];
      return { ...run, faults, ended: told.question ? run.ended : "failed" };
    }
    case "done":
      return { ...run, rows: told.rows, notes: told.notes, share: 1, ended: "done" };
  }
}

/** A question that takes longer than usual is nearly done for all that time. */
const NEARLY = 0.95;

export function shareDone(order: Order, question: QuestionName, askedForMs: number): number {
  const usual = order.questions.map((name) => minutesOf(name, order.quick));
  const at = order.questions.indexOf(question);
  const before = usual.slice(0, at).reduce((a, b) => a + b, 0);
  const all = usual.reduce((a, b) => a + b);
  return (before + Math.min(NEARLY * usual[at], askedForMs / 60e3)) / all;
}

/** About what a question takes. */
export function minutesOf(name: QuestionName, quick: boolean): number {
  return questions.find((question) => question.name === name)!.minutes[quick ? 0 : 1];
}
