import { ArgumentError } from "../../common/errors.ts";
import type { FluidOptions, NestedFluidOptions } from "../../serving/fluid.ts";
import type { SchedulingPolicy } from "../../serving/policy.ts";
import { scheduling } from "../../serving/scheduling/scheduling.ts";
import type { StepTime } from "../../serving/step_time.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import { REFERENCE, type Route } from "./routes.ts";

/** Scheduling policies by the names that the command line has for them, and whether they go by predicted outputs. */
const schedules = {
  fcfs: { make: () => scheduling.fcfs(), predicts: false },
  sjf: { make: () => scheduling.sjf(), predicts: false },
  priority: { make: () => scheduling.priority(), predicts: false },
  mcsf: { make: () => scheduling.mcsf(), predicts: true },
  svf: { make: () => scheduling.svf(), predicts: true },
  "sorted-f": { make: () => scheduling.sortedF(), predicts: true },
  "a-max": { make: () => scheduling.aMax(), predicts: true },
  "a-min": { make: () => scheduling.aMin(), predicts: true },
  trail: { make: () => scheduling.trail(), predicts: true },
  wait: { make: (served: Served) => scheduling.wait(fluidOf(served)), predicts: false },
  "nested-wait": { make: (served: Served) => scheduling.nestedWait(nestedOf(served)), predicts: false },
} satisfies Record<string, { make: (served: Served) => SchedulingPolicy; predicts: boolean }>;

/** What is served, and by what. */
export interface Served {
  trace: Trace;
  workers: number;
  /** None with rounds. */
  stepTime?: StepTime;
}

/** Shares of the requests that end with each segment of nested-wait. */
const SEGMENTS = [0.5, 0.9, 1];

/** What comes to a worker: segments that end at percentiles of the trace's outputs, at the rates of its arrivals. */
function nestedOf(served: Served): NestedFluidOptions {
  const { input, output } = served.trace;
  const { classes, base, perKvToken } = fluidOf({ ...served, trace: { ...served.trace, class: undefined } });
  const sorted = output.slice().sort();
  const ends = [...new Set(SEGMENTS.map((share) => sorted[Math.ceil(share * sorted.length) - 1]))];
  const within = (least: number, most: number) => sorted.filter((tokens) => tokens > least && tokens <= most).length;
  const rate = classes[0].rate / sorted.length;
  return {
    classes: ends.map((end, k) => ({ rate: rate * within(ends[k - 1] ?? 0, end), output: end })),
    ...{ input: input.reduce((sum, tokens) => sum + tokens, 0) / input.length, base, perKvToken },
  };
}

/** What comes to a worker: the trace's classes with their mean lengths, at the rates of its arrivals. */
function fluidOf({ trace, workers, stepTime }: Served): FluidOptions {
  const { requests, arrival, input, output } = trace;
  const span = requests > 0 ? arrival[requests - 1] - arrival[0] : 0;
  if (!(span > 0)) throw new ArgumentError("--schedule", "requests that come over time, for wait", "all at once");
  const ids = Array.from(input.keys());
  const classes = [...new Set(trace.class ?? [0])].sort((a, b) => a - b);
  const mean = (of: Int32Array, some: readonly number[]) => some.reduce((sum, id) => sum + of[id], 0) / some.length;
  return {
    classes: classes.map((name) => {
      const some = ids.filter((id) => (trace.class?.[id] ?? 0) === name);
      return { rate: some.length / span / workers, input: mean(input, some), output: mean(output, some) };
    }),
    base: stepTime?.base ?? 1,
    perKvToken: stepTime?.perKvToken ?? 0,
  };
}

export type Schedule = keyof typeof schedules;

export const scheduleNames = Object.keys(schedules) as Schedule[];

export const defaultSchedules: readonly Schedule[] = ["fcfs"];

/** The one to beat where outputs are predicted. */
export const STRONG: Schedule = "svf";

export const goesByPredictions = (schedule: Schedule): boolean => schedules[schedule].predicts;

export function schedulingOf(schedule: Schedule, served: Served): SchedulingPolicy {
  const { name, create } = schedules[schedule].make(served);
  return { name, create: (o) => inWordsOfCli(schedule, () => create(o)) };
}

/** Which of the options asked for a policy that there cannot be. */
function inWordsOfCli<T>(schedule: Schedule, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ArgumentError)
      error.message = `--schedule ${schedule}: --kv-tokens: ${error.message.replace("kvTokens: ", "")}`;
    throw error;
  }
}

/** A way to route and a way to schedule, and what tables call it. */
export interface Combination {
  policy: string;
  route: Route;
  schedule: Schedule;
}

/** Every route with every schedule; with a schedule other than first come first served the strong one, too, where it has what it goes by. */
export function combinationsOf(
  routes: readonly Route[],
  asked: readonly Schedule[],
  predicted: boolean,
): { combinations: Combination[]; reference: string } {
  const usual = asked.length === 1 && asked[0] === "fcfs";
  const strong = !usual && predicted && !asked.includes(STRONG) ? [STRONG] : [];
  const all = [...asked, ...strong];
  const nameOf = (route: Route, schedule: Schedule) => (usual ? route : `${route} + ${schedule}`);
  const combinations = routes.flatMap((route) =>
    all.map((schedule) => ({ policy: nameOf(route, schedule), route, schedule })),
  );
  return { combinations, reference: nameOf(REFERENCE, all.includes(STRONG) ? STRONG : all[0]) };
}
