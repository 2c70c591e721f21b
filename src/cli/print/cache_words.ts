/** What `cache` says. */
import { goByUse } from "../reports/cache_policies.ts";
import type { CacheReport, CacheSetting, Capacity, SimulatedPolicy } from "../reports/cache_report.ts";
import { cacheTable, costInWords, scaleOf } from "./cache_tables.ts";
import { plainTable } from "./plain_table.ts";
import { threeFigures } from "./simulation_units.ts";
import { count, paragraph, plural } from "./words.ts";

export function cacheInWords(report: CacheReport): string {
  const tables = report.capacities.map(
    (at) => `${capacityHeading(report, at)}:\n${plainTable(cacheTable(report, at))}`,
  );
  return [...tables, paragraph(...cacheLegend(report))].join("\n\n");
}

/** "Capacity 1,234 tokens, 5 % of the footprint" */
export function capacityHeading(
  { sizeUnit, sizes, footprint }: Pick<CacheReport, "sizeUnit" | "sizes" | "footprint">,
  { capacity, share }: Capacity,
): string {
  const fits = capacity >= footprint ? ", where all fits" : capacity < sizes[0] ? ", where nothing fits" : "";
  return `Capacity ${sizeInWords(capacity, sizeUnit)}, ${shareInWords(share)} of the footprint${fits}`;
}

export const sizeInWords = (size: number, unit: CacheReport["sizeUnit"]) =>
  unit === undefined ? threeFigures(size) : `${threeFigures(size)} ${unit}`;

/** "5 %", "0.012 %" */
export const shareInWords = (share: number) => `${count(Number((100 * share).toPrecision(3)))} %`;

/** Sentences for below the tables. */
export function cacheLegend(report: CacheReport): string[] {
  const { requests, footprint, sizeUnit, costUnit, costWithout, costWithAll, costs, stepTimeFrom } = report;
  return [
    `${plural(requests, "request")} for ${objectsInWords(report)}; the footprint, all of them together, is ${sizeInWords(footprint, sizeUnit)}.`,
    ...(stepTimeFrom === undefined ? [] : [`The seconds of a block are by ${stepTimeFrom}.`]),
    ...(costs[0] === costs[1] ? [`Every miss costs ${costInWords(costs[0], costUnit)}.`] : []),
    `Without a cache the cost is ${costInWords(costWithout, costUnit)}, and with room for all ${costInWords(costWithAll, costUnit)}, since nothing is there when it is first asked for.`,
    ...leastInWords(report),
    ...boundInWords(report),
    ...figuresInWords(report),
    ...policiesInWords(report),
  ];
}

function objectsInWords({ source, prompts, objects }: CacheReport): string {
  if (prompts === undefined) return `${plural(objects, "object")} of ${source}`;
  return `${plural(objects, "block")} of the ${plural(prompts, "prompt")} of ${source}`;
}

/** Which policy is the best, where there are several. */
function leastInWords({ capacities, policies }: CacheReport): string[] {
  if (policies.length === 1) return [];
  const at = new Map<string, string[]>();
  for (const { share, policies } of capacities) {
    const least = leastOf(policies);
    at.set(least, [...(at.get(least) ?? []), shareInWords(share)]);
  }
  return [`Least cost: ${[...at].map(([least, shares]) => `${least} at ${shares.join(", ")}`).join("; ")}.`];
}

/** Who costs the least. */
export function leastOf(policies: readonly SimulatedPolicy[]): string {
  const least = Math.min(...policies.map(({ cost }) => cost));
  const those = policies.filter(({ cost }) => cost === least).map(({ policy }) => policy);
  return those.length === policies.length && those.length > 1 ? "all alike" : those.join(" and ");
}

function boundInWords({ capacities, window, requests }: CacheReport): string[] {
  const bounds = capacities.flatMap(({ bound }) => bound ?? []);
  if (bounds.length === 0) return [];
  const windows = window === undefined || window >= requests ? "" : `, ${count(window)} requests at a time`;
  const exact = bounds.filter(({ exact }) => exact).length;
  return [
    `Bound: no policy costs less, even one that knows all requests beforehand; proven by prices of capacity over time${windows}.`,
    ...(exact > 0 ? ["Optimum: such a policy costs just that."] : []),
  ];
}

function figuresInWords({ sizes, costs }: CacheReport): string[] {
  const differ = sizes[0] < sizes[1];
  return [
    `Hits: the share of the requests that is found${differ ? "; of sizes: that of their sizes" : ""}.`,
    ...(costs[0] < costs[1] ? ["Latency: what a request waits for, the cost of its miss, or its hit."] : []),
    `Regret: what the cost is more than that of the best contents that never change, all requests being known${differ ? ", at the most" : ""}; below 0 where change pays.`,
  ];
}

function policiesInWords({ sizes, costs, policies }: CacheReport): string[] {
  const byUse = policies.filter((policy) => goByUse.includes(policy));
  const alike = costs[0] === costs[1];
  const all = alike && sizes[0] === sizes[1];
  return [
    ...(byUse.length > 0 && !all ? [`${byUse.join(", ")}: by use alone, whatever sizes and costs are.`] : []),
    ...(policies.includes("lec-confidence") ? [confidence(alike)] : []),
  ];
}

const confidence = (alike: boolean) =>
  `lec-confidence knows how many requests and objects there are, and the least and the largest cost${alike ? "; with all costs alike it does as lec" : ""}.`;

export interface CheckedCacheBounds {
  valid: boolean;
  bounds: { capacity: number; claimed: number; proven: number; valid: boolean }[];
}

export function certifiedInWords(
  { valid, bounds }: CheckedCacheBounds,
  { source, sizeUnit, costUnit }: CacheSetting,
): string {
  const costs = bounds.flatMap(({ claimed, proven }) => [claimed, proven]);
  const cost = scaleOf("claimed", costs, costUnit);
  const table = plainTable([
    ["capacity", cost.head, "proven", "verdict"],
    ...bounds.map(({ capacity, claimed, proven, valid }) => [
      ...[sizeInWords(capacity, sizeUnit), cost.shown(claimed), cost.shown(proven)],
      valid ? "proven" : "NOT proven",
    ]),
  ]);
  const proven = `The prices prove that no policy costs less than claimed on ${source}.`;
  const less = `The prices prove less than is claimed of ${source}, or are no prices, and then prove nothing.`;
  return [table, paragraph(valid ? proven : less)].join("\n\n");
}
