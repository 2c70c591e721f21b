import type { Pauses } from "../../common/pauses.ts";
import { SharedSteps, type StepPool, type StepPrices, type StepRequests } from "./shared_steps.ts";

/** Windows of the last round; each round has twice as many as the one before, and begins with its prices. */
const MOST_WINDOWS = 64;
/** Evaluations of a round, fewer where there are many requests. */
const EVALUATIONS = 40;
const MOST_PRICED = 4e6;
/** How far a price goes at first towards what is used of its window over what there is, in logarithms; and after so many steps, half as far. */
const RATE = 0.5;
const SLOWER = 10;
const LEAST_CHANGE = -1;
const MOST_CHANGE = 2;
/** Requests of a piece of work, in windows that are tried for them. */
const TRIED = 8;
/** What rounding may have added, as a share of what was added up. */
const ROUNDING = 1e-9;

/** Prices for all of the time, to begin with: workers' time is worth something, and the rest next to nothing. */
const FIRST = { step: 2, kv: 0.01, slot: 0.001 };

/** s of latency of all requests together at the least, by `SharedSteps`, rounded down. */
export async function stepBound(requests: StepRequests, pool: StepPool, prices: StepPrices, pauses: Pauses) {
  return (await evaluate(requests, pool, prices, pauses)).total;
}

async function evaluate(requests: StepRequests, pool: StepPool, prices: StepPrices, pauses: Pauses) {
  const dual = new SharedSteps(requests, pool, prices);
  let sum = 0;
  await pauses.inPieces(requests.requests, TRIED, (first, end) => {
    sum += dual.add(first, end);
  });
  const { paid, used } = dual;
  return { total: sum - paid - ROUNDING * (sum + paid), used };
}

/**
 * Looks for prices that make the bound large: each goes up where more is used of its window than there is, and down where less is, by a share.
 *
 * @param until  s: when a good schedule is done.
 */
export async function searchStepPrices(
  requests: StepRequests,
  pool: StepPool,
  until: number,
  pauses: Pauses,
): Promise<StepPrices> {
  const evaluations = Math.max(2, Math.min(EVALUATIONS, Math.floor(MOST_PRICED / Math.max(1, requests.requests))));
  let held = 0;
  for (let i = 0; i < requests.requests; i++) held += requests.input[i] + requests.output[i] / 2;
  const { step, kv, slot } = FIRST;
  const all = (value: number) => new Float64Array(1).fill(value);
  let best: StepPrices = { until, step: all(0), kv: all(0), slot: all(0) };
  let most = await stepBound(requests, pool, best, pauses);
  let start: StepPrices = { until, step: all(step), kv: all((kv * requests.requests) / held), slot: all(slot) };
  for (let windows = 1; windows <= MOST_WINDOWS; windows *= 2) {
    const prices = start;
    for (let done = 0; done < evaluations; done++) {
      const { total, used } = await evaluate(requests, pool, prices, pauses);
      if (total > most) {
        most = total;
        best = copyOf(prices);
      }
      move(prices, used, pool, RATE / (1 + done / SLOWER));
    }
    best = halved(best);
    start = best.step.some((price) => price > 0) ? copyOf(best) : halved(prices);
  }
  return best;
}

const copyOf = ({ until, step, kv, slot }: StepPrices): StepPrices => ({
  ...{ until, step: step.slice(), kv: kv.slice(), slot: slot.slice() },
});

/** The same prices in windows of half the length. */
function halved({ until, step, kv, slot }: StepPrices): StepPrices {
  const twice = (price: Float64Array) => Float64Array.from({ length: 2 * price.length }, (_, k) => price[k >> 1]);
  return { until, step: twice(step), kv: twice(kv), slot: twice(slot) };
}

function move(prices: StepPrices, used: StepPrices, { workers, slots, kvTokens }: StepPool, rate: number): void {
  const windows = prices.step.length;
  const seconds = (workers * prices.until) / windows;
  for (const [name, there] of [
    ["step", seconds],
    ["kv", seconds * kvTokens],
    ["slot", seconds * slots],
  ] as const) {
    for (let k = 0; k < windows; k++) {
      const change = Math.max(LEAST_CHANGE, Math.min(MOST_CHANGE, used[name][k] / there - 1));
      prices[name][k] *= Math.exp(rate * change);
    }
  }
}
