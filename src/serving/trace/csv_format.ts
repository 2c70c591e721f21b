import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { cellsOf } from "./csv.ts";
import { numberOf, place, requireLength, requireTime } from "./fields.ts";
import type { Format, FormatReader } from "./format.ts";
import { type Clock, Requests } from "./requests.ts";
import type { Trace } from "./trace.ts";

export interface CsvColumns {
  /** Without it all requests arrive at 0. */
  stamp?: string;
  input: string;
  output: string;
  /** May be absent, and is empty for requests of no session. */
  session?: string;
}

export interface CsvFormat {
  columns: CsvColumns;
  clock: Clock;
  /** Reads stamps that are no plain numbers: NaN for what is none. */
  stamps?: { expected: string; reader: () => (text: string) => number };
  /** Whether a request without output has failed, by this format's own description. */
  failsWithoutOutput?: boolean;
}

/** A CSV whose columns have names; others than those that are read may stand among them. */
export function csvFormat(format: CsvFormat): Format<Trace> {
  const needed = neededOf(format.columns);
  return {
    looks: `CSV with ${needed.join(", ")}`,
    likeness: (first) => {
      const header = headerOf(first);
      return needed.filter((name) => header.includes(name)).length / needed.length;
    },
    open: (first, number) => {
      const header = headerOf(first);
      for (const name of needed) {
        if (!header.includes(name)) throw new ArgumentError(place(number), `a column "${name}"`, first);
      }
      return new CsvReader(format, header, number);
    },
  };
}

const neededOf = ({ stamp, input, output }: CsvColumns) => (stamp === undefined ? [] : [stamp]).concat(input, output);

/** The names of a header's columns, which hold no commas. */
export const headerOf = (text: string): string[] =>
  text.split(",").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1"));

export class CsvReader implements FormatReader<Trace> {
  private readonly requests: Requests;
  private readonly stampAt: number;
  private readonly inputAt: number;
  private readonly outputAt: number;
  private readonly sessionAt: number;
  private readonly stampOf: (text: string) => number;

  constructor(
    private readonly format: CsvFormat,
    private readonly header: readonly string[],
    number: number,
  ) {
    const { stamp, input, output, session } = format.columns;
    const at = (name: string | undefined) => {
      const first = name === undefined ? -1 : header.indexOf(name);
      if (first >= 0 && header.includes(name!, first + 1)) {
        throw new ArgumentError(place(number), `one column "${name}"`, header.filter((other) => other === name).length);
      }
      return first;
    };
    this.stampAt = at(stamp);
    this.inputAt = at(input);
    this.outputAt = at(output);
    this.sessionAt = at(session);
    this.stampOf = format.stamps?.reader() ?? numberOf;
    this.requests = new Requests(format.clock, "kept");
  }

  line(text: string, number: number): void {
    const cells = cellsOf(text, number);
    if (cells.length !== this.header.length) {
      throw new ShapeError(place(number), `${this.header.length} cells, as its first line has`, cells.length);
    }
    const { columns, failsWithoutOutput } = this.format;
    const input = numberOf(cells[this.inputAt]);
    const output = numberOf(cells[this.outputAt]);
    if (failsWithoutOutput && output === 0) {
      this.requests.failed++;
      return;
    }
    requireLength(input, cells[this.inputAt], () => place(number, columns.input));
    requireLength(output, cells[this.outputAt], () => place(number, columns.output));
    this.requests.add(this.stamp(cells, number), input, output, number, columns.stamp ?? "");
    const session = this.sessionAt < 0 ? "" : cells[this.sessionAt].trim();
    if (session !== "") this.requests.inSession(session);
  }

  private stamp(cells: readonly string[], number: number): number {
    if (this.stampAt < 0) return 0;
    const text = cells[this.stampAt];
    const stamp = this.stampOf(text);
    const { stamps, columns } = this.format;
    if (!stamps) return requireTime(stamp, text, () => place(number, columns.stamp));
    if (Number.isNaN(stamp)) throw new ArgumentError(place(number, columns.stamp), stamps.expected, text);
    return stamp;
  }

  end() {
    return this.requests.toTrace();
  }
}
