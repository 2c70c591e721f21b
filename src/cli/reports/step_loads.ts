/** A recorder may add up steps; with a cost these are another regime, for tokens that came one by one would seem to have come together. */
import { LoadError } from "../../common/errors.ts";
import { MAX_TOKENS } from "../../common/numbers.ts";
import type { CostFile } from "../files/cost_file.ts";
import type { LoadHistory } from "../files/load_file.ts";
import { warn } from "../print/warning.ts";
import { count, plural } from "../print/words.ts";
import { row } from "./load_history.ts";

type Loads = Pick<LoadHistory, "loads">;

/**
 * What one step has, where a row is the sum of several: loads / stepsPerRow in whole tokens, of a row whose tokens are those of the quotient, rounded.
 * All are rounded down, and the tokens left go to the largest remainders, of equal ones to the first (Hamilton's rule).
 *
 * @throws {LoadError} A step has more than 2^31 - 1 tokens in a layer.
 */
export function perStep(history: LoadHistory, stepsPerRow: number): LoadHistory {
  const { source, steps, layers, experts } = history;
  const loads = new Int32Array(steps * layers * experts);
  for (let step = 0; step < steps; step++) {
    for (let layer = 0; layer < layers; layer++) {
      const sums = Array.from(row(history, step, layer));
      const total = Math.round(sums.reduce((sum, load) => sum + load, 0) / stepsPerRow);
      if (total > MAX_TOKENS) {
        const remedy = "With a cost a row is a step: --steps-per-row says of how many it is the sum.";
        throw new LoadError(`${source}: step ${step}, layer ${layer}`, `at most ${MAX_TOKENS} tokens`, total, remedy);
      }
      loads.set(wholeParts(sums, stepsPerRow, total), (step * layers + layer) * experts);
    }
  }
  return { ...history, loads };
}

/** Whole numbers near values / divisor that add up to `total`. */
function wholeParts(values: readonly number[], divisor: number, total: number): number[] {
  const remainders = values.map((value) => value % divisor); // exact, as quotients are not
  const parts = values.map((value, i) => Math.round((value - remainders[i]) / divisor));
  const left = total - parts.reduce((sum, part) => sum + part, 0);
  const largestFirst = [...parts.keys()].sort((i, j) => remainders[j] - remainders[i] || i - j);
  for (const i of largestFirst.slice(0, left)) parts[i]++;
  return parts;
}

/** Single steps for a cost, with a warning where they are beyond what was measured. */
export function costedSteps(history: LoadHistory, cost: CostFile, stepsPerRow: number): LoadHistory {
  const steps = perStep(history, stepsPerRow);
  const warning = beyondInWords(steps, cost, true);
  if (warning !== undefined) warn(warning);
  return steps;
}

/** How many loads of experts there are, of those that are not 0, and how many are above `last` tokens. */
export function loadsBeyond({ loads }: Loads, last: number): { beyond: number; loads: number } {
  const some = loads.filter((load) => load > 0);
  return { beyond: some.filter((load) => load > last).length, loads: some.length };
}

/**
 * A warning, where loads are beyond what was measured: there a curve is a guess. Where they are on average, it is no single step, likely.
 *
 * @param rows  They are a recording's, of which a row may be the sum of steps.
 */
export function beyondInWords(given: Loads, { source, last }: CostFile, rows: boolean): string | undefined {
  const { beyond, loads } = loadsBeyond(given, last);
  if (beyond === 0) return undefined;
  const some = `${count(beyond)} of ${plural(loads, "expert load")}`;
  const end = `${source} ends at ${count(last)} tokens of an expert, and ${some} ${beyond === 1 ? "is" : "are"} larger`;
  const guess = `${end}: their cost is a guess.`;
  if (!rows) return guess;
  const mean = Float64Array.from(given.loads).reduce((a, b) => a + b, 0) / loads;
  if (mean <= last) return `${guess} If a row of the recording is a sum of steps, --steps-per-row says of how many.`;
  return (
    `${guess} On average they have ${count(Math.round(mean))} tokens, many for one step. Sums of steps show the wrong regime, as if all tokens ` +
    "had come at once: --steps-per-row says of how many steps a row is the sum."
  );
}
