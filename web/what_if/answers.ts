/** What a sweep says, in words and rows. */
import type { Headline } from "../../src/cli/print/html_page.ts";
import { percent, threeFigures, timeInWords } from "../../src/cli/print/simulation_units.ts";
import { plural } from "../../src/cli/print/words.ts";
import { type BreakingRate, meanOfSeeds, paretoFront, type SweptMean, type SweptScenario } from "../../src/serving.ts";
import { policyName } from "./policies.ts";
import { type Question, rateInWords } from "./question.ts";

/** What is shown of a configuration: the mean over its seeds. */
export interface Configuration extends SweptMean {
  policy: string;
  /** As large a share of its requests is within the SLO as is asked for. */
  meets: boolean;
  /** No other at its rate is at least as good by p99 TTFT, p99 TPOT, throughput per worker and energy per token, and better by one of them. */
  onFront: boolean;
  /** Of its policies and workers, whatever its rate; undefined where it is not known. */
  breaking?: BreakingRate;
}

export function configurationsOf(
  { attainment }: Question,
  scenarios: readonly SweptScenario[],
  breaking: readonly BreakingRate[] = [],
): Configuration[] {
  const means = meanOfSeeds(scenarios);
  const rates = new Set(means.map(({ rate }) => rate));
  const front = new Set([...rates].flatMap((rate) => paretoFront(means.filter((one) => one.rate === rate))));
  const key = ({ routing, scheduling, workers }: Pick<BreakingRate, "routing" | "scheduling" | "workers">) =>
    [routing, scheduling, workers].join();
  const found = new Map(breaking.map((one) => [key(one), one]));
  return means.map((mean) => ({
    ...{ ...mean, policy: policyName(mean), onFront: front.has(mean), breaking: found.get(key(mean)) },
    meets: mean.attainment! >= attainment,
  }));
}

/** The trace's own rate where it is among those asked for, else the first. */
export function mainRate({ grid: { rates }, ownRate }: Question): number | undefined {
  return rates?.find((rate) => rate === ownRate) ?? rates?.[0];
}

/** Those of the main rate. */
function atMainRate(question: Question, all: readonly Configuration[]): Configuration[] {
  const rate = mainRate(question);
  return all.filter((one) => one.rate === rate);
}

/** The first of those with the least cost; undefined of none. */
function leastBy<T>(all: readonly T[], cost: (one: T) => number): T | undefined {
  return all.reduce<T | undefined>(
    (best, one) => (best === undefined || cost(one) < cost(best) ? one : best),
    undefined,
  );
}

/** Fewest workers within the SLO; of equally many what has more of the requests within it, then what is faster. */
const fewestOf = (all: readonly Configuration[]): Configuration | undefined =>
  leastBy(
    all.filter(({ meets }) => meets).sort((a, b) => b.attainment! - a.attainment! || a.ttft.p99 - b.ttft.p99),
    ({ workers }) => workers,
  );

/** @param breaking  of all configurations; undefined where they are not asked for, or being looked for. */
export function headlinesOf(
  question: Question,
  all: readonly Configuration[],
  breaking: readonly BreakingRate[] | undefined,
): Headline[] {
  return [
    fewestWorkers(question, all),
    ...(breaking ? [highestRate(breaking)] : []),
    bestOf(question, all, {
      name: "Most throughput per worker",
      cost: ({ workerThroughput }) => -workerThroughput,
      value: ({ workerThroughput }) => `${threeFigures(workerThroughput)} tokens/s`,
    }),
    bestOf(question, all, {
      name: "Least energy per token",
      cost: ({ energyPerToken }) => energyPerToken,
      value: ({ energyPerToken }) => `${threeFigures(energyPerToken)} J`,
    }),
  ];
}

function fewestWorkers(question: Question, all: readonly Configuration[]): Headline {
  const name = "Fewest workers within the SLO";
  const rate = rateInWords(mainRate(question), question.ownRate);
  const asked = atMainRate(question, all);
  const fewest = fewestOf(asked);
  if (fewest) {
    const others = new Set(
      asked.filter((one) => one.meets && one.workers === fewest.workers).map(({ policy }) => policy),
    );
    others.delete(fewest.policy);
    const also = others.size > 0 ? `, as ${[...others].join(" and ")} would` : "";
    const note = `by ${fewest.policy}${also}, at ${rate}: ${percent(fewest.attainment!)} of the requests are within it.`;
    return { name, value: String(fewest.workers), note };
  }
  const nearest = leastBy(asked, ({ attainment }) => -attainment!)!;
  const note = `is enough at ${rate}. The nearest, ${plural(nearest.workers, "worker")} by ${nearest.policy}, has ${percent(nearest.attainment!)} of the requests within it. Ask for more workers, or less strict limits.`;
  return { name, value: "None", note };
}

function highestRate(breaking: readonly BreakingRate[]): Headline {
  const name = "Rate up to which the SLO holds";
  const best = leastBy(breaking, ({ holds }) => -holds)!;
  if (best.holds === 0) return { name, value: "None", note: "Each configuration breaks it at the least rate tried." };
  const rivals = breaking.filter(({ workers }) => workers === best.workers);
  const worst = leastBy(rivals, ({ holds }) => holds)!;
  const less = worst.holds < best.holds ? `; by ${policyName(worst)} up to ${threeFigures(worst.holds)}` : "";
  const note = `by ${policyName(best)} on ${plural(best.workers, "worker")}${less}.`;
  return { name, value: `${threeFigures(best.holds)} requests/s`, note };
}

interface Best {
  name: string;
  cost(one: Configuration): number;
  value(one: Configuration): string;
}

/** Among those within the SLO, at any rate asked for; among all where there is none. */
function bestOf({ ownRate }: Question, all: readonly Configuration[], { name, cost, value }: Best): Headline {
  const meeting = all.filter(({ meets }) => meets);
  const best = leastBy(meeting.length > 0 ? meeting : all, cost)!;
  const outside = meeting.length > 0 ? "within the SLO" : "though outside the SLO";
  const note = `${outside}, by ${best.policy} on ${plural(best.workers, "worker")} at ${rateInWords(best.rate, ownRate)}.`;
  return { name, value: value(best), note };
}

/** A row per policy, with a header. */
export function policyRows(
  question: Question,
  all: readonly Configuration[],
  breaking?: readonly BreakingRate[],
): string[][] {
  const most = Math.max(...question.grid.workers);
  const asked = atMainRate(question, all);
  const policies = [...new Set(all.map(({ policy }) => policy))];
  const rows = policies.map((policy) => {
    const fewest = fewestOf(asked.filter((one) => one.policy === policy));
    const limit = breaking?.find((one) => policyName(one) === policy && one.workers === most);
    const figures = fewest
      ? [
          String(fewest.workers),
          timeInWords(fewest.ttft.p99, "seconds"),
          threeFigures(fewest.workerThroughput),
          threeFigures(fewest.energyPerToken),
        ]
      : [`more than ${most}`, "-", "-", "-"];
    return [policy, ...figures, ...(limit ? [threeFigures(limit.holds)] : [])];
  });
  const head = ["policy", "fewest workers", "p99 TTFT", "tokens/s a worker", "J/token"];
  return [[...head, ...(breaking ? [`requests/s that ${plural(most, "worker")} can take`] : [])], ...rows];
}
