/** Reads the maps of other systems, and checks them against each other. */
import { ArgumentError, PlacementError, ShapeError } from "../common/errors.ts";
import { EMPTY, LOST } from "./placement.ts";

/** A record as it comes from JSON: anything under any name. */
export type Fields = Readonly<Record<string, unknown>>;

/** The names under which a system keeps the maps of a placement. */
export interface MapNames {
  /** [L, P] */
  physicalToLogical: string;
  /** [L, E, X] */
  logicalToPhysical: string;
  /** [L, E] */
  replicaCount: string;
}

/** L layers in which every expert has a slot, unless it may be lost. */
export interface LayerMaps {
  /** L rows [P], -1 in empty slots. */
  physicalToLogical: number[][];
  /** L rows of E lists: the slots of each expert in the order of the record, without padding. */
  slotsOf: number[][][];
}

/** Far more experts and slots than anyone has. */
const MAX_ID = 2 ** 24;
const perLayer = "with a row per layer";
/** How many slots there are follows from the map of slots alone, once some are empty. */
const everySlot = "Every slot must hold an expert, where the map from slots to experts is missing.";

/** An array or TypedArray, of bigints too, that is not empty. */
export function requireList(path: string, value: unknown, what: string): ArrayLike<unknown> {
  const listed = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  const list = value as unknown as ArrayLike<unknown>;
  if (!listed || list.length === 0) throw new ArgumentError(path, `a non-empty array ${what}`, value);
  return list;
}

/** Integers from `least` to `most`; int64 becomes a number. */
export function readIntegers(path: string, value: unknown, what: string, least: number, most = MAX_ID): number[] {
  const list = requireList(path, value, "of integers");
  return Array.from({ length: list.length }, (_, i) => {
    const number = typeof list[i] === "bigint" ? Number(list[i]) : list[i];
    if (typeof number === "number" && Number.isInteger(number) && number >= least && number <= most) return number;
    throw new PlacementError(`${path}[${i}]`, `${what}, an integer from ${least} to ${most}`, list[i]);
  });
}

/** Throws unless all rows are as long as the first. */
export function requireEqualLengths(name: string, rows: readonly ArrayLike<unknown>[]): void {
  const { length } = rows[0];
  const other = rows.findIndex((row) => row.length !== length);
  if (other >= 0) throw new ShapeError(`${name}[${other}]`, `${length} values as in ${name}[0]`, rows[other].length);
}

/** [L, n] integers. */
export function readRows(name: string, value: unknown, what: string, least = 0): number[][] {
  const list = requireList(name, value, perLayer);
  const rows = Array.from({ length: list.length }, (_, layer) =>
    readIntegers(`${name}[${layer}]`, list[layer], what, least, MAX_ID),
  );
  requireEqualLengths(name, rows);
  return rows;
}

/** [L, E, X] slots, each list padded with -1 at its end, if at all; without the padding. Only experts that may be lost have none. */
function readSlots(name: string, value: unknown, mayBeLost: boolean): number[][][] {
  const list = requireList(name, value, perLayer);
  let width = 0;
  const layers = Array.from({ length: list.length }, (_, layer) => {
    const rows = requireList(`${name}[${layer}]`, list[layer], "with a row per expert");
    return Array.from({ length: rows.length }, (_, e) => {
      const path = `${name}[${layer}][${e}]`;
      const row = readIntegers(path, rows[e], "a slot or -1", -1, MAX_ID);
      width ||= row.length;
      if (row.length !== width) throw new ShapeError(path, `${width} slots as in ${name}[0][0]`, row.length);
      if (row[0] === -1 && !mayBeLost) {
        throw new PlacementError(`${path}[0]`, "a slot, for every expert must have one", -1, LOST);
      }
      const count = row.includes(-1) ? row.indexOf(-1) : width;
      const stray = row.findIndex((slot, i) => i > count && slot !== -1);
      if (stray >= 0) throw new PlacementError(`${path}[${stray}]`, "-1 behind the first -1", row[stray]);
      return row.slice(0, count);
    });
  });
  requireEqualLengths(name, layers);
  return layers;
}

/**
 * [L, P] expert ids below `experts`, or below P where that is not known, and -1 in empty slots. Each expert must have a slot, unless it may be
 * lost.
 */
function readExperts(name: string, value: unknown, experts: number | undefined, mayBeLost: boolean): number[][] {
  const list = requireList(name, value, perLayer);
  const maps = Array.from({ length: list.length }, (_, layer) => {
    const path = `${name}[${layer}]`;
    const row = requireList(path, list[layer], "of integers");
    return readIntegers(path, row, "an expert id or -1", EMPTY, (experts ?? row.length) - 1);
  });
  requireEqualLengths(name, maps);
  const known = experts ?? maps.reduce((most, map) => map.reduce((a, b) => Math.max(a, b + 1), most), 1);
  for (const [layer, map] of mayBeLost ? [] : maps.entries()) {
    const present = new Set(map);
    for (let e = 0; e < known; e++) {
      if (!present.has(e)) throw new PlacementError(`${name}[${layer}]`, `a slot for expert ${e}`, "none", LOST);
    }
  }
  return maps;
}

/** The map of one layer by the slots of its experts, -1 where no expert has a slot. No slot may be listed twice. */
function invert(slotsOf: readonly number[][], slots: number, pathOf: (e: number, i: number) => string): number[] {
  const map = new Array<number>(slots).fill(-1);
  for (const [e, list] of slotsOf.entries()) {
    for (const [i, slot] of list.entries()) {
      if (slot >= slots) {
        throw new PlacementError(pathOf(e, i), `one of ${slots} slots, 0 to ${slots - 1}`, slot, everySlot);
      }
      if (map[slot] >= 0) throw new PlacementError(pathOf(e, i), `a slot that expert ${map[slot]} does not have`, slot);
      map[slot] = e;
    }
  }
  return map;
}

