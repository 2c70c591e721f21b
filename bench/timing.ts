/** How long a call takes, by clocks of which some are coarse. */
import type { Prepared } from "./method.ts";

/** How long a measurement may take. */
export interface Effort {
  samples: number;
  /** No further sample is begun after this much time, once there are `leastSamples`. */
  budgetMs: number;
  leastSamples: number;
}

export const efforts = {
  quick: { samples: 25, budgetMs: 500, leastSamples: 3 },
  full: { samples: 50, budgetMs: 5_000, leastSamples: 5 },
} as const satisfies Record<string, Effort>;

export interface Timing {
  medianUs: number;
  p05Us: number;
  p95Us: number;
  timestampUs?: number;
}

const WARM_UPS = 5;
/** Short calls need more than a few: the engine compiles what it sees often. */
const WARM_UP_MS = 100;

/** A browser's clock ticks every 5 to 1,000 us, Node's all the time. */
const FINE_CLOCK_MS = 0.001;
/** So many ticks are a sample at least: as many calls in a row as that takes, and its figure is their mean. */
const TICKS_PER_SAMPLE = 20;
/** A browser may round timestamps, too, to 65,536 or 100,000 ns. */
export const COARSE_TIMESTAMP_NS = 10_000;

export type Timed = Pick<Prepared, "run" | "gpuUs" | "onGpu" | "clock">;

/** Warms up, then times each call alone. The caller has checked the output of a first call already. */
export async function time(prepared: Timed, effort: Effort): Promise<Timing> {
  return (await timeInTurn([prepared], effort))[0];
}

/** The same of several, whose calls take turns: what else the machine does is in the times of all. */
export async function timeInTurn(all: readonly Timed[], effort: Effort): Promise<Timing[]> {
  const stepMs = clockStepMs();
  const calls: number[] = [];
  for (const prepared of all) calls.push(callsOfSample(prepared, stepMs, await warmUp(prepared, effort)));
  const samples = all.map(() => ({ us: [] as number[], gpuUs: [] as number[] }));
  const begun = performance.now();
  for (
    let taken = 0;
    taken < effort.samples && (taken < effort.leastSamples || performance.now() - begun < all.length * effort.budgetMs);
    taken++
  ) {
    for (const [i, prepared] of all.entries()) {
      const { clock = () => performance.now() } = prepared;
      const called = clock();
      for (let call = 0; call < calls[i]; call++) {
        await prepared.run();
        if (prepared.gpuUs) samples[i].gpuUs.push(prepared.gpuUs());
      }
      samples[i].us.push(((clock() - called) * 1e3) / calls[i]);
    }
  }
  return samples.map(({ us, gpuUs }) => {
    const at = quantiles(us);
    const timing = { medianUs: at(0.5), p05Us: at(0.05), p95Us: at(0.95) };
    return gpuUs.length > 0 ? { ...timing, timestampUs: typicalGpuUs(gpuUs) } : timing;
  });
}

/** @returns milliseconds per call; undefined where the budget is too short for any. */
export async function warmUp(prepared: Timed, effort: Effort): Promise<number | undefined> {
  const start = performance.now();
  const spent = () => performance.now() - start;
  let calls = 0;
  for (; (calls < WARM_UPS || spent() < WARM_UP_MS) && spent() < effort.budgetMs / 2; calls++) await prepared.run();
  return calls > 0 ? spent() / calls : undefined;
}

function callsOfSample({ clock }: Timed, stepMs: number, msPerCall: number | undefined): number {
  if (clock || msPerCall === undefined || stepMs <= FINE_CLOCK_MS) return 1;
  return Math.max(1, Math.ceil((TICKS_PER_SAMPLE * stepMs) / msPerCall));
}

export const clockIsFine = (): boolean => clockStepMs() <= FINE_CLOCK_MS;

/** The least that `performance.now()` is seen to move by. */
export function clockStepMs(): number {
  let stepMs = Number.POSITIVE_INFINITY;
  let last = performance.now();
  for (let ticks = 0; ticks < 10; ) {
    const now = performance.now();
    if (now === last) continue;
    stepMs = Math.min(stepMs, now - last);
    last = now;
    ticks++;
  }
  return stepMs;
}

/** The median; of times that are whole steps of a coarse clock the mean, which does not know of steps. */
export function typicalGpuUs(us: readonly number[]): number {
  const stepNs = us.map((one) => Math.round(one * 1e3)).reduce(greatestCommonDivisor);
  return stepNs >= COARSE_TIMESTAMP_NS ? us.reduce((a, b) => a + b) / us.length : quantiles(us)(0.5);
}

export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? Math.abs(a) : greatestCommonDivisor(b, a % b);
}

export function quantiles(values: readonly number[]): (q: number) => number {
  const sorted = [...values].sort((a, b) => a - b);
  return (q) => sorted[Math.round(q * (sorted.length - 1))];
}
