import { Command } from "commander";
import { expect, test } from "vitest";
import { costOf, costOption, costTopKOption, stepsPerRowOption } from "../../src/cli/cost_options.ts";
import { ownFiles } from "./own_files.ts";

const { file } = ownFiles();

function parsed(...args: string[]): object {
  const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  for (const option of [costOption(), costTopKOption(), stepsPerRowOption()]) command.addOption(option);
  return command.parse(args, { from: "user" }).opts();
}

test("options become a cost", async () => {
  const source = file("tokens,activated_experts,time_us\n1,4,8\n512,4,80");
  const options = parsed("--cost", source, "--cost-top-k", "4", "--steps-per-row", "16");
  expect(options).toEqual({ cost: source, costTopK: 4, stepsPerRow: 16 });
  expect(await costOf(options)).toMatchObject({ source, last: 512, cost: { tokens: [1, 512], time: [2, 20] } });
  expect(await costOf(parsed())).toBeUndefined();
});

test.each([
  [["--cost-top-k", "8"], "--cost-top-k: expected --cost with it, got 8."],
  [["--steps-per-row", "1"], "--steps-per-row: expected --cost with it, got 1."],
])("%s alone would say nothing", async (args, message) => {
  await expect(costOf(parsed(...args))).rejects.toThrow(message);
});

test.each(["0", "-1", "1.5", "", "many"])("--steps-per-row %s", (text) => {
  expect(() => parsed("--steps-per-row", text)).toThrow("Expected an integer from 1 to 2147483647.");
  expect(() => parsed("--cost-top-k", text)).toThrow("Expected an integer from 1 to 1048576.");
});
