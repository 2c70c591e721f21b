import { ArgumentError } from "../../common/errors.ts";
import { fieldsFound } from "./fields.ts";
import { nameOf, readJson } from "./json_file.ts";
import { numbers, pricesOf } from "./prices_file.ts";

/** A bound of a cache's cost as a file has it: what is claimed, and the prices that prove it. */
export interface CacheProof {
  capacity: number;
  cost: number;
  prices: Float64Array;
}

/** The parts of a file that `readCachePrices` reads: JSON, whose fields other than bounds are for who looks into it. */
export async function* cachePricesFile(
  proofs: readonly CacheProof[],
  about: Readonly<Record<string, unknown>>,
): AsyncGenerator<string> {
  yield `${JSON.stringify(about).slice(0, -1)},"bounds":[`;
  for (const [i, { capacity, cost, prices }] of proofs.entries()) {
    yield `${i === 0 ? "" : ","}\n${JSON.stringify({ capacity, cost }).slice(0, -1)},"prices":[`;
    yield* numbers(prices);
    yield "]}";
  }
  yield "]}\n";
}

/** @param requests  prices of each bound.  @throws {ArgumentError} The file cannot be read, or is none; the field is named. */
export async function readCachePrices(file: string, requests: number): Promise<CacheProof[]> {
  const json = await readJson(file);
  const source = nameOf(file);
  if (typeof json !== "object" || json === null || !("bounds" in json))
    throw new ArgumentError(source, "{ bounds }, as cache --prices writes them", json, fieldsFound(json));
  const { bounds } = json;
  if (!Array.isArray(bounds) || bounds.length === 0)
    throw new ArgumentError(`${source}: bounds`, "an array with one at least", bounds);
  return bounds.map((bound, i) => proofOf(`${source}: bounds[${i}]`, bound, requests));
}

function proofOf(name: string, given: unknown, requests: number): CacheProof {
  if (typeof given !== "object" || given === null) throw new ArgumentError(name, "{ capacity, cost, prices }", given);
  const { capacity, cost, prices } = given as Readonly<Record<string, unknown>>;
  if (typeof capacity !== "number" || !(capacity > 0 && Number.isFinite(capacity)))
    throw new ArgumentError(`${name}.capacity`, "a finite number > 0", capacity);
  if (typeof cost !== "number") throw new ArgumentError(`${name}.cost`, "a number", cost);
  return { capacity, cost, prices: pricesOf(`${name}.prices`, prices, requests, "one for each request of the trace") };
}
