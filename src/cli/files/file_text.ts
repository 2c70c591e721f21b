import { ArgumentError } from "../../common/errors.ts";

/**
 * The text of a file: UTF-8 or UTF-16, told by a byte order mark or, as JSON and YAML begin with ASCII, by where the first zero byte is.
 *
 * @throws {ArgumentError} It is a .pt or .npz file; the remedy makes JSON of it.
 */
export function textOf(name: string, content: Buffer): string {
  if (content.subarray(0, 2).toString("latin1") === "PK") throw new ArgumentError(name, ...archive(name, content));
  return new TextDecoder(encodingOf(content)).decode(content); // without the mark
}

function encodingOf([a, b]: Buffer): string {
  if ((a === 0xff && b === 0xfe) || (a > 0 && b === 0)) return "utf-16le";
  return (a === 0xfe && b === 0xff) || (a === 0 && b > 0) ? "utf-16be" : "utf-8";
}

/** A ZIP archive, as torch.save and numpy.savez make them; its name or the first member's tells them apart. */
function archive(name: string, content: Buffer): [expected: string, actual: string, remedy: string] {
  const [what, modules, read] =
    /\.npz$/i.test(name) || content.subarray(0, 200).includes(".npy")
      ? ["an archive of numpy's", "numpy", "dict(numpy.load(sys.argv[1]))"]
      : ["an archive of torch's", "torch", "torch.load(sys.argv[1], map_location='cpu', weights_only=True)"];
  const ending = modules === "numpy" ? "npz" : "pt";
  const program = `import json, sys, ${modules}; json.dump(${read}, sys.stdout, default=lambda t: t.tolist())`;
  return ["text, JSON for example", what, `Make JSON of it: python -c "${program}" FILE.${ending} > FILE.json`];
}
