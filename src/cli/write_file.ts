import { accessSync, constants, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { ArgumentError } from "../errors.ts";
import { reasonOf } from "./json_file.ts";

/** Throws now what `writeWhole` would throw after long work.  @throws {ArgumentError} The file cannot be written. */
export function requireWritable(option: string, file: string): void {
  try {
    const target = statSync(file, { throwIfNoEntry: false });
    if (target?.isDirectory()) throw new Error("EISDIR: it is a folder");
    accessSync(target && !target.isFile() ? file : dirname(file), constants.W_OK);
  } catch (cause) {
    throw new ArgumentError(option, "a file that can be written", `${file}: ${reasonOf(cause)}`);
  }
}

/**
 * Writes a file that is there as a whole or not at all: beside its place first, and then renamed, both before Ctrl-C is looked at.
 *
 * @throws {ArgumentError} The file cannot be written.
 */
export function writeWhole(option: string, file: string, content: string): void {
  const beside = `${file}.${process.pid}.part`;
  try {
    const target = statSync(file, { throwIfNoEntry: false });
    if (target && !target.isFile()) {
      writeFileSync(file, content); // a pipe or a device must not be replaced by a file
    } else {
      writeFileSync(beside, content, { flag: "wx" });
      renameSync(beside, file);
    }
  } catch (cause) {
    rmSync(beside, { force: true });
    throw new ArgumentError(option, "a file that can be written", `${file}: ${reasonOf(cause)}`);
  }
}
