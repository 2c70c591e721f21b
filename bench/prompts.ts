import { seeded } from "../src/common/random.ts";
import { type CachePolicy, type CacheTrace, caching, simulateCache } from "../src/serving.ts";

/** Zhu et al.'s setting: 20 prompts, of which a cache holds 10, asked for by a power law; a miss costs 1 or 101 at each of two models. */
export const PROMPTS = 20;
export const CAPACITY = 10;
export const COSTS = [1, 101] as const;

export interface Asked {
  requests: number;
  seed: number;
  /** Prompt q is asked for with a probability in proportion to (q + 1) ** -power. */
  power: number;
  /** "fixed": each prompt has its cost at each model, drawn once. "varying": each has a mean, uniform between the costs, and every miss costs the one or the other. */
  costs: "fixed" | "varying";
}

export interface Prompts {
  trace: CacheTrace;
  /** Least expected cost of a request, with the best contents; by the large model alone, and with the better of both. */
  least: { alone: number; chosen: number };
}

export function askedPrompts({ requests, seed, power, costs }: Asked): Prompts {
  const random = seeded(seed);
  const [low, high] = COSTS;
  const drawn = () => (costs === "fixed" ? random.pick(COSTS) : low + (high - low) * random.next());
  const means = { cost: Array.from({ length: PROMPTS }, drawn), smallCost: Array.from({ length: PROMPTS }, drawn) };
  const paid = (mean: number) => (costs === "fixed" ? mean : random.next() < (mean - low) / (high - low) ? high : low);
  const weights = Array.from({ length: PROMPTS }, (_, q) => (q + 1) ** -power);
  const sum = weights.reduce((a, b) => a + b);
  const key = Int32Array.from({ length: requests }, () => {
    let left = random.next() * sum;
    let q = 0;
    while (q < PROMPTS - 1 && left >= weights[q]) left -= weights[q++];
    return q;
  });
  const trace = {
    key,
    size: new Float64Array(requests).fill(1),
    cost: Float64Array.from(key, (q) => paid(means.cost[q])),
    smallCost: Float64Array.from(key, (q) => paid(means.smallCost[q])),
  };
  const least = (mean: (q: number) => number) =>
    weights
      .map((weight, q) => (weight / sum) * mean(q))
      .sort((a, b) => a - b)
      .slice(0, PROMPTS - CAPACITY)
      .reduce((a, b) => a + b);
  const chosen = (q: number) => Math.min(means.cost[q], means.smallCost[q]);
  return { trace, least: { alone: least((q) => means.cost[q]), chosen: least(chosen) } };
}

/** The four forms of LEC: by plain means or confidence bounds, with and without the choice of a model. */
export const lecForms = (requests: number): Record<"means" | "bounds", (selection: boolean) => CachePolicy> => ({
  means: (selection) => caching.lec({ costs: COSTS, selection }),
  bounds: (selection) => caching.lec({ costs: COSTS, selection, confidence: { requests, keys: PROMPTS } }),
});

/** Mean cost over seeds of LFU without a choice, as a multiple of each form's, and each form's mean cost beyond the least expected. */
export function overLfu(asked: Omit<Asked, "seed">, seeds: number): { form: string; ratio: number; regret: number }[] {
  const forms = lecForms(asked.requests);
  const totals = (["means", "bounds"] as const).flatMap((form) =>
    [false, true].map((selection) => ({
      form: `${form}${selection ? ", selection" : ""}`,
      selection,
      policy: forms[form](selection),
      cost: 0,
      regret: 0,
    })),
  );
  let lfu = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const { trace, least } = askedPrompts({ ...asked, seed });
    lfu += simulateCache(trace, { capacity: CAPACITY, policy: caching.lfu() }).cost;
    for (const total of totals) {
      const { cost } = simulateCache(trace, { capacity: CAPACITY, policy: total.policy });
      total.cost += cost;
      total.regret += cost - asked.requests * (total.selection ? least.chosen : least.alone);
    }
  }
  return totals.map(({ form, cost, regret }) => ({ form, ratio: lfu / cost, regret: regret / seeds }));
}
