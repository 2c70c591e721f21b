import { meanOverSeeds } from "../../serving/simulator/mean_over_seeds.ts";
import type { Spread, Summary } from "../../serving/simulator/simulated.ts";

const spreads = ["wait", "ttft", "tpot", "itl", "latency"] as const;
export const quantities = ["mean", "p50", "p90", "p95", "p99"] as const;

export type SpreadName = (typeof spreads)[number];
export type Quantity = (typeof quantities)[number];
type Scalar = Exclude<keyof Summary, SpreadName>;
export type FigureName = Scalar | `${SpreadName}.${Quantity}`;

interface Estimate {
  mean: number;
  /** Half of the mean's 95 % interval: over the seeds, or of a latency's mean within a single run; NaN where there is none. */
  halfWidth: number;
}

export interface Figure extends Estimate {
  /** What it is more than the reference's, seed by seed; of a single run, without an interval. */
  difference?: Estimate;
}

export type Figures = Partial<Record<FigureName, Figure>>;

/**
 * Every figure of a policy over the seeds.
 *
 * @param reference  the summaries of what it is compared with, of the same seeds; none for the reference itself.
 */
export function figuresOf(summaries: readonly Summary[], reference?: readonly Summary[]): Figures {
  const own = summaries.map(flatten);
  const theirs = reference?.map(flatten);
  const [first] = own;
  const figures: Figures = {};
  for (const name of Object.keys(first) as FigureName[]) {
    const values = own.map((one) => one[name]!);
    const estimate = meanOverSeeds(values);
    if (summaries.length === 1) estimate.halfWidth = halfWidthWithin(summaries[0], name);
    const against = theirs?.map((one) => one[name]!);
    figures[name] = { ...estimate, ...(against && { difference: meanOverSeeds(values, against) }) };
  }
  return figures;
}

function halfWidthWithin(summary: Summary, name: FigureName): number {
  const spread = spreads.find((one) => name === `${one}.mean`);
  return spread === undefined ? Number.NaN : summary[spread].halfWidth;
}

function flatten(summary: Summary): Partial<Record<FigureName, number>> {
  const flat: Partial<Record<FigureName, number>> = {};
  for (const [name, value] of Object.entries(summary) as [keyof Summary, number | Spread | undefined][]) {
    if (typeof value === "number") flat[name as Scalar] = value;
    else if (value !== undefined) for (const one of quantities) flat[`${name as SpreadName}.${one}`] = value[one];
  }
  return flat;
}
