/** How figures of a simulation are shown: all of a column in one unit, with as many decimals. */
import type { Figure } from "../reports/simulation_figures.ts";

export interface Unit {
  name: string;
  /** Of a second, or a round. */
  perUnit: number;
  decimals: number;
}

/** Times below it are shown in ms. */
const SHORT = 10;
const MOST_DECIMALS = 3;
const MOST_FIGURES = 5;

/** For times that stand side by side, in seconds or rounds. */
export function timeUnit(times: readonly number[], clock: "seconds" | "rounds"): Unit {
  if (clock === "rounds") return { name: "rounds", perUnit: 1, decimals: decimalsFor(times) };
  const most = Math.max(...times.filter(Number.isFinite), 0);
  const perUnit = most < SHORT ? 1e3 : 1;
  return { name: perUnit === 1 ? "s" : "ms", perUnit, decimals: decimalsFor(times.map((time) => time * perUnit)) };
}

/** As many as show three figures of the least that is not 0, but no more than five of the largest. */
export function decimalsFor(values: readonly number[]): number {
  const sizes = values.map(Math.abs).filter((value) => value > 0 && Number.isFinite(value));
  if (sizes.length === 0) return 0;
  const wanted = 2 - Math.floor(Math.log10(Math.min(...sizes)));
  const most = MOST_FIGURES - 1 - Math.floor(Math.log10(Math.max(...sizes)));
  return Math.max(0, Math.min(MOST_DECIMALS, wanted, most));
}

/** "1,234.5", or "-" where there is no such figure. */
export function fixed(value: number, decimals: number): string {
  if (Number.isNaN(value)) return "-";
  const text = value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return text.replace(/^-(?=[0.,]*$)/, "");
}

/** A figure, and half of its interval where it has one. */
export function estimate(
  { mean, halfWidth }: Pick<Figure, "mean" | "halfWidth">,
  scale: number,
  decimals: number,
): string {
  const value = fixed(mean * scale, decimals);
  return Number.isNaN(halfWidth) || Number.isNaN(mean) ? value : `${value} +-${fixed(halfWidth * scale, decimals)}`;
}

/** A time by itself: "12.3 ms", "1.50 s", "17 rounds". */
export function timeInWords(time: number, clock: "seconds" | "rounds"): string {
  if (Number.isNaN(time)) return "-";
  if (clock === "rounds") return `${threeFigures(time)} rounds`;
  return time < SHORT ? `${threeFigures(time * 1e3)} ms` : `${threeFigures(time)} s`;
}

/** Whole numbers of four digits and more keep all of theirs. */
export function threeFigures(value: number): string {
  if (Number.isNaN(value)) return "-";
  const rounded = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  return rounded.toLocaleString("en", { maximumSignificantDigits: 15 });
}

/** "12.3 %" */
export function percent(share: number): string {
  return Number.isNaN(share) ? "-" : `${(100 * share).toFixed(1)} %`;
}

/** "1.047", for how many times something is more than what nothing is below. */
export function timesInWords(times: number): string {
  return fixed(times, times < SHORT ? MOST_DECIMALS : 1);
}
