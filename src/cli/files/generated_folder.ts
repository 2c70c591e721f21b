import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ArgumentError } from "../../common/errors.ts";
import { MADE_BY } from "../print/made.ts";
import { reasonOf } from "./json_file.ts";
import { requireWritable, writeWhole } from "./write_file.ts";

/** Throws now what `writeFolder` would throw after work, but for files in it.  @throws {ArgumentError} It is no folder. */
export function requireFolder(option: string, folder: string): void {
  const there = statSync(folder, { throwIfNoEntry: false });
  if (there && !there.isDirectory()) throw new ArgumentError(`${option} ${folder}`, "a folder", "a file");
}

/**
 * Writes files into a folder, made if it is not there, each as a whole or not at all. Those that are there are replaced only if they say in their first
 * line that evenkeel made them; nothing is written otherwise.
 *
 * @throws {ArgumentError} Somebody else's file is in the way, or one cannot be written.
 */
export function writeFolder(option: string, folder: string, files: ReadonlyMap<string, string>): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new ArgumentError(`${option} ${folder}`, "a folder that can be made", reasonOf(cause));
  }
  for (const name of files.keys()) {
    const file = join(folder, name);
    if (existsSync(file) && !isMade(file)) {
      throw new ArgumentError(`${option} ${file}`, "no file, or one that evenkeel made", "another");
    }
    requireWritable(option, file);
  }
  for (const [name, content] of files) writeWhole(option, join(folder, name), content);
}

function isMade(file: string): boolean {
  return statSync(file).isFile() && readFileSync(file, "utf8").split("\n", 1)[0].includes(MADE_BY);
}
