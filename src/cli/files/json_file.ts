import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { ArgumentError } from "../../common/errors.ts";
import { textOf } from "./file_text.ts";

/** What to call a file in a message. */
export function nameOf(file: string): string {
  return file === "-" ? "standard input" : file;
}

/**
 * The bytes of a file, or of standard input for "-"; what is in gzip, told by its first bytes, is unpacked.
 *
 * @throws {ArgumentError} It cannot be read.
 */
export async function readBytes(file: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = file === "-" ? await buffer(process.stdin) : await readFile(file);
  } catch (cause) {
    throw new ArgumentError(nameOf(file), "a file that can be read", reasonOf(cause));
  }
  const gzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!gzip) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw new ArgumentError(nameOf(file), "an undamaged gzip file", (cause as Error).message);
  }
}

/** The JSON of a file, as `readBytes` reads it.  @throws {ArgumentError} It cannot be read, or is no JSON; ends with the remedy. */
export async function readJson(file: string, remedy = ""): Promise<unknown> {
  return parseJson(file, await readBytes(file), remedy);
}

/** The JSON that a file's bytes are.  @throws {ArgumentError} They are none; ends with the remedy. */
export function parseJson(file: string, content: Buffer, remedy = ""): unknown {
  const text = textOf(nameOf(file), content);
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The message quotes the file, which may be anything: no control character of it may reach the terminal.
    const reason = (cause as Error).message.replaceAll(/[^ -~]+/g, " ");
    throw new ArgumentError(
      nameOf(file),
      "JSON, plain or in gzip",
      `${content.length} bytes`,
      `${reason}. ${remedy}`.trimEnd(),
    );
  }
}

/** Why the system refused, without the path. */
export function reasonOf(cause: unknown): string {
  return (cause as Error).message.split(",")[0];
}
