import {
  accessSync,
  constants,
  createWriteStream,
  existsSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  type WriteStream,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { ArgumentError } from "../../common/errors.ts";
import { reasonOf } from "./json_file.ts";

/** Throws now what `writeWhole` would throw after long work.  @throws {ArgumentError} The file cannot be written. */
export function requireWritable(option: string, file: string): void {
  try {
    const target = statSync(file, { throwIfNoEntry: false });
    if (target?.isDirectory()) throw new Error("EISDIR: it is a folder");
    const written = target && !target.isFile() ? file : dirname(placeOf(file));
    accessSync(written, constants.W_OK);
  } catch (cause) {
    throw unwritable(option, file, cause);
  }
}

/** Where the file is, or will be: where a link leads, so that it stays one. */
function placeOf(file: string): string {
  return existsSync(file) ? realpathSync(file) : file;
}

/** The path stands before the reason, which `shown` would cut off behind a long one. */
function unwritable(option: string, file: string, cause: unknown): ArgumentError {
  return new ArgumentError(`${option} ${file}`, "a file that can be written", reasonOf(cause));
}

/**
 * Writes a file that is there as a whole or not at all: beside its place first, and then renamed, both before Ctrl-C is looked at.
 *
 * @throws {ArgumentError} The file cannot be written.
 */
export function writeWhole(option: string, file: string, content: string): void {
  let beside: string | undefined;
  try {
    if (isFile(file)) {
      const place = placeOf(file);
      beside = besideOf(place);
      writeFileSync(beside, content, { flag: "wx" });
      renameSync(beside, place);
    } else {
      writeFileSync(file, content);
    }
  } catch (cause) {
    if (beside !== undefined) rmSync(beside, { force: true });
    throw unwritable(option, file, cause);
  }
}

/**
 * The same of a file that is too long for a string, part by part.
 *
 * @throws {ArgumentError} The file cannot be written.  @throws the signal's reason; then there is no file.
 */
export async function writeParts(
  option: string,
  file: string,
  parts: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<void> {
  let beside: string | undefined;
  try {
    if (isFile(file)) {
      const place = placeOf(file);
      beside = besideOf(place);
      await written(parts, createWriteStream(beside, { flags: "wx" }), signal);
      renameSync(beside, place);
    } else {
      await written(parts, createWriteStream(file), signal);
    }
  } catch (cause) {
    if (beside !== undefined) rmSync(beside, { force: true });
    signal.throwIfAborted();
    throw unwritable(option, file, cause);
  }
}

/** The stream is closed when this ends, however it does: a file that is opened later could not be removed now. */
async function written(parts: AsyncIterable<string>, to: WriteStream, signal: AbortSignal): Promise<void> {
  try {
    await pipeline(parts, to, { signal });
  } finally {
    if (!to.closed) await new Promise<void>((closed) => to.once("close", () => closed()));
  }
}

/** Or nothing yet. A pipe or a device must not be replaced by a file. */
function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? true;
}

const besideOf = (place: string) => `${place}.${process.pid}.part`;
