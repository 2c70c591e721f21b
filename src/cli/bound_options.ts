import { type Command, Option } from "commander";
import { integer } from "./options.ts";
import {
  clockOption,
  kvTokensOption,
  option,
  rateOption,
  requestsOption,
  type SimulateOptions,
  slotsOption,
  stepTimeOption,
  workersOption,
} from "./simulate_options.ts";

/** What the options of `bound` are called once they are parsed. */
export interface BoundCommandOptions
  extends Pick<SimulateOptions, "kvTokens" | "workers" | "clock" | "stepTime" | "rate" | "requests" | "seed"> {
  /** Without, as many as memory holds. */
  slots?: number;
  preemption: "restart" | "resume";
  evaluations: number;
  backend: "auto" | "webgpu" | "cpu";
  prices?: string;
  certify?: string;
  json?: boolean;
  html?: string;
}

export function boundOptions(command: Command): Command {
  return command
    .addOption(kvTokensOption())
    .addOption(workersOption().default(1))
    .addOption(slotsOption())
    .addOption(clockOption())
    .addOption(stepTimeOption())
    .addOption(
      new Option("--preemption <kind>", "how a request that has lost its KV goes on: anew, or with its tokens")
        .choices(["restart", "resume"])
        .default("restart"),
    )
    .addOption(requestsOption())
    .addOption(rateOption())
    .addOption(option("--seed <n>", "of what is drawn", integer(0, 2 ** 32 - 1)).default(1))
    .addOption(
      option("--evaluations <n>", "of the bound by all requests, at the most", integer(1, 1_000_000)).default(1000),
    )
    .addOption(
      new Option("--backend <name>", "who evaluates; auto: a GPU where there is one and the CPU takes long")
        .choices(["auto", "webgpu", "cpu"])
        .default("auto"),
    )
    .option("--prices <file>", "write the proof: prices of memory and slots, as JSON")
    .addOption(
      new Option(
        "--certify <file>",
        "check what --prices wrote, of the same requests and workers, and search nothing",
      ).conflicts(["prices", "html", "evaluations", "backend"]),
    )
    .option("--html <file>", "write a report with the prices over time, one file without scripts")
    .option("--json", "print JSON");
}
