/** What there is to download. */
import type { BreakingRate, Swept, SweptScenario } from "../../src/serving.ts";
import { configurationsOf } from "./answers.ts";
import type { Question } from "./question.ts";

/** A row per scenario, in the units of the library: s, tokens, J. */
export function csvOf(scenarios: readonly SweptScenario[]): string {
  const rows = scenarios.map(columnsOf);
  return [rows[0].map(([name]) => name), ...rows.map((row) => row.map(([, value]) => value))]
    .map((cells) => `${cells.join()}\n`)
    .join("");
}

/** Spreads in columns of their own: ttft_p99. What a scenario does not have is empty. */
function columnsOf(scenario: SweptScenario): [string, unknown][] {
  return Object.entries(scenario).flatMap(([name, value]) =>
    typeof value === "object"
      ? Object.entries(value).map(([part, figure]): [string, unknown] => [`${name}_${part}`, figure])
      : [[name, value] as [string, unknown]],
  );
}

/** Question and answer; what is computed from scenarios alone is in it, too, for who does not use the library. */
export function jsonOf(question: Question, swept: Swept, breaking: readonly BreakingRate[] | undefined): string {
  const { trace, grid, attainment, ownRate } = question;
  const front = configurationsOf(question, swept.scenarios)
    .filter(({ onFront }) => onFront)
    .map(({ routing, scheduling, workers, rate }) => ({ routing, scheduling, workers, rate }));
  const report = { requests: trace.requests, ownRate, grid, attainment, ...swept, front, breakingRates: breaking };
  return `${JSON.stringify(report, null, 1)}\n`;
}