/**
 * The maps of vLLM, SGLang and EPLB. Counts may be missing, and either of the maps; what is there must agree.
 *
 * @param logicalExperts  E, where experts may be lost.
 * @throws {ArgumentError} Something is no array, or both maps are missing.  @throws {ShapeError} It is empty or ragged.
 * @throws {PlacementError} An entry is not an integer in its range, an expert has no slot, or the maps disagree.
 */
export function readMaps(record: Fields, names: MapNames, logicalExperts?: number): LayerMaps {
  const mayBeLost = logicalExperts !== undefined;
  const { physicalToLogical: map, logicalToPhysical: inverse, replicaCount: count } = names;
  const counts = record[count] === undefined ? undefined : readRows(count, record[count], "a count", mayBeLost ? 0 : 1);
  const listed = record[inverse] === undefined ? undefined : readSlots(inverse, record[inverse], mayBeLost);
  const experts = listed?.[0].length ?? counts?.[0].length ?? logicalExperts;
  if (mayBeLost && experts !== logicalExperts) {
    throw new ShapeError(`${listed ? inverse : count}[0]`, `logicalExperts = ${logicalExperts} rows`, experts!);
  }
  const given = record[map] === undefined ? undefined : readExperts(map, record[map], experts, mayBeLost);
  if (!given && !listed) throw new ArgumentError(map, `a map [L, P], or ${inverse} [L, E, X]`, undefined);

  const layers = (given ?? listed!).length;
  if (listed && listed.length !== layers) throw new ShapeError(inverse, `${layers} layers as in ${map}`, listed.length);
  if (counts && counts.length !== layers) {
    throw new ShapeError(count, `${layers} layers as in ${given ? map : inverse}`, counts.length);
  }
  if (counts && counts[0].length !== experts) {
    throw new ShapeError(`${count}[0]`, `${experts} experts as in ${inverse}[0]`, counts[0].length);
  }

  const slots = given?.[0].length ?? listed![0].flat().length;
  const slotsOf =
    listed ?? given!.map((one) => slotsOfExperts(one, experts ?? one.reduce((most, e) => Math.max(most, e + 1), 0)));
  const physicalToLogical = slotsOf.map((lists, layer) => {
    const inverted = invert(lists, slots, (e, i) => `${inverse}[${layer}][${e}][${i}]`);
    for (let slot = 0; slot < slots; slot++) {
      const expert = given?.[layer][slot];
      if (inverted[slot] === EMPTY && expert === EMPTY) continue;
      if (inverted[slot] < 0) {
        const [list, remedy] = expert === undefined ? ["", everySlot] : [`[${expert}]`, `${map} has it so.`];
        throw new PlacementError(`${inverse}[${layer}]${list}`, `slot ${slot} as well`, "none", remedy);
      }
      if (expert !== undefined && expert !== inverted[slot]) {
        throw new PlacementError(`${map}[${layer}][${slot}]`, `${inverted[slot]} as in ${inverse}`, expert);
      }
    }
    for (const [e, value] of counts?.[layer].entries() ?? []) {
      const { length } = lists[e];
      if (value !== length) throw new PlacementError(`${count}[${layer}][${e}]`, `${length}, the slots it has`, value);
    }
    return inverted;
  });
  return { physicalToLogical, slotsOf };
}

export function slotsOfExperts(map: readonly number[], experts: number): number[][] {
  const lists: number[][] = Array.from({ length: experts }, () => []);
  for (const [slot, e] of map.entries()) if (e !== EMPTY) lists[e].push(slot);
  return lists;
}

/** TensorRT-LLM's compressed rows: the slots of expert e are globalSlotIds from its start offset on, as many as its count says. */
export const csrNames = ["expertReplicaCount", "expertReplicaStartOffset", "globalSlotIds"] as const;

/** TensorRT-LLM's maps, all three of them, which have no empty slots. Throws as `readMaps` does. */
export function readCompressed(record: Fields, logicalExperts?: number): LayerMaps {
  const [countName, startName, slotName] = csrNames;
  const counts = readRows(countName, record[countName], "a count", logicalExperts === undefined ? 1 : 0);
  if (logicalExperts !== undefined && counts[0].length !== logicalExperts) {
    throw new ShapeError(`${countName}[0]`, `logicalExperts = ${logicalExperts} counts`, counts[0].length);
  }
  const starts = readRows(startName, record[startName], "an offset");
  const ids = readRows(slotName, record[slotName], "a slot");
  for (const [name, rows] of [[startName, starts] as const, [slotName, ids] as const]) {
    if (rows.length !== counts.length) {
      throw new ShapeError(name, `${counts.length} layers as in ${countName}`, rows.length);
    }
  }
  if (starts[0].length !== counts[0].length) {
    throw new ShapeError(`${startName}[0]`, `${counts[0].length} experts as in ${countName}[0]`, starts[0].length);
  }

  const slotsOf = counts.map((row, layer) => {
    let start = 0;
    const lists = row.map((count, e) => {
      const given = starts[layer][e];
      if (given !== start) {
        throw new PlacementError(`${startName}[${layer}][${e}]`, `${start}, the replicas of the experts before`, given);
      }
      start += count;
      return ids[layer].slice(given, start);
    });
    const { length } = ids[layer];
    if (length !== start) throw new ShapeError(`${slotName}[${layer}]`, `${start} slots, as counted`, length);
    return lists;
  });
  const physicalToLogical = slotsOf.map((lists, layer) =>
    invert(lists, ids[layer].length, (e, i) => `${slotName}[${layer}][${starts[layer][e] + i}]`),
  );
  return { physicalToLogical, slotsOf };
}
