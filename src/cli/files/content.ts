/** What is in a file, whoever has read it: the command line from a disk, a page from what was dropped on it. */
import { ArgumentError } from "../../common/errors.ts";
import { isGzip } from "../../serving/trace/gunzip.ts";

export interface Content {
  /** What to call it in a message. */
  name: string;
  bytes: Uint8Array;
}

/** The same without its gzip, told by its first bytes.  @throws {ArgumentError} It is damaged. */
export async function unpacked({ name, bytes }: Content): Promise<Content> {
  if (!isGzip(bytes)) return { name, bytes };
  const packed = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
  try {
    const whole = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
    return { name, bytes: new Uint8Array(whole) };
  } catch (error) {
    const { cause, message } = error as Error;
    throw new ArgumentError(name, "an undamaged gzip file", cause instanceof Error ? cause.message : message);
  }
}

/** The JSON that it is.  @throws {ArgumentError} It is none; ends with the remedy. */
export function jsonOf(content: Content, remedy = ""): unknown {
  const text = textOf(content);
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The message quotes the file, which may be anything: no control character of it may reach the terminal.
    const reason = (cause as Error).message.replaceAll(/[^ -~]+/g, " ");
    throw new ArgumentError(
      content.name,
      "JSON, plain or in gzip",
      `${content.bytes.length} bytes`,
      `${reason}. ${remedy}`.trimEnd(),
    );
  }
}

/**
 * Its text: UTF-8 or UTF-16, told by a byte order mark or, as JSON and YAML begin with ASCII, by where the first zero byte is.
 *
 * @throws {ArgumentError} It is a .pt or .npz file; the remedy makes JSON of it.
 */
export function textOf({ name, bytes }: Content): string {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) throw new ArgumentError(name, ...archive(name, bytes)); // "PK"
  return new TextDecoder(encodingOf(bytes)).decode(bytes); // without the mark
}

function encodingOf([a, b]: Uint8Array): string {
  if ((a === 0xff && b === 0xfe) || (a > 0 && b === 0)) return "utf-16le";
  return (a === 0xfe && b === 0xff) || (a === 0 && b > 0) ? "utf-16be" : "utf-8";
}

/** A ZIP archive, as torch.save and numpy.savez make them; its name or the first member's tells them apart. */
function archive(name: string, bytes: Uint8Array): [expected: string, actual: string, remedy: string] {
  const isNumpy = /\.npz$/i.test(name) || new TextDecoder("latin1").decode(bytes.subarray(0, 200)).includes(".npy");
  const [what, modules, read] = isNumpy
    ? ["an archive of numpy's", "numpy", "dict(numpy.load(sys.argv[1]))"]
    : ["an archive of torch's", "torch", "torch.load(sys.argv[1], map_location='cpu', weights_only=True)"];
  const ending = isNumpy ? "npz" : "pt";
  const program = `import json, sys, ${modules}; json.dump(${read}, sys.stdout, default=lambda t: t.tolist())`;
  return ["text, JSON for example", what, `Make JSON of it: python -c "${program}" FILE.${ending} > FILE.json`];
}
