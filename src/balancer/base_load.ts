/** What GPUs do besides their experts, in whole tokens or, with a cost, in its time: as callers give it, and as stages read it. */
import { LoadError, ShapeError } from "../common/errors.ts";
import { type Flat, flat, MAX_TOKENS, type Rows } from "../common/numbers.ts";
import { copyOf } from "../lp/check_loads.ts";
import type { Loads } from "../lp/problem.ts";
import { ofLiving, type Topology } from "../lp/topology.ts";
import { MAX_TIME } from "../lp/units.ts";
import { rowOf } from "../placement/per_layer.ts";

/** A copy of what was given, [G] or [L, G]. Values are checked when it is read: those of GPUs that are dead by then may be anything. */
export interface GivenBaseLoad {
  /** Its name in messages. */
  readonly argument: string;
  readonly flat: Flat;
  readonly layers: number;
  readonly gpus: number;
  /** Whether it is times. */
  readonly timed: boolean;
}

/** [L, G] tokens, or times. */
export type BaseLoad = Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** @throws {ShapeError | ArgumentError} It is neither [G] nor [L, G]. */
export function copyBaseLoad(
  argument: string,
  given: Rows | undefined,
  layers: number,
  gpus: number,
  timed: boolean,
): GivenBaseLoad | undefined {
  if (given === undefined) return undefined;
  const all = flat(argument, given, { G: gpus });
  const { length } = all.values;
  if (length !== gpus && length !== layers * gpus) {
    throw new ShapeError(argument, `G = ${gpus} or L * G = ${layers} * ${gpus} = ${layers * gpus} values`, length);
  }
  return { argument, flat: copyOf(all, given), layers, gpus, timed };
}

/**
 * [L, G], 0 on dead GPUs.
 *
 * @param active  [G] 1 where a GPU is alive; all are, if undefined.
 * @throws {LoadError} A value is no whole token, or no time; or a layer's tokens do not fit i32.
 */
export function readBaseLoad(
  { argument, flat: { values, path }, layers, gpus, timed }: GivenBaseLoad,
  active: Uint8Array | undefined,
): BaseLoad {
  const read = timed ? new Float64Array(layers * gpus) : new Int32Array(layers * gpus);
  for (let i = 0; i < values.length; i++) {
    if (active?.[i % gpus] === 0) continue;
    if (timed && !(typeof values[i] === "number" && values[i] >= 0 && values[i] <= MAX_TIME)) {
      throw new LoadError(path(i), `a time from 0 to ${MAX_TIME}`, values[i]);
    }
    if (!timed && (!Number.isInteger(values[i]) || values[i] < 0 || values[i] > MAX_TOKENS)) {
      throw new LoadError(path(i), `an integer from 0 to ${MAX_TOKENS}`, values[i]);
    }
    read[i] = values[i];
  }
  for (let first = values.length; first < read.length; first += gpus) read.copyWithin(first, 0, gpus); // the same in all
  for (let layer = 0; !timed && layer < layers; layer++) {
    const total = sum(rowOf(read, gpus, layer));
    if (total > MAX_TOKENS) throw tooMuch(argument, "", layer, total);
  }
  return read;
}

/**
 * Throws unless each layer's counts and base loads, where they are tokens, together fit i32.
 *
 * @param most  the assignments of a layer: counts, which takes a pass over the ids, is not asked where not even these are too many.
 * @param counts  [L, E]
 */
export function requireTotals(
  { argument, layers, gpus, timed }: GivenBaseLoad,
  baseLoad: BaseLoad,
  most: number,
  counts: () => Int32Array,
): void {
  for (let layer = 0; !timed && layer < layers; layer++) {
    const besides = sum(rowOf(baseLoad, gpus, layer));
    if (besides + most <= MAX_TOKENS) continue;
    const all = counts();
    const total = besides + sum(rowOf(all, all.length / layers, layer));
    if (total > MAX_TOKENS) throw tooMuch(argument, ", its counts included", layer, total);
  }
}

const tooMuch = (argument: string, included: string, layer: number, total: number) =>
  new LoadError(argument, `a total of at most ${MAX_TOKENS} in layer ${layer}${included}`, total);

const sum = (values: Int32Array | Float64Array) => (values as Int32Array).reduce((a, b) => a + b, 0);

/**
 * A layer's LP.
 *
 * @param counts  [L, E]  @param baseLoad  [L, G] of all GPUs; none, if undefined.
 */
export function loadsOf(topology: Topology, counts: Int32Array, baseLoad: BaseLoad | undefined, layer: number): Loads {
  const base = baseLoad && ofLiving(topology, rowOf(baseLoad, topology.allGpus, layer));
  return { batch: 1, tokens: "integer", expertLoad: rowOf(counts, topology.experts, layer), baseLoad: base };
}

/** As kernels read it: i32 tokens, f32 times. */
export function wordsOf(baseLoad: BaseLoad): Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  return baseLoad instanceof Int32Array ? baseLoad : Float32Array.from(baseLoad);
}
