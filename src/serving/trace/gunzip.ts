import { ArgumentError } from "../../common/errors.ts";

export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b;

/** @throws {ArgumentError} The data is damaged or cut off.  @throws what the source throws. */
export async function* gunzipped(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  let failure: { reason: unknown } | undefined;
  feed(chunks, writer).catch((reason) => {
    failure = { reason };
    reader.cancel(reason).catch(() => {});
  });
  try {
    for (;;) {
      const { done, value } = await readFrom(reader);
      if (failure) throw failure.reason;
      if (done) return;
      yield value;
    }
  } finally {
    // Where the reading ends early the feeding does, too, and with it the source.
    writer.abort().catch(() => {});
  }
}

/** What the stream refuses is not thrown here: reading tells of it. */
async function feed(chunks: AsyncIterable<Uint8Array>, writer: WritableStreamDefaultWriter<BufferSource>) {
  for await (const chunk of chunks) {
    if (!(await accepted(writer.write(chunk as Uint8Array<ArrayBuffer>)))) return;
  }
  await accepted(writer.close());
}

const accepted = (work: Promise<void>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );

async function readFrom(reader: ReadableStreamDefaultReader<Uint8Array>) {
  try {
    return await reader.read();
  } catch (error) {
    const why = error instanceof Error ? (error.cause instanceof Error ? error.cause : error).message : String(error);
    throw new ArgumentError("trace", "whole gzip data", why);
  }
}
