import { ArgumentError, PlacementError, ShapeError } from "../../common/errors.ts";
import { EMPTY, type Placement } from "../../placement/placement.ts";
import { placementsFromJSON } from "../../placement/placements_from_json.ts";
import { plural, ranges } from "../print/words.ts";
import type { Content } from "./content.ts";
import type { Fields } from "./physical_slots.ts";
import { mapFields, type PlacementForm, placementForm } from "./placement_forms.ts";

export interface PlacementContent extends Content {
  /** What a file of ours beside it says, and that file's name. */
  beside?: { gpus: number; file: string };
}

/** What a placement must fit. */
export interface PlacementShape {
  gpus: number;
  /** Of the recording, dense ones included, */
  layers: number;
  /** and which of them have experts. */
  moeLayers: readonly number[];
  /** Any number, if undefined. */
  experts: number | undefined;
  /** Whether experts may have no slot, as where GPUs died. Elsewhere that is a mistake, unless slots are empty. */
  mayLose?: boolean;
  /** Whether a file that says it was made for fewer GPUs is read for these. */
  mayGrow?: boolean;
}

/**
 * A placement per layer, as `placementsFromJSON` takes them, vllm-ascend's map, or rows of experts alone. Where a file leaves dense layers out,
 * these get the placement of another layer, for nothing is ever sent there.
 *
 * No system writes down the number of GPUs. A plan does, within the file or beside it; elsewhere a layer with an expert twice on a GPU is a
 * sign that the file was made for more, and gets a warning.
 *
 * @param warn  takes what the reader should know but need not mind.
 * @throws {ArgumentError} It holds no placement, or one of other experts, layers or GPUs.
 */
export function parsePlacements(content: PlacementContent, shape: PlacementShape, warn: Warn): Placement[] {
  const { name } = content;
  const { experts } = shape;
  const { form, gpus, isSaid } = opened(content, shape);
  const given = parsed(name, form, { ...shape, gpus });
  const placements = byLayer(name, given, form, shape, warn);
  for (const [layer, { logicalExperts }] of placements.entries()) {
    if (experts !== undefined && logicalExperts !== experts) {
      const where = `${name}: layer ${layer}`;
      throw new ShapeError(where, `${experts} experts as in the recording`, logicalExperts);
    }
  }
  if (!isSaid) warnOfDuplicates(name, placements.entries(), warn);
  return placements;
}

type Warn = (message: string) => void;

/**
 * The placements of a file where no recording says which layers there are, by the layers' numbers: TensorRT-LLM's are those of the model, other
 * systems' rows are counted from 0.
 *
 * @param wanted  all, if undefined; ascending.
 * @throws {ArgumentError} It holds no placement, one of other GPUs, or not the layers that are wanted.
 */
export function parseNumberedPlacements(
  content: PlacementContent,
  shape: Pick<PlacementShape, "gpus" | "experts">,
  wanted: readonly number[] | undefined,
  warn: Warn,
): Map<number, Placement> {
  const { name } = content;
  const { form, gpus, isSaid } = opened(content, shape);
  const rows = form.layers === "all" ? 1 : rowsOf(form);
  const numbers = typeof form.layers === "object" ? form.layers : Array.from({ length: rows }, (_, i) => i);
  const stray = wanted?.filter((layer) => !numbers.includes(layer)) ?? [];
  if (stray.length > 0) throw new ArgumentError("--layers", `layers of ${name}: ${ranges(numbers)}`, ranges(stray));
  const layers = wanted ?? numbers;
  // Who says how many there are knows that some may have no slot.
  const mayLose = shape.experts !== undefined;
  const given = parsed(name, form, { ...shape, gpus, layers: rows, moeLayers: layers, mayLose });
  const placements = new Map(layers.map((layer) => [layer, given[numbers.indexOf(layer)]]));
  if (!isSaid) warnOfDuplicates(name, placements, warn);
  return placements;
}

/** What a file holds, and for how many GPUs: whether it says that itself, or a file beside it. */
function opened(
  content: PlacementContent,
  { gpus: wanted, mayGrow = false }: Pick<PlacementShape, "gpus" | "mayGrow">,
) {
  const { name, beside } = content;
  const form = named(name, "", () => placementForm(content));
  const said = beside?.gpus ?? form.record.gpus;
  const gpus = mayGrow && typeof said === "number" && said >= 1 && said < wanted ? said : wanted;
  if (beside && beside.gpus !== gpus) {
    const remedy = `${beside.file} has the GPUs that it was made for.`;
    throw new PlacementError(`${name}: gpus`, `${gpus} as in --gpus`, beside.gpus, remedy);
  }
  return { form, gpus, isSaid: said !== undefined };
}

/** Layers of the maps; 0 if there are no lists, which who parses them refuses. */
function rowsOf({ record }: PlacementForm): number {
  const maps = Object.entries(record).filter(([name, value]) => mapFields.test(name) && Array.isArray(value));
  const perLayer = maps.find(([name]) => name !== "r2o")?.[1];
  return Array.isArray(perLayer) ? perLayer.length : 0;
}

