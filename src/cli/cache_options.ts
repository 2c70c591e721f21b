import { type Command, InvalidArgumentError, Option } from "commander";
import { requireOneStandardInput } from "./files/one_standard_input.ts";
import { integer } from "./options.ts";
import { type CachePolicyName, cachePolicyNames } from "./reports/cache_policies.ts";
import { namesOf, option } from "./simulate_options.ts";

/** In the unit of the trace's sizes, or a share of the footprint. */
export type AskedCapacity = { size: number } | { share: number };

/** What the options of `cache` are called once they are parsed. */
export interface CacheCommandOptions {
  capacity: readonly AskedCapacity[];
  policies: readonly CachePolicyName[];
  stepTime?: string;
  window?: number;
  bound: boolean;
  prices?: string;
  certify?: string;
  json?: boolean;
  html?: string;
}

export function cacheOptions(command: Command): Command {
  const shares = "1%,5%,20%";
  return command
    .addOption(
      option(
        "--capacity <list>",
        "in the unit of the trace's sizes, KV tokens where it is of prompts, or in % of the footprint, the size of all objects together",
        capacities,
      ).default(capacities(shares), shares),
    )
    .addOption(
      option("--policies <names>", `to compare, of ${cachePolicyNames.join(", ")}`, namesOf(cachePolicyNames)).default(
        cachePolicyNames,
        "all",
      ),
    )
    .option(
      "--step-time <file>",
      "of a trace of prompts: what a block costs in seconds, by JSON as fitStepTime has it; by default its tokens",
    )
    .addOption(
      option(
        "--window <n>",
        "requests that the bound looks at together: fewer take less long and prove less; by default all, up to 2^20",
        integer(2, 2 ** 31 - 1),
      ),
    )
    .option("--no-bound", "no bound: for a first look at a long trace")
    .option("--prices <file>", "write the proofs of the bounds: prices of capacity over time, as JSON")
    .addOption(
      new Option("--certify <file>", "check what --prices wrote, of the same trace, and search nothing").conflicts([
        ...["capacity", "policies", "window", "bound", "prices", "html"],
      ]),
    )
    .option("--html <file>", "write a report with cost and hit ratio against capacity, one file without scripts")
    .option("--json", "print JSON");
}

/** What makes no sense together, where a list of conflicts cannot tell. */
export function refuseCacheConflicts(file: string, options: CacheCommandOptions, command: Command): void {
  const { stepTime, certify, bound, window, prices } = options;
  for (const [name, value] of Object.entries({ window, prices }))
    if (!bound && value !== undefined) command.error(`error: --${name} needs the bound: leave --no-bound out`);
  requireOneStandardInput({ "the trace": file, "--step-time": stepTime, "--certify": certify });
}

function capacities(text: string): AskedCapacity[] {
  return text.split(",").map((one) => {
    const [, number, percent] = /^(\S+?)\s*(%?)$/.exec(one.trim()) ?? [];
    const value = Number(number);
    if (!(value > 0 && Number.isFinite(value)))
      throw new InvalidArgumentError("Expected capacities above 0, as in 64000 or 5%.");
    return percent ? { share: value / 100 } : { size: value };
  });
}
