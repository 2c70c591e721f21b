import { ArgumentError } from "../../common/errors.ts";
import { fieldAt, place, requireJsonObject, requireLength, requireTime } from "./fields.ts";
import type { Format, FormatReader } from "./format.ts";
import { Requests } from "./requests.ts";
import type { Trace } from "./trace.ts";

/**
 * AIPerf's profile_export.jsonl, a record per request in the order in which they ended; sorted by arrival. Requests of the warm-up are
 * left out, and those that failed or were cancelled, which have no lengths. A session is a value of `x_correlation_id`, which the turns of
 * one user's conversation share. Stamps are ns since 1970, which a double holds to 128 ns.
 */
export const aiperf: Format<Trace> = {
  looks: "JSON Lines with metadata.request_start_ns, metrics.input_sequence_length, metrics.output_sequence_length",
  likeness: (first) => {
    if (!first.trimStart().startsWith("{")) return 0;
    return first.includes('"request_start_ns"') || (first.includes('"metadata"') && first.includes('"metrics"'))
      ? 1
      : 0;
  },
  open: (first, number) => {
    const reader = new AiperfReader();
    reader.line(first, number);
    return reader;
  },
};

class AiperfReader implements FormatReader<Trace> {
  private readonly requests = new Requests({ perSecond: 1e9, origin: "first" }, "sorted");

  line(text: string, number: number): void {
    const record = requireJsonObject(text, place(number));
    if (fieldAt(record, "metadata", "benchmark_phase") === "warmup") return;
    if (
      (record.error !== undefined && record.error !== null) ||
      fieldAt(record, "metadata", "was_cancelled") === true
    ) {
      this.requests.failed++;
      return;
    }
    const length = (metric: string) => {
      const value = fieldAt(record, "metrics", metric, "value");
      return requireLength(value, value, () => place(number, `metrics.${metric}.value`));
    };
    const input = length("input_sequence_length");
    const output = length("output_sequence_length");
    const start = fieldAt(record, "metadata", "request_start_ns");
    const stamp = requireTime(start, start, () => place(number, "metadata.request_start_ns"));
    this.requests.add(stamp, input, output, number, "metadata.request_start_ns");
    const session = fieldAt(record, "metadata", "x_correlation_id");
    if (session === undefined || session === null) return;
    if (typeof session !== "string") {
      throw new ArgumentError(place(number, "metadata.x_correlation_id"), "a string", session);
    }
    this.requests.inSession(session);
  }

  end() {
    return this.requests.toTrace();
  }
}
