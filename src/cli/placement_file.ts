import { ArgumentError, PlacementError, ShapeError } from "../errors.ts";
import { placementsFromJSON } from "../placement/conventions.ts";
import type { Placement } from "../placement/placement.ts";
import { nameOf, parseJson, readBytes } from "./json_file.ts";
import { gpusBeside, sidecarOf } from "./sidecar.ts";
import { warn } from "./warning.ts";

/** What a placement must fit. */
export interface PlacementShape {
  gpus: number;
  layers: number;
  /** Any number, if undefined. */
  experts: number | undefined;
}

/**
 * Reads a placement per layer, as `placementsFromJSON` takes them.
 *
 * No system writes down the number of GPUs. A plan does, within the file or beside it; elsewhere a layer with an expert twice on a GPU is a
 * sign that the file was made for more, and gets a warning.
 *
 * @throws {ArgumentError} The file cannot be read, holds no placement, or one of other experts, layers or GPUs.
 */
export async function readPlacements(file: string, { gpus, layers, experts }: PlacementShape): Promise<Placement[]> {
  const content = await readBytes(file);
  const beside = gpusBeside(file, content);
  if (beside !== undefined && beside !== gpus) {
    const remedy = `${sidecarOf(file)} has the GPUs that it was made for.`;
    throw new PlacementError(`${nameOf(file)}: gpus`, `${gpus} as in --gpus`, beside, remedy);
  }
  const json = parseJson(file, content) as { gpus?: unknown };
  const placements = parse(file, json, gpus);
  if (placements.length !== layers) {
    throw new ShapeError(nameOf(file), `${layers} layers as in the recording`, placements.length);
  }
  for (const [layer, { logicalExperts }] of placements.entries()) {
    if (experts !== undefined && logicalExperts !== experts) {
      const where = `${nameOf(file)}: layer ${layer}`;
      throw new ShapeError(where, `${experts} experts as in the recording`, logicalExperts);
    }
  }
  if (json.gpus === undefined && beside === undefined) warnOfDuplicates(file, placements);
  return placements;
}

function warnOfDuplicates(file: string, placements: readonly Placement[]): void {
  for (const [layer, { gpus, physicalToLogical, gpuOf }] of placements.entries()) {
    const held = new Set<string>();
    for (const [slot, expert] of physicalToLogical.entries()) {
      const where = `expert ${expert} twice on GPU ${gpuOf[slot]}`;
      if (!held.has(where)) {
        held.add(where);
        continue;
      }
      const question = `Is it a placement for --gpus ${gpus}?`;
      warn(`${nameOf(file)}: layer ${layer} has ${where}, where one slot would do. ${question}`);
      return;
    }
  }
}

function parse(file: string, json: object, gpus: number): Placement[] {
  try {
    return placementsFromJSON(json, { gpus });
  } catch (error) {
    // Of two files on a command line, the message has to say which.
    if (error instanceof ArgumentError) error.message = `${nameOf(file)}: ${error.message}`;
    throw error;
  }
}
