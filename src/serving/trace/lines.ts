import { ArgumentError } from "../../common/errors.ts";

/** Characters of a line: engines' strings end at 2^29 or later. A run of vLLM's benchmark is one line. */
const MOST = 2 ** 28;

/** The lines of a text that comes in pieces, without their ends (LF or CRLF): those that end in a piece, together. */
export async function* linesOf(texts: AsyncIterable<string>): AsyncGenerator<string[]> {
  let unfinished: string[] = []; // joined once it is whole: joining at every piece would take time in the square of a long line
  let length = 0;
  let number = 1;
  for await (const text of texts) {
    const lines = text.split("\n");
    unfinished.push(lines[0]);
    length += lines[0].length;
    if (length > MOST) {
      throw new ArgumentError(`trace, line ${number}`, `at most 2^28 = ${MOST} characters`, length);
    }
    if (lines.length === 1) continue;
    lines[0] = unfinished.join("");
    unfinished = [lines.pop()!];
    length = unfinished[0].length;
    number += lines.length;
    yield lines.map(withoutReturn);
  }
  const last = unfinished.join("");
  if (last !== "") yield [withoutReturn(last)];
}

const withoutReturn = (line: string): string => (line.endsWith("\r") ? line.slice(0, -1) : line);
