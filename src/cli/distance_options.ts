import { Option } from "commander";
import { ArgumentError } from "../common/errors.ts";
import type { Rows } from "../common/numbers.ts";
import { checkDistance, type Distance } from "../placement/distance.ts";
import { nameOf, readJson } from "./files/json_file.ts";
import { integer, MAX_GPUS } from "./options.ts";

/** What the options are called once they are parsed. */
export interface DistanceOptions {
  nodes?: number;
  distance?: string;
}

export function nodesOption(): Option {
  return new Option(
    "--nodes <n>",
    "where assignments go, if the GPUs are so many nodes of equal blocks; of recorded top-k ids",
  ).argParser(integer(1, MAX_GPUS));
}

export function distanceOption(): Option {
  const help = "or by the distances of a JSON file [sources][gpus]: 0 own GPU, up to 1 own node, more another";
  return new Option("--distance <file>", help).conflicts("nodes");
}

/**
 * The distances that --nodes or --distance names, if one does.
 *
 * @param others  what else the command reads.
 * @throws {ArgumentError | ShapeError | LoadError} They cannot be read, or are not as they should be.
 */
export async function distanceOf(
  { nodes, distance: file }: DistanceOptions,
  gpus: number,
  ...others: (string | undefined)[]
): Promise<Distance | undefined> {
  if (file === undefined) return checkDistance({ nodes }, gpus, "--");
  if (file === "-" && others.includes("-")) {
    throw new ArgumentError("--distance", "a file, where another is standard input", file);
  }
  const json = await readJson(file);
  return checkDistance({ distance: json as Rows }, gpus, `${nameOf(file)}: `);
}
