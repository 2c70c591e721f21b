import { ArgumentError } from "../../common/errors.ts";
import { fieldAt, type JsonObject, place, requireJsonObject, requireLength, requireTime } from "./fields.ts";
import type { Format, FormatReader } from "./format.ts";
import { secondsOf } from "./milliseconds.ts";
import { BLOCK_TOKENS, Requests } from "./requests.ts";
import type { Trace } from "./trace.ts";

/**
 * Mooncake's traces, one request a line, with the fields that AIPerf adds: `session_id`, and `delay` in ms instead of a timestamp. Such a
 * turn arrives `delay` after the one before it in its session, and a session's first at 0: when the answer before it was done is not in
 * the file, so it is the earliest that it can be. Files with sessions are sorted by arrival, since they list session after session.
 */
export const mooncake: Format<Trace> = {
  looks: "JSON Lines with timestamp, input_length, output_length, hash_ids",
  likeness: (first) => {
    // Bailian's traces have the same fields, but seconds and blocks of 16 tokens.
    if (!first.trimStart().startsWith("{") || first.includes('"chat_id"')) return 0;
    return first.includes('"input_length"') || first.includes('"output_length"') ? 1 : 0;
  },
  open: (first, number) => {
    const reader = new MooncakeReader();
    reader.line(first, number);
    return reader;
  },
};

class MooncakeReader implements FormatReader<Trace> {
  /** In ms, until the end. */
  private readonly requests = new Requests({ perSecond: 1, origin: "zero" }, "kept");
  /** ms at which the last turn of a session arrives. */
  private readonly turns = new Map<string | number, number>();

  line(text: string, number: number): void {
    const request = requireJsonObject(text, place(number));
    const length = (field: string) => requireLength(request[field], request[field], () => place(number, field));
    const input = length("input_length");
    const output = length("output_length");
    const session = sessionOf(request, number);
    if (session !== undefined) this.requests.sorted = true;
    const arrives = this.arrivalOf(request, session, number);
    this.requests.add(arrives, input, output, number, "timestamp");
    if (session !== undefined) {
      this.turns.set(session, arrives);
      this.requests.inSession(session);
    }
    const blocks = blocksOf(request, input, number);
    if (blocks) this.requests.withBlocks(blocks);
  }

  /** ms */
  private arrivalOf({ timestamp, delay }: JsonObject, session: string | number | undefined, number: number): number {
    if (session === undefined || (timestamp !== undefined && timestamp !== null)) {
      return requireTime(timestamp, timestamp, () => place(number, "timestamp"));
    }
    const before = this.turns.get(session) ?? 0;
    return (
      before + (delay === undefined || delay === null ? 0 : requireTime(delay, delay, () => place(number, "delay")))
    );
  }

  end() {
    const trace = this.requests.toTrace();
    return { ...trace, arrival: trace.arrival.map(secondsOf) };
  }
}

function sessionOf(request: JsonObject, number: number): string | number | undefined {
  const session = fieldAt(request, "session_id");
  if (session === undefined || session === null) return undefined;
  if (typeof session === "string" || Number.isFinite(session)) return session as string | number;
  throw new ArgumentError(place(number, "session_id"), "a string or a number", session);
}

/** Hashes of 64 bits are doubles here: two of a million of them fall together in one of 20,000 files. */
function blocksOf({ hash_ids }: JsonObject, input: number, number: number): number[] | undefined {
  if (hash_ids === undefined || hash_ids === null) return undefined;
  if (!Array.isArray(hash_ids)) throw new ArgumentError(place(number, "hash_ids"), "an array of integers", hash_ids);
  const most = Math.ceil(input / BLOCK_TOKENS);
  if (hash_ids.length > most) {
    const expected = `at most ceil(${input} / ${BLOCK_TOKENS}) = ${most} ids, of blocks of ${BLOCK_TOKENS} tokens`;
    throw new ArgumentError(place(number, "hash_ids"), expected, hash_ids.length);
  }
  for (const id of hash_ids) {
    if (Number.isInteger(id)) continue;
    throw new ArgumentError(place(number, "hash_ids"), "integers", id);
  }
  return hash_ids;
}
