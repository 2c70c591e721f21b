/**
 * What is it worth to know what a miss costs? The experiment of LEC's authors, and how its regret grows.
 *
 *   node scripts/run.mjs bench/caching_lec.ts [--seeds 100]
 *
 * 20 prompts asked for by a power law, a cache for 10, costs 1 + 100 Bernoulli(1/2) at each of two models. First the mean cost of LFU
 * without a choice of the model, as a multiple of LEC's, at T = 10,000, where each prompt has its cost for good. Then the regret against the
 * best contents, the prompts' probabilities and mean costs being known, at T from 1,000 to 100,000, and the exponent fitted to it.
 */
import { parseArgs } from "node:util";
import { plainTable } from "../src/cli/print/plain_table.ts";
import { overLfu } from "./prompts.ts";

const { values } = parseArgs({ options: { seeds: { type: "string", default: "100" } } });
const seeds = Number(values.seeds);
const POWERS = [0.2, 0.9];
const LENGTHS = [1_000, 3_162, 10_000, 31_623, 100_000];

/** As measured with another program: 12 seeds, ratio of means. */
const known: Record<string, number[]> = {
  means: [6.1, 6.0],
  "means, selection": [38.7, 29.2],
  bounds: [4.9, 4.0],
  "bounds, selection": [13.5, 8.3],
};

const cells = POWERS.map((power) => overLfu({ requests: 10_000, power, costs: "fixed" }, seeds));
console.log(`LFU's cost over LEC's, ${seeds} seeds\n`);
console.log(
  plainTable([
    ["LEC by", ...POWERS.flatMap((power) => [`power ${power}`, "known"])],
    ...cells[0].map(({ form }, row) => [
      form,
      ...POWERS.flatMap((_, column) => [cells[column][row].ratio.toFixed(1), known[form][column].toFixed(1)]),
    ]),
  ]),
);
for (const costs of ["fixed", "varying"] as const) {
  for (const power of POWERS) {
    const byLength = LENGTHS.map((requests) => overLfu({ requests, power, costs }, Math.ceil(seeds / 4)));
    console.log(`\nregret, ${costs} costs, power ${power}, ${Math.ceil(seeds / 4)} seeds\n`);
    console.log(
      plainTable([
        ["LEC by", ...LENGTHS.map((T) => `T ${T}`), "like T ^", "x sqrt(T)"],
        ...byLength[0].map(({ form }, row) => {
          const regrets = byLength.map((forms) => forms[row].regret);
          return [form, ...regrets.map((x) => x.toFixed(0)), exponent(regrets).toFixed(2), factor(regrets).toFixed(0)];
        }),
      ]),
    );
  }
}

/** Least squares in logarithms. */
function exponent(regrets: number[]): number {
  const x = LENGTHS.map(Math.log);
  const y = regrets.map((regret) => Math.log(Math.max(1, regret)));
  const mean = (all: number[]) => all.reduce((a, b) => a + b) / all.length;
  const [mx, my] = [mean(x), mean(y)];
  return (
    x.reduce((sum, one, i) => sum + (one - mx) * (y[i] - my), 0) / x.reduce((sum, one) => sum + (one - mx) ** 2, 0)
  );
}

/** a of a sqrt(T), least squares. */
function factor(regrets: number[]): number {
  const over = regrets.reduce((sum, regret, i) => sum + regret * Math.sqrt(LENGTHS[i]), 0);
  return over / LENGTHS.reduce((a, b) => a + b);
}
