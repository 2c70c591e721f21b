#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { ArgumentError, EvenkeelError } from "../common/errors.ts";
import { pollDawnSeldom } from "../gpu/dawn_polling.ts";
import { reasonOf } from "./files/json_file.ts";
import { exitOnInterrupt, interrupted } from "./interruption.ts";
import { oneLine } from "./print/warning.ts";

const exitCodes = { failure: 1, badInput: 2, interrupted: 130 };

exitOnInterrupt(exitCodes.interrupted);
pollDawnSeldom();
// A reader that has seen enough, as in `evenkeel demo | head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  console.error(oneLine(`evenkeel: standard output: ${reasonOf(error)}`));
  process.exit(exitCodes.failure);
});

const program = new Command("evenkeel")
  .description(packageJson.description)
  .version(packageJson.version)
  .configureOutput({ outputError: (text, write) => write(`${oneLine(text.replace(/^error:/, "evenkeel:"))}\n`) })
  .addHelpText("afterAll", "\nExit code: 0 done, 1 failed, 2 bad input or usage, 130 interrupted.")
  .exitOverride();
/** Loaded where they are asked for: most of the time that a short command takes is the reading of what it does not use. */
const commands: Record<string, () => Promise<Command>> = {
  analyze: async () => (await import("./commands/analyze.ts")).analyzeCommand(),
  plan: async () => (await import("./commands/plan.ts")).planCommand(),
  replay: async () => (await import("./commands/replay.ts")).replayCommand(),
  solve: async () => (await import("./commands/solve_problem.ts")).solveCommand(),
  certify: async () => (await import("./commands/certify.ts")).certifyCommand(),
  export: async () => (await import("./commands/export.ts")).exportCommand(),
  simulate: async () => (await import("./commands/simulate.ts")).simulateCommand(),
  bound: async () => (await import("./commands/bound.ts")).boundCommand(),
  capacity: async () => (await import("./commands/capacity.ts")).capacityCommand(),
  sweep: async () => (await import("./commands/sweep.ts")).sweepCommand(),
  merge: async () => (await import("./commands/merge.ts")).mergeCommand(),
  cache: async () => (await import("./commands/cache.ts")).cacheCommand(),
  demo: async () => (await import("./commands/demo.ts")).demoCommand(),
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand(),
};
const [, , named] = process.argv;
// Of all of them, for help and for what is none of their names.
const wanted = Object.hasOwn(commands, named ?? "") ? [named] : Object.keys(commands);
for (const name of wanted) program.addCommand((await commands[name]()).copyInheritedSettings(program));

try {
  await program.parseAsync();
} catch (error) {
  if (interrupted.aborted) {
    process.exit(exitCodes.interrupted);
  } else if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.badInput; // commander has said why
  } else if (error instanceof EvenkeelError) {
    console.error(oneLine(`evenkeel: ${error.message}`));
    process.exitCode = error instanceof ArgumentError ? exitCodes.badInput : exitCodes.failure;
  } else {
    throw error;
  }
}
