import { ArgumentError, LoadError, ShapeError } from "../../common/errors.ts";
import { MAX_TOKENS } from "../../common/numbers.ts";
import { MAX_LOAD, type LoadHistory as RecordedLoads } from "../../planner/history.ts";
import { type Content, jsonOf } from "./content.ts";
import { fieldsFound } from "./fields.ts";
import { byPass, countsOfExperts, expertsOfIds, type Fields, readSlotMap, type SlotMap } from "./physical_slots.ts";
import { parseStep } from "./topk_file.ts";

/** Expert loads over time. */
export interface LoadHistory extends RecordedLoads {
  /** Where they come from, in words. */
  source: string;
  /** [steps, layers, E] tokens; Int32Array where all of them are whole, and those of a layer and step add up to at most 2^31 - 1. */
  loads: Int32Array | Float64Array;
}

/** A part of the file, and what to call it in a message. */
interface Part {
  name: string;
  value: unknown;
}

/**
 * Recorded loads from JSON.
 *
 * Taken are [steps][layers][E], or [layers][E] for a single step; `{ loads }` and SGLang's `{ logical_count }` with either; and, each group
 * or run being a step, `{ groups: [{ loads: [layers][E] }, ...] }` and `{ runs: { name: { loads: [layers][E] }, ... } }`. Counts of physical
 * slots are added up by the map beside them: vLLM's `{ expert_load_window, physical_to_logical_map }`, and SGLang's `{ records,
 * last_physical_to_logical_map }` of either mode, each forward pass being a step.
 *
 * @throws {ArgumentError} It is none of these.  @throws {ShapeError} It is empty or ragged.
 * @throws {LoadError} A load is not a finite number >= 0, or those of one layer and step add up to 2^100 or more.
 */
export function parseLoads(content: Content): LoadHistory {
  const source = content.name;
  const steps = stepsOf(source, jsonOf(content));
  if (steps.length === 0) throw new ShapeError(source, "at least one step", 0);
  const layers = lengthOf(steps[0], "layer");
  const experts = lengthOf(rowsOf(steps[0])[0], "expert");
  const loads = new Float64Array(steps.length * layers * experts);
  let filled = 0;
  let largest = 0;
  for (const step of steps) {
    const rows = rowsOf(step);
    if (rows.length !== layers) throw new ShapeError(step.name, `${layers} layers as in the first step`, rows.length);
    for (const row of rows) {
      const { values, total } = expertLoads(row, experts);
      loads.set(values, filled);
      largest = Math.max(largest, total);
      filled += experts;
    }
  }
  const whole = largest <= MAX_TOKENS && loads.every(Number.isInteger);
  return { source, steps: steps.length, layers, experts, loads: whole ? Int32Array.from(loads) : loads };
}

/** The steps of the file; each should be [layers][E]. */
function stepsOf(file: string, json: unknown): Part[] {
  const record = (Array.isArray(json) ? { loads: json } : (json ?? {})) as Fields;
  const { loads, logical_count, groups, runs } = record;
  for (const [field, rows] of Object.entries({ loads, logical_count })) {
    if (Array.isArray(rows)) return stepsOfField(`${file}: ${field}`, rows);
  }
  const physical = stepsOfSlots(file, record);
  if (physical) return physical;
  if (Array.isArray(groups)) {
    return groups.map((group, i) => ({ name: `${file}: groups[${i}].loads`, value: group?.loads }));
  }
  if (typeof runs === "object" && runs !== null) {
    return Object.entries(runs).map(([run, value]) => ({ name: `${file}: runs.${run}.loads`, value: value?.loads }));
  }
  throw new ArgumentError(
    file,
    `[steps][layers][E] or [layers][E] loads, or an object with loads, logical_count, groups, runs, records or ${slotFields.join(" or ")}`,
    json,
    fieldsFound(json),
  );
}

/** [steps][layers][...], or [layers][...] for a single step. */
function stepsOfField(name: string, rows: unknown[]): Part[] {
  const severalSteps = Array.isArray(rows[0]) && Array.isArray(rows[0][0]);
  return severalSteps ? rows.map((value, i) => ({ name: `${name}[${i}]`, value })) : [{ name, value: rows }];
}

/** What vLLM's EplbState and SGLang's recorder call counts of slots. */
const slotFields = ["expert_load_window", "expert_load_pass", "global_physical_count", "physical_count"];

function stepsOfSlots(file: string, record: Fields): Part[] | undefined {
  const field = slotFields.find((one) => Array.isArray(record[one]));
  if (field === undefined && record.records === undefined) return undefined;
  const map = readSlotMap(file, record);
  if (!map) {
    const what = "last_physical_to_logical_map or physical_to_logical_map, for the counts are of physical slots";
    throw new ArgumentError(file, what, "none", fieldsFound(record));
  }
  if (field !== undefined) {
    const steps = stepsOfField(`${file}: ${field}`, record[field] as unknown[]);
    return steps.map(({ name, value }) => ({ name, value: countsOfExperts(name, value, map) }));
  }
  return byPass(file, record.records).map((pass) => {
    const counts = pass.map(({ name, record }) => recordCounts(name, record, map));
    return { name: pass[0].name, value: counts.reduce((sum, one) => added(pass[0].name, sum, one)) };
  });
}

function recordCounts(name: string, record: Fields, map: SlotMap): number[][] {
  const { global_physical_count: counts, topk_ids_of_layer: ids } = record;
  if (counts !== undefined) return countsOfExperts(`${name}.global_physical_count`, counts, map);
  if (ids === undefined) {
    throw new ArgumentError(name, "global_physical_count or topk_ids_of_layer", "neither", fieldsFound(record));
  }
  const step = parseStep(`${name}.topk_ids_of_layer`, ids);
  expertsOfIds(`${name}.topk_ids_of_layer`, step.ids, step.layers, map);
  const perLayer = step.ids.length / step.layers;
  const loads = Array.from({ length: step.layers }, () => new Array<number>(map.experts).fill(0));
  for (const [i, expert] of step.ids.entries()) if (expert >= 0) loads[Math.floor(i / perLayer)][expert]++;
  return loads;
}

function added(name: string, a: number[][], b: number[][]): number[][] {
  if (a.length !== b.length) throw new ShapeError(name, `${a.length} layers in every record of a pass`, b.length);
  return a.map((row, layer) => row.map((load, e) => load + b[layer][e]));
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

function expertLoads({ name, value }: Part, experts: number): { values: number[]; total: number } {
  if (!Array.isArray(value)) throw new ArgumentError(name, "a row of expert loads", value);
  if (value.length !== experts) throw new ShapeError(name, `${experts} experts as in the first row`, value.length);
  let total = 0;
  for (const [e, load] of value.entries()) {
    if (typeof load !== "number" || !(load >= 0 && load < Infinity)) {
      throw new LoadError(`${name}[${e}]`, "a finite number >= 0", load);
    }
    total += load;
  }
  if (total >= MAX_LOAD) throw new LoadError(name, "a total below 2^100", total);
  return { values: value, total };
}
