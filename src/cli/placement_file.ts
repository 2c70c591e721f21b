import { ArgumentError, ShapeError } from "../errors.ts";
import { placementsFromJSON } from "../placement/conventions.ts";
import type { Placement } from "../placement/placement.ts";
import { nameOf, readJson } from "./json_file.ts";

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
 * @throws {ArgumentError} The file cannot be read, holds no placement, or one of other experts or layers.
 */
export async function readPlacements(file: string, { gpus, layers, experts }: PlacementShape): Promise<Placement[]> {
  const placements = parse(file, (await readJson(file)) as object, gpus);
  if (placements.length !== layers) {
    throw new ShapeError(nameOf(file), `${layers} layers as in the recording`, placements.length);
  }
  for (const [layer, { logicalExperts }] of placements.entries()) {
    if (experts !== undefined && logicalExperts !== experts) {
      const where = `${nameOf(file)}: layer ${layer}`;
      throw new ShapeError(where, `${experts} experts as in the recording`, logicalExperts);
    }
  }
  return placements;
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
