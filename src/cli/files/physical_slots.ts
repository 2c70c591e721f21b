/** Recordings of physical slots, as SGLang and vLLM make them, brought to the experts that the slots hold. */
import { ArgumentError, LoadError, PlacementError, ShapeError } from "../../common/errors.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Which expert each slot holds, by layer. */
export interface SlotMap {
  name: string;
  /** P */
  slots: number;
  /** E */
  experts: number;
  /** [L][P], or one row for all layers; -1 is an empty slot. */
  rows: readonly (readonly number[])[];
}

/** Far more than anyone has. */
const MAX_SLOTS = 2 ** 20;
const mapNames = ["last_physical_to_logical_map", "physical_to_logical_map"];

/** The map that stands beside a recording, if there is one. @throws {ArgumentError} It is not [L, P] experts. */
export function readSlotMap(file: string, record: Fields): SlotMap | undefined {
  const field = mapNames.find((one) => record[one] !== undefined);
  if (field === undefined) return undefined;
  const name = `${file}: ${field}`;
  const given = requireRow(name, record[field], "with a row per layer");
  const nested = Array.isArray(given[0]);
  const rows = (nested ? given : [given]).map((row, layer) => {
    const path = nested ? `${name}[${layer}]` : name;
    return requireRow(path, row, "of experts").map((expert, slot) => {
      if (typeof expert === "number" && Number.isInteger(expert) && expert >= -1 && expert < MAX_SLOTS) return expert;
      throw new PlacementError(`${path}[${slot}]`, "an expert id, an integer >= 0, or -1 for an empty slot", expert);
    });
  });
  const slots = rows[0].length;
  const other = rows.findIndex((row) => row.length !== slots);
  if (other >= 0) throw new ShapeError(`${name}[${other}]`, `${slots} slots as in the first layer`, rows[other].length);
  const experts = rows.flat().reduce((most, expert) => Math.max(most, expert + 1), 0);
  if (experts === 0) throw new PlacementError(name, "an expert in some slot", -1);
  return { name, slots, experts, rows };
}

/** The map of a layer. */
export function mapOf({ name, rows }: SlotMap, layer: number, layers: number): readonly number[] {
  if (rows.length !== 1 && rows.length !== layers) throw new ShapeError(name, `${layers} layers`, rows.length);
  return rows[rows.length === 1 ? 0 : layer];
}

/** Sums the counts [layers][P] of slots to loads [layers][E]. @throws {ShapeError | LoadError} They are no counts of the map's slots. */
export function countsOfExperts(name: string, value: unknown, map: SlotMap): number[][] {
  const layers = requireRow(name, value, "with a row of counts per layer");
  return layers.map((row, layer) => {
    const path = `${name}[${layer}]`;
    const counts = requireRow(path, row, "of counts");
    if (counts.length !== map.slots) {
      throw new ShapeError(path, `P = ${map.slots} counts as in ${map.name}`, counts.length);
    }
    const experts = mapOf(map, layer, layers.length);
    const loads = new Array<number>(map.experts).fill(0);
    for (const [slot, count] of counts.entries()) {
      if (typeof count !== "number" || !(count >= 0 && count < Infinity)) {
        throw new LoadError(`${path}[${slot}]`, "a finite number >= 0", count);
      }
      if (experts[slot] >= 0) loads[experts[slot]] += count;
      else if (count > 0) throw new LoadError(`${path}[${slot}]`, "0, because the slot is empty", count);
    }
    return loads;
  });
}

/** The expert in each slot of `ids` [layers, N], in place; -1 stays. @throws {LoadError} There is no such slot. */
export function expertsOfIds(name: string, ids: Int32Array, layers: number, map: SlotMap): void {
  for (let i = 0; i < ids.length; i++) {
    const layer = Math.floor((i * layers) / ids.length);
    if (ids[i] >= map.slots) {
      throw new LoadError(`${name}[${layer}]`, `ids of the ${map.slots} slots in ${map.name}`, ids[i]);
    }
    if (ids[i] >= 0) ids[i] = mapOf(map, layer, layers)[ids[i]];
  }
}

/** Records by forward pass, in the order in which the passes come first: of several ranks each has its own tokens of a pass. */
export function byPass(file: string, records: unknown): { name: string; record: Fields }[][] {
  const passes = new Map<unknown, { name: string; record: Fields }[]>();
  for (const [i, one] of requireRow(`${file}: records`, records, "with a record per forward pass").entries()) {
    const name = `${file}: records[${i}]`;
    if (typeof one !== "object" || one === null) throw new ArgumentError(name, "an object", one);
    const record = one as Fields;
    const pass = record.forward_pass_id ?? name;
    passes.set(pass, [...(passes.get(pass) ?? []), { name, record }]);
  }
  return [...passes.values()];
}

function requireRow(name: string, value: unknown, what: string): unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw new ArgumentError(name, `a non-empty array ${what}`, value);
}
