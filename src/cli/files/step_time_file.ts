import type { StepTime } from "../../serving/step_time.ts";
import { nameOf, readJson } from "./json_file.ts";
import { stepTimeOf } from "./step_time_json.ts";

/**
 * Reads how long a step lasts, as `stepTimeOf` has it. Plain or in gzip; "-" is standard input.
 *
 * @throws {ArgumentError} The file cannot be read, or is no such thing; the field is named.
 */
export async function readStepTime(file: string): Promise<StepTime> {
  return stepTimeOf(nameOf(file), await readJson(file));
}
