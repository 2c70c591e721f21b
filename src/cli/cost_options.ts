import { Option } from "commander";
import { ArgumentError } from "../common/errors.ts";
import type { CostFile } from "./files/cost_file.ts";
import { readCost } from "./files/read_files.ts";
import { integer } from "./options.ts";

/** What the options of a cost are called once they are parsed. */
export interface CostOptions {
  cost?: string;
  costTopK?: number;
  stepsPerRow?: number;
}

export function costOption(): Option {
  return new Option(
    "--cost <file>",
    "what an expert's tokens cost: a model, a curve (JSON) or measured times (CSV); for time, not tokens alone",
  );
}

export function costTopKOption(): Option {
  const help = "with --cost: experts of a token, where the measured times do not say it";
  return new Option("--cost-top-k <n>", help).argParser(integer(1, 2 ** 20));
}

/** Where loads are read. A step that is recorded by its tokens is no sum. */
export function stepsPerRowOption(): Option {
  return new Option(
    "--steps-per-row <n>",
    "steps that a row of the recording is the sum of; with --cost it stands for one of them (default: 1)",
  ).argParser(integer(1, 2 ** 31 - 1));
}

/**
 * The cost that --cost names, if it does.
 *
 * @param others  what else the command reads.
 * @throws {ArgumentError} It cannot be read, or another of these options is given without it.
 */
export async function costOf(
  { cost, costTopK, stepsPerRow }: CostOptions,
  ...others: (string | undefined)[]
): Promise<CostFile | undefined> {
  if (cost === "-" && others.includes("-")) {
    throw new ArgumentError("--cost", "a file, where another is standard input", cost);
  }
  if (cost !== undefined) return readCost(cost, costTopK);
  for (const [name, value] of Object.entries({ "cost-top-k": costTopK, "steps-per-row": stepsPerRow })) {
    if (value !== undefined) throw new ArgumentError(`--${name}`, "--cost with it", value);
  }
  return undefined;
}
