import { expect } from "vitest";
import { evenkeel, withoutSoftware } from "./evenkeel.ts";

export type Refused = [name: string, args: string[], message: string];

/** For `test.each`: the command ends with exit code 2 and says one line that has the message, on stderr. */
export async function expectRefused(...[, args, message]: Refused): Promise<void> {
  const { code, stdout, stderr } = await evenkeel(args, withoutSoftware);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^evenkeel: [^\p{Cc}]+\n$/u);
  expect(stderr).toContain(message);
}
