import { ArgumentError } from "../../common/errors.ts";
import { type CsvColumns, CsvReader, headerOf } from "./csv_format.ts";
import { numberOf, place } from "./fields.ts";
import type { Format } from "./format.ts";
import type { Trace } from "./trace.ts";

const pairs: readonly CsvColumns[] = [
  { input: "input_tokens", output: "output_tokens" },
  { input: "input_length", output: "output_length" },
  { input: "input_toks", output: "output_toks" },
  { input: "prompt_len", output: "output_len" },
  { input: "prompt_tokens", output: "completion_tokens" },
  { input: "num_prefill_tokens", output: "num_decode_tokens" },
];
/** Of Vidur's files: what they say follows from the two lengths. */
const derived = ["num_total_tokens", "pd_ratio"];

const clock = { perSecond: 1, origin: "zero" } as const;

/**
 * Lengths alone, in columns of known names or in two without names: all arrive at 0. Told by content only where nothing else is in the
 * file, since another column might be when they arrived.
 */
export const lengths: Format<Trace> = {
  looks: `CSV with ${pairs.map(({ input, output }) => `${input}, ${output}`).join(" or ")}, or two columns without names`,
  likeness: (first) => {
    const header = headerOf(first);
    if (isRowOfTwo(header)) return 1;
    const pair = pairOf(header);
    const known = pair && [pair.input, pair.output, ...derived];
    return known && header.every((name) => known.includes(name)) ? 1 : 0;
  },
  open: (first, number) => {
    const header = headerOf(first);
    if (isRowOfTwo(header)) {
      const columns = { input: "first column", output: "second column" };
      const reader = new CsvReader({ columns, clock }, [columns.input, columns.output], number);
      reader.line(first, number);
      return reader;
    }
    const columns = pairOf(header);
    if (!columns) throw new ArgumentError(place(number), lengths.looks, first);
    return new CsvReader({ columns, clock }, header, number);
  },
};

const isRowOfTwo = (cells: readonly string[]) =>
  cells.length === 2 && cells.every((cell) => !Number.isNaN(numberOf(cell)));

const pairOf = (header: readonly string[]) =>
  pairs.find(({ input, output }) => header.includes(input) && header.includes(output));
