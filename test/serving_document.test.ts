/** docs/serving.md shows what the command prints of a recorded trace. */
import { expect, test } from "vitest";
import { evenkeel, withoutSoftware } from "./cli/evenkeel.ts";
import { commandsOf, documentAt, expectShown } from "./helpers/documents.ts";
import { needsRecordedData, recordedDataPresent, recordedPath } from "./helpers/recorded.ts";

test.skipIf(!recordedDataPresent)(`the worked example ${needsRecordedData}`, async () => {
  const commands = commandsOf(documentAt("docs/serving.md"));
  const { args, shown } = commands.find(({ words }) => words.startsWith("simulate TRACE"))!;
  const trace = recordedPath("requests/azure_llm_2023_conv.csv");
  const { code, stdout, stderr } = await evenkeel(args.with(1, trace), withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expectShown(
    shown!.filter((line) => line !== ""),
    stdout,
  );
});
