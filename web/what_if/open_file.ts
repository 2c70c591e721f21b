import { unpacked } from "../../src/cli/files/content.ts";
import { parseStepTime } from "../../src/cli/files/step_time_file.ts";
import { readTrace, type StepTime, type Trace } from "../../src/serving.ts";
import { type Measured, measuredOf } from "./measured.ts";

export type Opened =
  | { kind: "trace"; trace: Trace; measured: Measured | undefined }
  | { kind: "stepTime"; stepTime: StepTime };

/**
 * A file that somebody has dropped: a trace in any format that `readTrace` reads, a benchmark's result among them, or a step time as `fitStepTime` has it.
 *
 * @throws {ArgumentError} It is neither; line and field are named.
 */
export async function openFile(name: string, file: Uint8Array): Promise<Opened> {
  try {
    const content = await unpacked({ name, bytes: file });
    const json = wholeJson(content.bytes);
    if (isObject(json) && ("base" in json || "stepTime" in json)) {
      return { kind: "stepTime", stepTime: parseStepTime(content) };
    }
    const { requests, arrival, input, output } = await readTrace(content.bytes);
    return { kind: "trace", trace: { requests, arrival, input, output }, measured: measuredOf(json) };
  } catch (error) {
    if (error instanceof Error) error.message = error.message.replace(/^trace(?=[,:.[])/, () => name);
    throw error;
  }
}

/** Undefined where it is none: JSON Lines are not, from their second line on. */
function wholeJson(bytes: Uint8Array): unknown {
  const text = bytes[0] === "{".charCodeAt(0) ? new TextDecoder().decode(bytes) : "";
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
