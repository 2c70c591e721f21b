import type { SimulationBound } from "../reports/simulation_bound.ts";
import type { SimulationReport } from "../reports/simulation_report.ts";
import { timeInWords } from "./simulation_units.ts";

/** Sentences on what no policy beats; none where nobody has asked. */
export function boundInWords({ bound, clock, seeds }: SimulationReport): string[] {
  if (bound === undefined) return [];
  if ("none" in bound) return [`There is no bound of mean E2E: ${bound.none}.`];
  const over = seeds.length > 1 && new Set(bound.means).size > 1 ? `, mean over ${seeds.length} seeds` : "";
  return [
    `x bound: mean E2E over ${timeInWords(bound.mean, clock)}${over}, a bound below which no schedule is, with all requests known beforehand;`,
    `it is ${proofInWords(bound, clock)}.`,
  ];
}

export function proofInWords(
  { proof, round }: Pick<SimulationBound, "proof" | "round">,
  clock: "seconds" | "rounds",
): string {
  if (proof === "alone") return "what the requests take that have a worker each, so that nobody waits";
  const steps =
    clock === "rounds"
      ? ""
      : `, with steps of ${timeInWords(round, clock)}, as of one request, and longer ones where its own tokens ask for it`;
  return `proven by prices of memory and slots${steps}`;
}
