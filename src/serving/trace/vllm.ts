import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { type JsonObject, requireJsonObject, requireLength, requireTime } from "./fields.ts";
import type { Format, FormatReader } from "./format.ts";
import { Requests } from "./requests.ts";
import type { Trace } from "./trace.ts";

/**
 * What vLLM's `bench serve --save-result --save-detailed` writes: one JSON object for a run, which is held whole while it is read.
 * Requests with an error are left out: their output length is written as 0. Sorted by their start.
 */
export const vllm: Format<Trace> = {
  looks: "JSON with input_lens, output_lens, start_times, errors",
  likeness: (first) => {
    if (!first.trimStart().startsWith("{")) return 0;
    if (first.includes('"input_lens"') || first.includes('"total_input_tokens"')) return 1;
    return isWhole(first) ? 0 : MAYBE;
  },
  open: (first) => new VllmReader(first),
};

/** An object of several lines, as tools print it, shows its fields only later. No other format is one. */
const MAYBE = 0.75;

function isWhole(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

class VllmReader implements FormatReader<Trace> {
  private readonly lines: string[];

  constructor(first: string) {
    this.lines = [first];
  }

  line(text: string): void {
    this.lines.push(text);
  }

  end(): Trace {
    const remedy = "A file to which several runs were appended must be split, and one that was cut off cannot be read.";
    const run = requireJsonObject(this.lines.join("\n"), "trace", remedy);
    const input = arrayOf(run, "input_lens");
    const output = arrayOf(run, "output_lens", input.length);
    const start = arrayOf(run, "start_times", input.length);
    const errors = run.errors === undefined ? undefined : arrayOf(run, "errors", input.length);
    const requests = new Requests({ perSecond: 1, origin: "first" }, "sorted");
    for (let i = 0; i < input.length; i++) {
      if (hasFailed(errors?.[i], i)) {
        requests.failed++;
        continue;
      }
      const at = (field: string) => () => `trace, "${field}"[${i}]`;
      requests.add(
        requireTime(start[i], start[i], at("start_times")),
        requireLength(input[i], input[i], at("input_lens")),
        requireLength(output[i], output[i], at("output_lens")),
        1,
        "start_times",
      );
    }
    return requests.toTrace();
  }
}

function arrayOf(run: JsonObject, field: string, length?: number): unknown[] {
  const values = run[field];
  if (!Array.isArray(values)) {
    const remedy = "vLLM writes it with --save-detailed.";
    throw new ArgumentError(`trace, "${field}"`, "an array", values, remedy);
  }
  if (length !== undefined && values.length !== length) {
    throw new ShapeError(`trace, "${field}"`, `as many values as "input_lens" has, ${length}`, values.length);
  }
  return values;
}

/** Its error is told, or "". */
function hasFailed(error: unknown, i: number): boolean {
  if (error === undefined || error === null) return false;
  if (typeof error !== "string") throw new ArgumentError(`trace, "errors"[${i}]`, "a string", error);
  return error !== "";
}
