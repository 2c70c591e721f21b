import { expect } from "vitest";
import { ArgumentError } from "../../../src/common/errors.ts";

/** That it throws an ArgumentError which names the argument and says this. */
export function refused(call: () => unknown, argument: string, says = ""): void {
  let error: unknown;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ArgumentError);
  expect((error as ArgumentError).argument).toBe(argument);
  expect((error as ArgumentError).message).toContain(says);
}
