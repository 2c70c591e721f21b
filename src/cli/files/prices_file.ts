import { ArgumentError } from "../../common/errors.ts";
import type { BoundPrices } from "../../serving/bound/bound_options.ts";
import { fieldsFound } from "./fields.ts";
import { nameOf, readJson } from "./json_file.ts";

/** A bound of mean latency as a file has it: what is claimed, and the prices that prove it. */
export interface PricesFile extends BoundPrices {
  /** s, or rounds. */
  mean: number;
}

/** Prices of a part of the file. */
const PART = 4096;

/** The parts of a file that `readPrices` reads: JSON, whose fields other than mean and prices are for who looks into it. */
export async function* pricesFile(
  { mean, kv, slot }: PricesFile,
  about: Readonly<Record<string, unknown>>,
): AsyncGenerator<string> {
  yield `${JSON.stringify({ ...about, mean }).slice(0, -1)},"kv":[`;
  yield* numbers(kv);
  if (slot) {
    yield '],"slot":[';
    yield* numbers(slot);
  }
  yield "]}\n";
}

function* numbers(values: Float64Array): Generator<string> {
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
  const kv = pricesOf(`${source}: kv`, json.kv);
  if (!("slot" in json)) return { mean, kv };
  const slot = pricesOf(`${source}: slot`, json.slot);
  if (slot.length === kv.length) return { mean, kv, slot };
  throw new ArgumentError(`${source}: slot`, `${kv.length} prices, as kv has`, slot.length);
}

function pricesOf(name: string, given: unknown): Float64Array {
  if (!Array.isArray(given)) throw new ArgumentError(name, "an array of prices", given);
  const stray = given.findIndex((one) => typeof one !== "number");
  if (stray >= 0) throw new ArgumentError(`${name}[${stray}]`, "a number", given[stray]);
  return Float64Array.from(given as number[]);
}
