import { stepTimeOf } from "../../src/cli/files/step_time_json.ts";
import { gunzipped, isGzip } from "../../src/serving/trace/gunzip.ts";
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
    const bytes = isGzip(file) ? await unzipped(file) : file;
    const json = wholeJson(bytes);
    if (isObject(json) && ("base" in json || "stepTime" in json)) {
      return { kind: "stepTime", stepTime: stepTimeOf(name, json) };
    }
    const { requests, arrival, input, output } = await readTrace(bytes);
    return { kind: "trace", trace: { requests, arrival, input, output }, measured: measuredOf(json) };
  } catch (error) {
    if (error instanceof Error) error.message = error.message.replace(/^trace(?=[,:.[])/, () => name);
    throw error;
  }
}

async function unzipped(file: Uint8Array): Promise<Uint8Array> {
  const parts: BlobPart[] = [];
  for await (const part of gunzipped(only(file))) parts.push(part as Uint8Array<ArrayBuffer>);
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function* only(file: Uint8Array): AsyncGenerator<Uint8Array> {
  yield file;
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
