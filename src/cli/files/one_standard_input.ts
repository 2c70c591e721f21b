import { ArgumentError } from "../../common/errors.ts";

/**
 * @param files  by their names in messages, in the order in which they have a claim to standard input, "-".
 * @throws {ArgumentError} A second one asks for it.
 */
export function requireOneStandardInput(files: Readonly<Record<string, string | undefined>>): void {
  const [first, second] = Object.keys(files).filter((name) => files[name] === "-");
  if (second !== undefined) throw new ArgumentError(second, `a file, where ${first} is standard input`, "-");
}
