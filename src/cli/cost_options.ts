import { Option } from "commander";
import { ArgumentError } from "../common/errors.ts";
import { type CostFile, readCost } from "./files/cost_file.ts";
import { integer } from "./options.ts";

/** What the options of a cost are called once they are parsed. */
export interface CostOptions {
  cost?: string;
  costTopK?: number;
  stepsPerRow?: number;
}

export function costOptions(): Option[] {
  return [
    new Option(
      "--cost <file>",
      "what an expert's tokens cost: a model, a curve (JSON) or measured times (CSV); then time is balanced",
    ),
    new Option("--cost-top-k <n>", "experts of a token, where the measured times do not say it").argParser(
      integer(1, 2 ** 20),
    ),
  ];
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
 * @throws {ArgumentError} It cannot be read, or another of these options is given without it.
 */
export async function costOf({ cost, costTopK, stepsPerRow }: CostOptions): Promise<CostFile | undefined> {
  if (cost !== undefined) return readCost(cost, costTopK);
  for (const [name, value] of Object.entries({ "cost-top-k": costTopK, "steps-per-row": stepsPerRow })) {
    if (value !== undefined) throw new ArgumentError(`--${name}`, "--cost with it", value);
  }
  return undefined;
}
