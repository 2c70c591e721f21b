/** The maps of each system, there and back; any other number in them is refused. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { ArgumentError, placementMaps, placementsToJSON } from "../../src/index.ts";
import { placementFormats } from "../../src/placement/placements_to_json.ts";
import { type Json, literal, place, randomLayers, read } from "./systems.ts";

describe.each(placementFormats)("%s", (format) => {
  const { gpus, map, maps } = literal[format];

  test("an example by hand, there and back", () => {
    const placements = place(map, gpus);
    expect(placementMaps(placements, format)).toEqual(maps);
    expect(read(maps, { gpus })).toEqual(placements);
    expect(read({ ...maps, gpus }, { gpus })).toEqual(placements); // as a plan has it
  });

  test("random placements come back, through JSON and from int64", () => {
    for (let seed = 0; seed < 20; seed++) {
      const placements = randomLayers(seeded(seed), format);
      const shape = { gpus: placements[0].gpus };
      const written = placementMaps(placements, format) as Json;
      const file = placementsToJSON(placements, format);
      for (const json of [written, JSON.parse(JSON.stringify(written)), JSON.parse(JSON.stringify(file))]) {
        expect(read(json, shape), `seed ${seed}`).toEqual(placements);
      }
      for (const rows of [BigInt64Array, Int32Array, Float64Array]) {
        expect(read(typed(written, rows), shape), `seed ${seed}, ${rows.name}`).toEqual(placements);
      }
    }
  });

  // Negative control: a reader that accepts everything would come back, too.
  test("any other number in any place is refused", () => {
    let refused = 0;
    for (const at of places(maps)) {
      for (const value of [-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0.5, Number.NaN, "1", null, undefined]) {
        const changed = structuredClone(maps);
        if (!change(changed, at, value)) continue;
        const where = `${at.join(".")} = ${String(value)}`;
        expect(() => read(changed, { gpus }), where).toThrow(ArgumentError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(15 * map.flat().length);
  });

  test("rows that are dropped, doubled, shortened or no arrays are refused", () => {
    let refused = 0;
    for (const at of places(maps, true)) {
      for (const edit of edits) {
        const changed = structuredClone(maps);
        const list = at.reduce((part, key) => (part as Json)[key], changed as unknown) as unknown[];
        edit(list);
        if (format === "lplb" && at.join() === "physical_to_logical_map") continue; // a layer more or less is as good
        expect(() => read(changed, { gpus }), `${at.join(".")}, ${edit}`).toThrow(ArgumentError);
        refused++;
      }
      for (const value of [7, "012345", null, {}, new Set([1]), new ArrayBuffer(8), new DataView(new ArrayBuffer(8))]) {
        const changed = structuredClone(maps);
        change(changed, at, value);
        expect(() => read(changed, { gpus }), `${at.join(".")} = ${value}`).toThrow(ArgumentError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(40);
  });
});

const edits: ((list: unknown[]) => void)[] = [
  (list) => list.pop(),
  (list) => list.shift(),
  (list) => list.push(structuredClone(list[0])),
  (list) => list.splice(0),
];

/** The same record with rows of another type. */
function typed(value: unknown, rows: typeof BigInt64Array | typeof Int32Array | typeof Float64Array): unknown {
  if (!Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value as Json).map(([name, part]) => [name, typed(part, rows)]));
  }
  if (Array.isArray(value[0])) return value.map((part) => typed(part, rows));
  return rows === BigInt64Array ? BigInt64Array.from(value, BigInt) : (rows as typeof Int32Array).from(value);
}

/** The paths of all numbers of a record, or of all its arrays. */
function places(part: unknown, arrays = false, path: string[] = []): string[][] {
  if (typeof part !== "object") return arrays ? [] : [path];
  const within = Object.entries(part as Json).flatMap(([key, value]) => places(value, arrays, [...path, key]));
  return arrays && path.length > 0 ? [path, ...within] : within;
}

/** Whether there was another value there. */
function change(json: Json, path: string[], value: unknown): boolean {
  const list = path.slice(0, -1).reduce((part, key) => part[key] as Json, json);
  const key = path[path.length - 1];
  if (Object.is(list[key], value)) return false;
  list[key] = value;
  return true;
}
