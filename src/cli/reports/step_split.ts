import { LoadError } from "../../common/errors.ts";
import type { Placement } from "../../placement/placement.ts";
import { count, plural, stepRange } from "../print/words.ts";

/** What a recording holds besides its tokens: a recorder may dump more rows than it wrote, and an idle rank writes empty ones. */
export interface Dropped {
  /** Steps of one layer without tokens, of the layers that have tokens at all. */
  batches: number;
  /** Steps in which no layer has tokens. */
  steps: number;
}

/** Where the tokens are. */
export interface TokenSteps {
  /** [L] the steps in which a layer has tokens, ascending; none for a layer without experts, as SGLang counts dense ones, too. */
  withTokens: number[][];
  dropped: Dropped;
}

/** @throws {LoadError} There are no tokens anywhere. */
export function findTokens(
  { source, steps, layers }: { source: string; steps: number; layers: number },
  hasTokens: (step: number, layer: number) => boolean,
): TokenSteps {
  const withTokens: number[][] = Array.from({ length: layers }, () => []);
  let full = 0; // steps in which some layer has tokens
  for (let step = 0; step < steps; step++) {
    const before = full;
    for (let layer = 0; layer < layers; layer++) {
      if (!hasTokens(step, layer)) continue;
      withTokens[layer].push(step);
      full = before + 1;
    }
  }
  if (full === 0) throw new LoadError(source, "at least one step with tokens", 0);
  const batches = withTokens.reduce((sum, own) => sum + (own.length === 0 ? 0 : steps - own.length), 0);
  return { withTokens, dropped: { batches, steps: steps - full } };
}

/** A sentence for a legend, or none where nothing was dropped. */
export function droppedInWords({ batches, steps }: Dropped): string[] {
  if (batches === 0) return [];
  const whole = steps === 0 ? "" : `, with ${plural(steps, "whole step")} among them`;
  const dropped = batches === 1 ? "1 batch" : `${count(batches)} batches`;
  return [`Dropped for want of tokens: ${dropped}, a step of one layer each${whole}.`];
}

export interface StepSplit {
  /** [L] the steps that a layer's placement is fitted to, */
  fitted: number[][];
  /** and those that it is tried on. */
  measured: number[][];
  /** Both in words. */
  fittedTo: string;
  measuredOn: string;
}

/**
 * A placement must not know the loads that it is tried on: the first steps with tokens of a layer are for the fit, half of them by default,
 * and of the others as many as are wanted are measured, evenly spaced. A single step is both.
 */
export function splitSteps(
  withTokens: readonly number[][],
  { fittedShare = 1 / 2, wanted = Infinity } = {},
): StepSplit {
  const fitted = withTokens.map((own) => own.slice(0, Math.ceil(own.length * fittedShare)));
  const others = withTokens.map((own) => (own.length === 1 ? own : own.slice(Math.ceil(own.length * fittedShare))));
  const measured = others.map((own) => evenly(0, own.length, wanted).map((i) => own[i]));
  const [from, to] = [spanOf(fitted), spanOf(others)];
  const [all, kept] = [unionOf(others).length, unionOf(measured).length];
  const some = kept < all ? `${count(kept)} of ` : "";
  if (from.last < to.first || from.first === to.last) {
    const [fittedTo, measuredOn] = [stepRange(from.first, from.last), some + stepRange(to.first, to.last)];
    return { fitted, measured, fittedTo, measuredOn };
  }
  const single = withTokens.some((own) => own.length === 1) ? ", a single one being both" : "";
  const fittedTo = "each layer's earlier steps with tokens";
  return { fitted, measured, fittedTo, measuredOn: `each layer's later steps with tokens${single}` };
}

/** Placements, and what they are tried on. */
export interface Placed {
  placements: Placement[];
  placedBy: string;
  /** [G] 1 where a GPU is alive; all are, if undefined. */
  active: Uint8Array | undefined;
  /** [L] the steps to measure, each with tokens. */
  measured: number[][];
  dropped: Dropped;
}

/** Slots in use beyond one of each expert that has any: the most of any layer. */
export function replicasOf(placements: readonly Placement[]): number {
  return placements.reduce((most, { replicaCount }) => {
    const beyond = replicaCount.reduce((sum, slots) => sum + Math.max(0, slots - 1), 0);
    return Math.max(most, beyond);
  }, 0);
}

/** At most `wanted` integers from first to end - 1, evenly spaced. */
export function evenly(first: number, end: number, wanted: number): number[] {
  const count = Math.min(wanted, end - first);
  return Array.from({ length: count }, (_, i) => first + Math.floor((i * (end - first)) / count));
}

/** The steps of all layers, ascending, each once. */
export function unionOf(steps: readonly number[][]): number[] {
  return [...new Set(steps.flat())].sort((a, b) => a - b);
}

/** The first and the last of ascending steps of each layer. */
function spanOf(steps: readonly number[][]): { first: number; last: number } {
  const full = steps.filter((own) => own.length > 0);
  return {
    first: full.reduce((least, own) => Math.min(least, own[0]), Infinity),
    last: full.reduce((most, own) => Math.max(most, own[own.length - 1]), 0),
  };
}

/** Who placed the experts, for a reader. */
export function placedByEplb({ fittedTo, measuredOn }: StepSplit): string {
  return `EPLB by ${fittedTo}${fittedTo === measuredOn ? ", which is measured, too" : ""}`;
}
