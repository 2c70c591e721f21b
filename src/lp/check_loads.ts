/** Checks of loads that both forms share, before anything is computed. */
import { LoadError } from "../common/errors.ts";
import { type Flat, MAX_TOKENS, type Numbers, type Rows } from "../common/numbers.ts";
import type { Pauses } from "../common/pauses.ts";
import type { Loads, TokenMode } from "./problem.ts";
import type { Topology } from "./topology.ts";

/** Fractions: even the slowest GPU serves this much in a time that f64 can hold. */
const MAX_TOTAL = 1e270;

/** A copy, whatever its type: the caller may reuse its arrays at once. Rows were copied to lie flat. */
export function copyOf({ values, path }: Flat, given: Rows): Flat {
  if (values !== given) return { values, path };
  const ofTyped = Int32Array.prototype.slice; // every TypedArray has it
  return { values: Array.isArray(values) ? values.slice() : ofTyped.call(values), path };
}

/** The least of values that may be negative. */
export const FINITE = -Number.MAX_VALUE;

/** What is known of values that are in order. */
export interface CheckedValues {
  whole: boolean;
  /** None is above this; Infinity, if that is not known at once. */
  most: number;
}

/**
 * Checks values one by one: whether all of them are integers, as they must be where there is a reason.
 *
 * @param perGpu  Where values are [B, G]: whose dead GPUs may have any.
 */
export async function checkValues(
  { values, path }: Flat,
  least: number,
  because: string | undefined,
  pauses: Pauses,
  perGpu?: Topology,
): Promise<CheckedValues> {
  const dead = perGpu && perGpu.gpus < perGpu.allGpus ? deadGpus(perGpu) : undefined;
  let whole = true;
  let bits = 0;
  await pauses.inPieces(values.length, 1, (first, end) => {
    if (values instanceof Int32Array) {
      if (least < 0) return;
      bits |= anyBits(values, first, end);
      if (bits >= 0) return;
    }
    for (let i = first; i < end; i++) {
      if (dead?.[i % dead.length]) continue;
      const value = values[i];
      if (typeof value !== "number" || !(value >= least && value < Infinity)) {
        throw new LoadError(path(i), least === 0 ? "a finite number >= 0" : "a finite number", value);
      }
      if (!whole || Number.isInteger(value)) continue;
      if (because !== undefined) {
        throw new LoadError(path(i), `an integer, because ${because}`, value);
      }
      whole = false;
    }
  });
  return { whole, most: values instanceof Int32Array && least === 0 ? bits : Infinity };
}

/** All values at once: the loads of routers are counts. Below 0 if one of them is; otherwise none of them is above it. */
function anyBits(values: Int32Array, first: number, end: number): number {
  let bits = 0;
  for (let i = first; i < end; i++) bits |= values[i];
  return bits;
}

/** Why loads must be integers, if they must. */
export const whyWhole = (mode: TokenMode | undefined) => (mode === "integer" ? `tokens is "integer"` : undefined);

function deadGpus({ allGpus, label }: Topology): Uint8Array {
  const dead = new Uint8Array(allGpus).fill(1);
  for (const g of label) dead[g] = 0;
  return dead;
}

/**
 * Checks that each LP's total fits the arithmetic, and brings the loads into the array type of the mode; base loads that are times stay f64.
 *
 * @param most  No LP's total is above this, base loads by magnitude.
 */
export async function ofMode(
  topology: Topology,
  argument: string,
  tokens: TokenMode,
  batch: number,
  expertLoad: Numbers,
  baseLoad: Numbers | undefined,
  most: number,
  pauses: Pauses,
): Promise<Loads> {
  const { experts, gpus, cost } = topology;
  const limit = tokens === "integer" ? MAX_TOKENS : MAX_TOTAL;
  const array = tokens === "integer" ? Int32Array : Float64Array;
  const typed = (values: Numbers, type: typeof Int32Array | typeof Float64Array) =>
    values instanceof type ? values : new type(values.length);
  const loads = {
    batch,
    tokens,
    expertLoad: typed(expertLoad, array),
    baseLoad: baseLoad && typed(baseLoad, cost ? Float64Array : array),
  };
  const checkTotal = (p: number) => {
    let total = 0;
    let base = 0;
    for (let e = 0; e < experts; e++) total += expertLoad[p * experts + e];
    if (baseLoad) for (let g = 0; g < gpus; g++) base += Math.abs(baseLoad[p * gpus + g]);
    if (!cost) total += base;
    else if (!(base <= MAX_TOTAL)) {
      throw new LoadError("baseLoad", `a total of at most ${MAX_TOTAL} in LP ${p}, by magnitude`, base);
    }
    if (!(total <= limit)) {
      const other = argument === "sourceLoad" ? "" : `, or with tokens: "fractional"`;
      const remedy = tokens === "integer" ? `Solve in larger units${other}.` : undefined;
      const expected = `a total of at most ${limit} in LP ${p}${cost ? "" : ", base loads included by magnitude"}`;
      throw new LoadError(argument, expected, total, remedy);
    }
  };
  const isDone = most <= limit && loads.expertLoad === expertLoad && loads.baseLoad === baseLoad;
  await pauses.inPieces(isDone ? 0 : batch, experts + gpus, (first, end) => {
    if (!(most <= limit)) for (let p = first; p < end; p++) checkTotal(p);
    copyRows(expertLoad, loads.expertLoad, first * experts, end * experts);
    if (baseLoad) copyRows(baseLoad, loads.baseLoad!, first * gpus, end * gpus);
  });
  return loads;
}

function copyRows(from: Numbers, to: Int32Array | Float64Array, first: number, end: number): void {
  if (from === to) return;
  for (let i = first; i < end; i++) to[i] = from[i];
}
