import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { ArgumentError, LoadError, ShapeError } from "../errors.ts";
import { MAX_TOKENS } from "../problem.ts";

/** Expert loads over time. */
export interface LoadHistory {
  /** Where they come from, in words. */
  source: string;
  steps: number;
  layers: number;
  experts: number;
  /** [steps, layers, E] tokens; Int32Array where all of them are whole. */
  loads: Int32Array | Float64Array;
}

/** A part of the file, and what to call it in a message. */
interface Part {
  name: string;
  value: unknown;
}

/**
 * Reads recorded loads from JSON, plain or in gzip (told by the first bytes, not by the file's name).
 *
 * Taken are [steps][layers][E], or [layers][E] for a single step; `{ loads }` with either; and, each group or run being a step,
 * `{ groups: [{ loads: [layers][E] }, ...] }` and `{ runs: { name: { loads: [layers][E] }, ... } }`.
 *
 * @throws {ArgumentError} The file cannot be read, or is none of these.  @throws {ShapeError} It is empty or ragged.
 * @throws {LoadError} A load is not a finite number >= 0, or those of one layer and step add up to more than 2^31 - 1.
 */
export async function readLoads(file: string): Promise<LoadHistory> {
  const steps = stepsOf(file, parse(file, await contentOf(file)));
  if (steps.length === 0) throw new ShapeError(file, "at least one step", 0);
  const layers = lengthOf(steps[0], "layer");
  const experts = lengthOf(rowsOf(steps[0])[0], "expert");
  const loads = new Float64Array(steps.length * layers * experts);
  let filled = 0;
  for (const step of steps) {
    const rows = rowsOf(step);
    if (rows.length !== layers) throw new ShapeError(step.name, `${layers} layers as in the first step`, rows.length);
    for (const row of rows) {
      loads.set(expertLoads(row, experts), filled);
      filled += experts;
    }
  }
  const whole = loads.every(Number.isInteger);
  return { source: file, steps: steps.length, layers, experts, loads: whole ? Int32Array.from(loads) : loads };
}

async function contentOf(file: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    const [reason] = (cause as Error).message.split(","); // the path follows
    throw new ArgumentError(file, "a file that can be read", reason);
  }
  const gzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!gzip) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw new ArgumentError(file, "an undamaged gzip file", (cause as Error).message);
  }
}

function parse(file: string, content: Buffer): unknown {
  try {
    return JSON.parse(content.toString());
  } catch (cause) {
    // The message quotes the file, which may be anything: no control character of it may reach the terminal.
    const reason = (cause as Error).message.replaceAll(/[^ -~]+/g, " ");
    throw new ArgumentError(file, "JSON, plain or in gzip", `${content.length} bytes`, `${reason}.`);
  }
}

/** The steps of the file; each should be [layers][E]. */
function stepsOf(file: string, json: unknown): Part[] {
  const { loads, groups, runs } = (Array.isArray(json) ? { loads: json } : (json ?? {})) as Record<string, unknown>;
  if (Array.isArray(loads)) {
    const name = `${file}: loads`;
    const severalSteps = Array.isArray(loads[0]?.[0]);
    return severalSteps ? loads.map((value, i) => ({ name: `${name}[${i}]`, value })) : [{ name, value: loads }];
  }
  if (Array.isArray(groups)) {
    return groups.map((group, i) => ({ name: `${file}: groups[${i}].loads`, value: group?.loads }));
  }
  if (typeof runs === "object" && runs !== null) {
    return Object.entries(runs).map(([run, value]) => ({ name: `${file}: runs.${run}.loads`, value: value?.loads }));
  }
  throw new ArgumentError(
    file,
    "[steps][layers][E] or [layers][E] loads, or an object with loads, groups or runs",
    json,
  );
}

function rowsOf({ name, value }: Part): Part[] {
  if (!Array.isArray(value)) throw new ArgumentError(name, "an array with a row of expert loads per layer", value);
  return value.map((row, i) => ({ name: `${name}[${i}]`, value: row }));
}

/** The number of layers or experts, which the first step sets. */
function lengthOf(part: Part, what: string): number {
  const { length } = rowsOf(part);
  if (length === 0) throw new ShapeError(part.name, `at least one ${what}`, 0);
  return length;
}

function expertLoads({ name, value }: Part, experts: number): number[] {
  if (!Array.isArray(value)) throw new ArgumentError(name, "a row of expert loads", value);
  if (value.length !== experts) throw new ShapeError(name, `${experts} experts as in the first row`, value.length);
  let total = 0;
  for (const [e, load] of value.entries()) {
    if (typeof load !== "number" || !(load >= 0 && load < Infinity)) {
      throw new LoadError(`${name}[${e}]`, "a finite number >= 0", load);
    }
    total += load;
  }
  if (total > MAX_TOKENS) throw new LoadError(name, `a total of at most ${MAX_TOKENS}`, total);
  return value;
}
