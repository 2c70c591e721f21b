import { ArgumentError, shown } from "../../../common/errors.ts";
import { floats, ints } from "../../trace/column.ts";
import { numberOf, place } from "../../trace/fields.ts";
import type { Format, FormatReader } from "../../trace/format.ts";
import { Numbered } from "../../trace/numbered.ts";
import type { CacheTrace } from "../cache_trace.ts";
import { columnsOf, measured, requireColumns } from "./columns.ts";

/** Columns without and with costs. */
const WIDTHS = [3, 4];

/** The common form, of AdaptSize's and webcachesim's traces: `time key size`, and the cost of a miss where there is a fourth column. */
export const sized: Format<CacheTrace> = {
  looks: "time key size [cost] between blanks or tabs",
  likeness: (first) => {
    const columns = columnsOf(first);
    return WIDTHS.includes(columns.length) && !Number.isNaN(numberOf(columns[0])) ? 1 : 0;
  },
  open: (first, number) => {
    const reader = new SizedReader(first, number);
    reader.line(first, number);
    return reader;
  },
};

class SizedReader implements FormatReader<CacheTrace> {
  private readonly width: number;
  private readonly time = floats();
  private readonly key = ints();
  private readonly size = floats();
  private readonly cost = floats();
  private readonly objects = new Numbered();

  constructor(first: string, number: number) {
    this.width = columnsOf(first).length;
    if (!WIDTHS.includes(this.width)) throw new ArgumentError(place(number), sized.looks, first);
  }

  line(text: string, number: number): void {
    const columns = columnsOf(text);
    requireColumns(columns, this.width, number);
    const time = measured(columns[0], number, "time");
    if (time < this.time.last) {
      const expected = `no earlier than the request before it, ${shown(this.time.last)}`;
      throw new ArgumentError(place(number, "time"), expected, time, "Sort the requests by their time.");
    }
    const size = measured(columns[2], number, "size", true);
    this.time.push(time);
    this.key.push(this.objects.of(`${columns[1]} ${size}`)); // with another size it is another object
    this.size.push(size);
    this.cost.push(this.width === 3 ? 1 : measured(columns[3], number, "cost"));
  }

  end(): CacheTrace {
    const { time, key, size, cost } = this;
    return { key: key.toArray(), size: size.toArray(), cost: cost.toArray(), time: time.toArray() };
  }
}
