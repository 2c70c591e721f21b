import type { SchedulingPolicy } from "../../serving/policy.ts";
import { scheduling } from "../../serving/scheduling/scheduling.ts";
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
} satisfies Record<string, { make: () => SchedulingPolicy; predicts: boolean }>;

export type Schedule = keyof typeof schedules;

export const scheduleNames = Object.keys(schedules) as Schedule[];

export const defaultSchedules: readonly Schedule[] = ["fcfs"];

/** The one to beat where outputs are predicted. */
export const STRONG: Schedule = "svf";

export const goesByPredictions = (schedule: Schedule): boolean => schedules[schedule].predicts;

export const schedulingOf = (schedule: Schedule): SchedulingPolicy => schedules[schedule].make();

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