function warnOfDuplicates(file: string, placements: Iterable<readonly [number, Placement]>, warn: Warn): void {
  for (const [layer, { gpus, physicalToLogical, gpuOf }] of placements) {
    const held = new Set<string>();
    for (const [slot, expert] of physicalToLogical.entries()) {
      if (expert === EMPTY) continue;
      const where = `expert ${expert} twice on GPU ${gpuOf[slot]}`;
      if (!held.has(where)) {
        held.add(where);
        continue;
      }
      const question = `Is it a placement for --gpus ${gpus}?`;
      warn(`${file}: layer ${layer} has ${where}, where one slot would do. ${question}`);
      return;
    }
  }
}

/** Of two files on a command line, a message has to say which; and what a map is called there. */
function named<T>(file: string, mapName: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ArgumentError && !error.message.startsWith(file)) {
      const message = mapName === "" ? error.message : error.message.replaceAll("physical_to_logical_map", mapName);
      error.message = `${file}: ${message}`;
    }
    throw error;
  }
}

/** Where the library's remedy is its own name for it. */
function withOptionsOfCli<T>(experts: number | undefined, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ArgumentError) {
      error.message = error.message
        .replace("give logicalExperts", experts === undefined ? "give --experts" : "give --dead")
        .replace(/^json\.gpus: expected gpus =/, "gpus: expected --gpus");
    }
    throw error;
  }
}

/** With the names and options by which the user knows them in messages. */
function parsed(file: string, form: PlacementForm, shape: PlacementShape): Placement[] {
  return named(file, form.mapName ?? "", () => withOptionsOfCli(shape.experts, () => parse(form, shape)));
}

/** What dense layers' rows say does not matter, as SGLang does not look at them: where they are no maps, others stand in for them. */
function parse(form: PlacementForm, shape: PlacementShape): Placement[] {
  const { gpus, experts, mayLose = false } = shape;
  const read = (record: Fields) => {
    const logicalExperts = mayLose || hasEmptySlots(record) ? experts : undefined;
    return placementsFromJSON(record, { gpus, logicalExperts });
  };
  try {
    return read(form.record);
  } catch {
    return read(withoutDense(form, shape));
  }
}

function hasEmptySlots(record: Fields): boolean {
  const maps = [record.physical_to_logical_map, record.phy2log].filter(Array.isArray);
  return maps.some((rows) => rows.some((row) => Array.isArray(row) && row.includes(EMPTY)));
}

/** The record with the rows of dense layers replaced, where it has any. */
function withoutDense({ record, layers: form }: PlacementForm, { layers, moeLayers }: PlacementShape): Fields {
  if (form !== "rows") return record;
  const ofLayers = Object.entries(record).map(([name, rows]) => {
    if (!mapFields.test(name) || name === "r2o" || !Array.isArray(rows) || rows.length !== layers) return [name, rows];
    return [name, rows.map((row, layer) => (moeLayers.includes(layer) ? row : rows[moeLayers[0]]))];
  });
  return Object.fromEntries(ofLayers);
}

/** The placement of each layer of the recording. */
function byLayer(
  file: string,
  given: readonly Placement[],
  { layers: form }: PlacementForm,
  { layers, moeLayers }: PlacementShape,
  warn: Warn,
): Placement[] {
  const all = Array.from({ length: layers }, () => given[0]);
  if (form === "all") return all;
  if (typeof form === "object") return numbered(file, given, form, all, moeLayers, warn);
  if (form === "rows" && given.length === layers) return [...given];
  if (given.length !== moeLayers.length) {
    const rows = moeLayers.length === layers ? "" : `, or ${moeLayers.length} without the dense ones`;
    const expected =
      form === "moe"
        ? `${moeLayers.length} MoE layers as in the recording`
        : `${layers} layers as in the recording${rows}`;
    throw new ShapeError(file, expected, given.length);
  }
  for (const [i, layer] of moeLayers.entries()) all[layer] = given[i];
  return all;
}

function numbered(
  file: string,
  given: readonly Placement[],
  numbers: readonly number[],
  placements: Placement[],
  moeLayers: readonly number[],
  warn: Warn,
): Placement[] {
  const missing = moeLayers.filter((layer) => !numbers.includes(layer));
  if (missing.length > 0) {
    const why = `as layers ${ranges(moeLayers)} of the recording have experts`;
    const remedy =
      numbers.length === moeLayers.length
        ? `If the recording leaves out dense layers, give --moe-layers ${ranges(numbers).replaceAll(" ", "")}.`
        : undefined;
    const expected = `layer ${ranges(missing)}, ${why}`;
    throw new PlacementError(`${file}: initial_global_assignments`, expected, ranges(numbers), remedy);
  }
  const stray = numbers.filter((layer) => !moeLayers.includes(layer));
  if (stray.length > 0) {
    warn(`${file}: ${plural(stray.length, "layer")} that the recording has no tokens of: ${ranges(stray)}.`);
  }
  for (const [i, layer] of numbers.entries()) if (layer < placements.length) placements[layer] = given[i];
  return placements;
}
