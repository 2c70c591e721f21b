/** What is said of bounds below the tables of a simulation. */
import type { SimulationBound } from "../reports/mean_bound.ts";
import type { SimulationReport } from "../reports/simulation_report.ts";
import { timeInWords } from "./simulation_units.ts";

export type Clock = "seconds" | "rounds";

/** Tokens that a price is shown of. */
export const PRICED_TOKENS = 1000;

/** Sentences on what no policy beats; none where nobody has asked. */
export function boundInWords({ bound, clock, seeds }: SimulationReport): string[] {
  if (bound === undefined) return [];
  if ("none" in bound) return [`There is no bound of mean E2E: ${bound.none}.`];
  const over = seeds.length > 1 && new Set(bound.means).size > 1 ? ` (mean over ${seeds.length} seeds)` : "";
  return [
    `x bound: mean E2E over ${timeInWords(bound.mean, clock)}${over}, below which no schedule is, even one that knows all requests beforehand;`,
    `${proofInWords(bound, clock)}.`,
  ];
}

export function proofInWords(
  { proof, round }: Pick<SimulationBound, "proof" | "round">,
  clock: Clock,
  what = "memory and slots",
): string {
  if (proof === "alone") return "it is what requests take that have a worker each";
  if (proof === "steps")
    return "proven by prices of workers' time and memory, as requests make each other's steps longer";
  const steps =
    clock === "rounds" ? "" : `, steps taken to be as short (${timeInWords(round, clock)}) as for one request`;
  return `proven by prices of ${what}${steps}`;
}
