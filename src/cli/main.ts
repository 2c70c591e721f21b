#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { ArgumentError, EvenkeelError } from "../common/errors.ts";
import { pollDawnSeldom } from "../gpu/dawn_polling.ts";
import { analyzeCommand } from "./commands/analyze.ts";
import { boundCommand } from "./commands/bound.ts";
import { cacheCommand } from "./commands/cache.ts";
import { capacityCommand } from "./commands/capacity.ts";
import { certifyCommand } from "./commands/certify.ts";
import { demoCommand } from "./commands/demo.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { exportCommand } from "./commands/export.ts";
import { planCommand } from "./commands/plan.ts";
import { replayCommand } from "./commands/replay.ts";
import { simulateCommand } from "./commands/simulate.ts";
import { solveCommand } from "./commands/solve_problem.ts";
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
const commands = [
  ...[analyzeCommand(), planCommand(), replayCommand(), solveCommand(), certifyCommand(), exportCommand()],
  ...[simulateCommand(), boundCommand(), capacityCommand(), cacheCommand(), demoCommand(), doctorCommand()],
];
for (const command of commands) program.addCommand(command.copyInheritedSettings(program));

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
