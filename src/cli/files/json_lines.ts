import { pause } from "../interruption.ts";

/** An array of a JSON object that is written element by element, each as JSON on a line of its own. */
export type Elements = Generator<string>;

/** The lines of a JSON object; fields that are undefined are left out, as JSON.stringify does. */
export function* jsonLines(fields: Readonly<Record<string, unknown>>): Generator<string> {
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  for (const [i, [name, value]] of present.entries()) {
    const start = `${i === 0 ? "{" : ""}${JSON.stringify(name)}:`;
    const end = i === present.length - 1 ? "}" : ",";
    if (!isElements(value)) {
      yield start + JSON.stringify(value) + end;
      continue;
    }
    yield `${start}[`;
    let last = value.next();
    for (const element of value) {
      yield `${last.value},`;
      last = { value: element };
    }
    yield `${last.value ?? ""}]${end}`;
  }
}

function isElements(value: unknown): value is Elements {
  return typeof (value as Partial<Elements> | null)?.next === "function";
}

/** Values [B, columns] as B rows, or [B] as they are where columns is undefined. */
export function* elements(values: ArrayLike<unknown>, batch: number, columns?: number): Elements {
  for (let lp = 0; lp < batch; lp++) {
    if (columns === undefined) yield JSON.stringify(values[lp]);
    else yield JSON.stringify(Array.from({ length: columns }, (_, i) => values[lp * columns + i]));
  }
}

/** PIPE_BUF of Linux: so much, or less, goes into a pipe as a whole or not at all. */
const CHUNK_BYTES = 4096;

/**
 * Writes lines to standard output, no faster than its reader takes them.
 *
 * @throws the signal's reason, if it is aborted: then the output ends with a whole line. (One longer than a chunk is cut where the reader has
 * stopped reading, too.)
 */
export async function writeLines(lines: Iterable<string>, signal: AbortSignal): Promise<void> {
  let chunk = "";
  for (const line of lines) {
    if (chunk.length > 0 && chunk.length + line.length >= CHUNK_BYTES) {
      await write(chunk, signal);
      chunk = "";
    }
    chunk += `${line}\n`;
  }
  await write(chunk, signal);
}

async function write(chunk: string, signal: AbortSignal): Promise<void> {
  await new Promise((written) => process.stdout.write(chunk, written)); // an error of the stream is main's
  await pause(signal);
}
