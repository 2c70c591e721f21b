import { ArgumentError } from "../../common/errors.ts";
import type { BoundPrices } from "../../serving/bound/bound_options.ts";
import type { StepPrices } from "../../serving/bound/shared_steps.ts";
import { fieldsFound } from "./fields.ts";
import { nameOf, readJson } from "./json_file.ts";

/** A bound of mean latency as a file has it: what is claimed, and the prices that prove it. */
export interface PricesFile {
  /** s, or rounds. */
  mean: number;
  prices: BoundPrices;
  /** In seconds. */
  steps?: StepPrices;
}

/** Prices of a part of the file. */
const PART = 4096;

/** The parts of a file that `readPrices` reads: JSON, whose fields other than mean and prices are for who looks into it. */
export async function* pricesFile(
  { mean, prices: { kv, slot }, steps }: PricesFile,
  about: Readonly<Record<string, unknown>>,
): AsyncGenerator<string> {
  const inWindows = steps && { until: steps.until, step: [...steps.step], kv: [...steps.kv], slot: [...steps.slot] };
  yield `${JSON.stringify({ ...about, mean, steps: inWindows }).slice(0, -1)},"kv":[`;
  yield* numbers(kv);
  if (slot) {
    yield '],"slot":[';
    yield* numbers(slot);
  }
  yield "]}\n";
}

export function* numbers(values: Float64Array): Generator<string> {
  for (let at = 0; at < values.length; at += PART)
    yield `${at === 0 ? "" : ",\n"}${values.subarray(at, at + PART).join()}`;
}

/** @throws {ArgumentError} The file cannot be read, or is none; the field is named. */
export async function readPrices(file: string): Promise<PricesFile> {
  const json = await readJson(file);
  const source = nameOf(file);
  if (typeof json !== "object" || json === null || !("mean" in json) || !("kv" in json))
    throw new ArgumentError(source, "{ mean, kv, slot }, as bound --prices writes them", json, fieldsFound(json));
  const { mean } = json;
  if (typeof mean !== "number") throw new ArgumentError(`${source}: mean`, "a number", mean);
  const steps = "steps" in json ? stepPricesOf(`${source}: steps`, json.steps) : undefined;
  const kv = pricesOf(`${source}: kv`, json.kv);
  if (!("slot" in json)) return { mean, prices: { kv }, steps };
  return { mean, prices: { kv, slot: pricesOf(`${source}: slot`, json.slot, kv.length) }, steps };
}

function stepPricesOf(name: string, given: unknown): StepPrices {
  if (typeof given !== "object" || given === null || !("until" in given) || !("step" in given))
    throw new ArgumentError(name, "{ until, step, kv, slot }", given, fieldsFound(given));
  const { until } = given;
  if (typeof until !== "number" || !(until > 0)) throw new ArgumentError(`${name}.until`, "seconds above 0", until);
  const step = pricesOf(`${name}.step`, given.step);
  if (step.length === 0) throw new ArgumentError(`${name}.step`, "a price at least", given.step);
  const { kv, slot } = given as { kv?: unknown; slot?: unknown };
  return {
    ...{ until, step },
    ...{ kv: pricesOf(`${name}.kv`, kv, step.length), slot: pricesOf(`${name}.slot`, slot, step.length) },
  };
}

export function pricesOf(
  name: string,
  given: unknown,
  length?: number,
  as = "as there are of the first kind",
): Float64Array {
  if (!Array.isArray(given)) throw new ArgumentError(name, "an array of prices", given);
  if (length !== undefined && given.length !== length)
    throw new ArgumentError(name, `${length} prices, ${as}`, given.length);
  const stray = given.findIndex((one) => typeof one !== "number");
  if (stray >= 0) throw new ArgumentError(`${name}[${stray}]`, "a number", given[stray]);
  return Float64Array.from(given as number[]);
}
