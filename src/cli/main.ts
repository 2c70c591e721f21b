#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { EvenkeelError } from "../errors.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";

const badInput = 2;
const interrupted = 130;

process.on("SIGINT", () => process.exit(interrupted));
// A reader that has seen enough, as in `evenkeel demo | head`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

const program = new Command("evenkeel")
  .description(packageJson.description)
  .version(packageJson.version)
  .configureOutput({ outputError: (text, write) => write(`${oneLine(text.replace(/^error:/, "evenkeel:"))}\n`) })
  .exitOverride();
for (const command of [demoCommand(), doctorCommand()]) program.addCommand(command.copyInheritedSettings(program));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : badInput; // commander has said why
  } else if (error instanceof EvenkeelError) {
    console.error(oneLine(`evenkeel: ${error.message}`));
    process.exitCode = badInput;
  } else {
    throw error;
  }
}

function oneLine(text: string): string {
  return text.trim().replaceAll("\n", " ");
}
