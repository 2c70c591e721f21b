import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { ArgumentError } from "../../common/errors.ts";
import { type Content, jsonOf, unpacked } from "./content.ts";

/** What to call a file in a message. */
export function nameOf(file: string): string {
  return file === "-" ? "standard input" : file;
}

/**
 * What is in a file, or comes from standard input for "-", without its gzip.
 *
 * @throws {ArgumentError} It cannot be read, or is damaged.
 */
export async function readContent(file: string): Promise<Content> {
  const name = nameOf(file);
  let bytes: Uint8Array;
  try {
    bytes = file === "-" ? await buffer(process.stdin) : await readFile(file);
  } catch (cause) {
    throw new ArgumentError(name, "a file that can be read", reasonOf(cause));
  }
  return unpacked({ name, bytes });
}

/** The JSON of a file.  @throws {ArgumentError} It cannot be read, or is no JSON. */
export async function readJson(file: string): Promise<unknown> {
  return jsonOf(await readContent(file));
}

/** Why the system refused, without the path. */
export function reasonOf(cause: unknown): string {
  return (cause as Error).message.split(",")[0];
}
