import { ArgumentError, ShapeError, shown } from "../../common/errors.ts";
import { requireNumbers } from "../../common/numbers.ts";
import { requireKnown } from "../../common/objects.ts";

/** Requests in the order of their arrival. */
export interface Trace {
  /** n. */
  requests: number;
  /** [n] s from the trace's beginning, >= 0, ascending. In a simulation by rounds a second is a round. */
  arrival: Float64Array;
  /** [n] tokens of the prompt, >= 1. */
  input: Int32Array;
  /** [n] tokens that it generates, >= 1. No policy sees them, only a prediction. */
  output: Int32Array;
  /** [n] requests of one conversation have the same; -1: none. */
  session?: Int32Array;
  /** [n] class of service, from 0. */
  class?: Int32Array;
  /** [n] what serving it is worth, >= 0. */
  value?: Float64Array;
  /** Prefix blocks: two prompts with the same id at the same depth agree up to the end of that block. */
  blocks?: PrefixBlocks;
  /** Those in the prompts, which count among the tokens of these. */
  images?: PromptImages;
}

export interface PrefixBlocks {
  /** [n + 1] request i has blocks id[start[i]] to id[start[i + 1] - 1], from the prompt's beginning on. */
  start: Int32Array;
  /** Ids, >= 0, renumbered from 0 by their first appearance. */
  id: Int32Array;
  /** Of a block; a prompt's last may be filled in part. */
  tokens: number;
}

export interface PromptImages {
  /** [n + 1] request i has images id[start[i]] to id[start[i + 1] - 1], in their order. */
  start: Int32Array;
  /** Ids, from 0: equal ones are the same image. */
  id: Int32Array;
  /** Of each image, by its id, >= 1: what its embedding takes. */
  tokens: Int32Array;
}

type Field = "arrival" | "input" | "output" | "session" | "class" | "value";
export const traceFields = {
  ...{ requests: true, arrival: true, input: true, output: true, session: true, class: true, value: true },
  ...{ blocks: true, images: true },
} as const satisfies Record<keyof Trace, true>;

/** Throws where it is no trace: a length, a NaN, a negative length, an arrival before the one before it. */
export function checkTrace(trace: Trace): void {
  if (typeof trace !== "object" || trace === null) throw new ArgumentError("trace", "an object", trace);
  requireKnown("trace", trace, traceFields);
  const n = trace.requests;
  if (!Number.isInteger(n) || n < 0) throw new ArgumentError("trace.requests", "an integer >= 0", n);
  checkArrivals(trace);
  for (const name of ["input", "output"] as const) checkEach(trace, name, "an integer from 1 to 2^31 - 1", isLength);
  if (trace.session) checkEach(trace, "session", "an integer >= -1", (x) => Number.isInteger(x) && x >= -1);
  if (trace.class) checkEach(trace, "class", "an integer >= 0", (x) => Number.isInteger(x) && x >= 0);
  if (trace.value) checkEach(trace, "value", "finite and >= 0", (x) => Number.isFinite(x) && x >= 0);
  if (trace.blocks) checkBlocks(trace.blocks, n);
  if (trace.images) checkImages(trace.images, trace);
}

const isLength = (x: number) => Number.isInteger(x) && x >= 1 && x < 2 ** 31;

function checkEach(trace: Trace, name: Field, expected: string, good: (value: number) => boolean): void {
  const values = trace[name]!;
  checkLength(`trace.${name}`, values, trace.requests);
  for (let i = 0; i < values.length; i++) {
    if (!good(values[i])) throw new ArgumentError(`trace.${name}[${i}]`, expected, values[i]);
  }
}

function checkArrivals(trace: Trace): void {
  checkEach(trace, "arrival", "finite and >= 0", (x) => Number.isFinite(x) && x >= 0);
  const { arrival } = trace;
  for (let i = 1; i < arrival.length; i++) {
    if (arrival[i] >= arrival[i - 1]) continue;
    throw new ArgumentError(
      `trace.arrival[${i}]`,
      `no earlier than the one before it, ${shown(arrival[i - 1])}`,
      arrival[i],
    );
  }
}

function checkBlocks({ start, id, tokens }: PrefixBlocks, n: number): void {
  if (!Number.isInteger(tokens) || tokens < 1)
    throw new ArgumentError("trace.blocks.tokens", "an integer >= 1", tokens);
  checkLists("trace.blocks", start, id, n);
  for (let j = 0; j < id.length; j++) {
    if (!Number.isInteger(id[j]) || id[j] < 0)
      throw new ArgumentError(`trace.blocks.id[${j}]`, "an integer >= 0", id[j]);
  }
}

function checkImages({ start, id, tokens }: PromptImages, { requests, input }: Trace): void {
  checkLists("trace.images", start, id, requests);
  requireNumbers("trace.images.tokens", tokens);
  for (let k = 0; k < tokens.length; k++) {
    if (!isLength(tokens[k]))
      throw new ArgumentError(`trace.images.tokens[${k}]`, "an integer from 1 to 2^31 - 1", tokens[k]);
  }
  for (let j = 0; j < id.length; j++) {
    if (!Number.isInteger(id[j]) || id[j] < 0 || id[j] >= tokens.length)
      throw new ArgumentError(`trace.images.id[${j}]`, `an integer from 0 to ${tokens.length - 1}`, id[j]);
  }
  for (let i = 0; i < requests; i++) {
    let sum = 0;
    for (let j = start[i]; j < start[i + 1]; j++) sum += tokens[id[j]];
    if (sum <= input[i]) continue;
    throw new ArgumentError(`trace.images of request ${i}`, `at most the ${input[i]} tokens of its prompt`, sum);
  }
}

/** Of each of n requests those from start[i] on. */
function checkLists(argument: string, start: Int32Array, id: Int32Array, n: number): void {
  checkLength(`${argument}.start`, start, n + 1);
  requireNumbers(`${argument}.id`, id);
  for (let i = 0; i <= n; i++) {
    const least = i === 0 ? 0 : start[i - 1];
    if (Number.isInteger(start[i]) && start[i] >= least && start[i] <= id.length) continue;
    throw new ArgumentError(`${argument}.start[${i}]`, `an integer from ${least} to ${id.length}`, start[i]);
  }
}

function checkLength(argument: string, values: ArrayLike<number>, length: number): void {
  requireNumbers(argument, values);
  if (values.length !== length) throw new ShapeError(argument, `${length} values`, values.length);
}
