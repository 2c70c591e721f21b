import { requireCalls } from "../../common/calls.ts";
import { ArgumentError } from "../../common/errors.ts";
import { requireObject } from "../../common/objects.ts";
import { Pauses } from "../../common/pauses.ts";
import type { Format, FormatReader } from "./format.ts";
import { linesOf } from "./lines.ts";
import { type Source, textsOf } from "./texts.ts";

type Formats<T> = Readonly<Record<string, Format<T>>>;

/** A file of which this much shows is of a format, though a field is missing: better an error that names it than none of that format. */
const ALIKE = 0.6;

/**
 * Reads a file's content in one of several formats: the one that is asked for, or the one that its first line looks like most.
 *
 * @throws {ArgumentError} No such format or source; what the format's reader throws.  @throws the signal's reason.
 */
export async function readInFormat<T>(
  source: Source,
  formats: Formats<T>,
  o: { format?: string; signal?: AbortSignal },
): Promise<T> {
  requireObject("o", o, { format: true, signal: true });
  const forced = o.format === undefined ? undefined : formatOf(o.format, formats);
  requireCalls(o, "o.");
  o.signal?.throwIfAborted();
  const pauses = new Pauses(o.signal);
  let reader: FormatReader<T> | undefined;
  let number = 0;
  for await (const lines of linesOf(textsOf(source, o.signal))) {
    for (const line of lines) {
      number++;
      if (!/\S/.test(line)) continue;
      if (reader) reader.line(line, number);
      else reader = (forced ?? toldBy(line, formats)).open(line, number);
    }
    if (pauses.due) await pauses.take();
  }
  if (!reader) throw unknownFormat("", formats);
  return reader.end();
}

function formatOf<T>(name: string, formats: Formats<T>): Format<T> {
  if (typeof name === "string" && Object.hasOwn(formats, name)) return formats[name];
  throw new ArgumentError("o.format", `one of ${Object.keys(formats).join(", ")}`, name);
}

function toldBy<T>(first: string, formats: Formats<T>): Format<T> {
  let told: Format<T> | undefined;
  let most = 0;
  for (const format of Object.values(formats)) {
    const likeness = format.likeness(first);
    if (likeness <= most) continue;
    told = format;
    most = likeness;
  }
  if (told && most >= ALIKE) return told;
  throw unknownFormat(first, formats);
}

function unknownFormat<T>(first: string, formats: Formats<T>): ArgumentError {
  const known = Object.entries(formats).map(([name, { looks }]) => `${name} (${looks})`);
  return new ArgumentError("trace", `a file of one of these formats: ${known.join("; ")}`, first);
}
