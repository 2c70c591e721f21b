import { ArgumentError } from "../../common/errors.ts";
import { gunzipped, isGzip } from "./gunzip.ts";

/** What is decoded and split at a time: about a millisecond's work. */
const PIECE = 2 ** 16;

export type Source = string | Uint8Array | AsyncIterable<Uint8Array>;

/**
 * The text of a source in pieces: gzip is recognised and decompressed, bytes are read as UTF-8, a byte order mark is left out.
 *
 * @throws {ArgumentError} No such source, a chunk that is not bytes, bytes that are neither UTF-8 nor whole gzip.  @throws the signal's reason.
 */
export async function* textsOf(source: Source, signal?: AbortSignal): AsyncGenerator<string> {
  if (typeof source !== "string") {
    yield* decoded(unzipped(bytesOf(source, signal)));
    return;
  }
  const from = source.startsWith("\uFEFF") ? 1 : 0;
  for (let at = from; at < source.length; at += PIECE) yield source.slice(at, at + PIECE);
}

async function* bytesOf(source: Exclude<Source, string>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) {
    yield source;
  } else if (typeof source === "object" && source !== null && Symbol.asyncIterator in source) {
    for await (const chunk of untilAborted(source, signal)) {
      if (!(chunk instanceof Uint8Array)) {
        throw new ArgumentError("source", "chunks of bytes, each a Uint8Array", chunk);
      }
      yield chunk;
    }
  } else {
    const expected = "a file's content: a string, a Uint8Array, or an async iterable of Uint8Array";
    throw new ArgumentError("source", expected, source);
  }
}

/** A source may wait for long, as for a network: the signal ends that, too. */
async function* untilAborted<T>(source: AsyncIterable<T>, signal?: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal?.reason);
  });
  aborted.catch(() => {}); // it is told of by the race, where one is under way
  signal?.addEventListener("abort", stop, { once: true });
  let over = false;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const next = await Promise.race([iterator.next(), aborted]);
      over = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    // Not awaited: a source that hangs answers only after what it hangs on. What it then says is of no use to anybody.
    if (!over) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

async function* unzipped(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < 2) {
    const next = await chunks.next();
    if (next.done) break;
    head = head.length === 0 ? next.value : joined(head, next.value);
  }
  const all = before(head, chunks);
  yield* isGzip(head) ? gunzipped(all) : all;
}

async function* before(head: Uint8Array, chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield head;
    yield* chunks;
  } finally {
    await chunks.return(undefined); // where the reading ends with the head, too
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

async function* decoded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (bytes?: Uint8Array) => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw new ArgumentError("trace", "text in UTF-8", "bytes that are none");
    }
  };
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += PIECE) yield decode(chunk.subarray(at, at + PIECE));
  }
  yield decode();
}
