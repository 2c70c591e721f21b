import { ArgumentError } from "../../../common/errors.ts";
import { floats, ints } from "../../trace/column.ts";
import { place } from "../../trace/fields.ts";
import type { Format, FormatReader } from "../../trace/format.ts";
import { Numbered } from "../../trace/numbered.ts";
import type { CacheTrace } from "../cache_trace.ts";
import { columnsOf, measured, requireColumns } from "./columns.ts";

const ADDRESS = /^0x0*([0-9a-f]+)$/i;
const WIDTH = 5;

/**
 * A processor's loads and stores with what a hit and a miss take, as Caffeine's simulator has them: a key is an address, of size 1. They have
 * no times: the instructions since the access before it are looked at for their form alone.
 */
export const penalties: Format<CacheTrace> = {
  looks: "s or l, hexadecimal address, instructions, hit penalty, miss penalty between blanks or tabs",
  likeness: (first) => {
    const [access, address, ...rest] = columnsOf(first);
    return /^[sl]$/.test(access) && address?.startsWith("0x") && rest.length === WIDTH - 2 ? 1 : 0;
  },
  open: (first, number) => {
    const reader = new PenaltiesReader();
    reader.line(first, number);
    return reader;
  },
};

class PenaltiesReader implements FormatReader<CacheTrace> {
  private readonly key = ints();
  private readonly hitCost = floats();
  private readonly cost = floats();
  private readonly addresses = new Numbered();

  line(text: string, number: number): void {
    const columns = columnsOf(text);
    requireColumns(columns, WIDTH, number);
    const [access, address, instructions, hit, miss] = columns;
    if (access !== "s" && access !== "l") throw new ArgumentError(place(number, "access"), '"s" or "l"', access);
    const [, digits] = ADDRESS.exec(address) ?? [];
    if (digits === undefined) throw new ArgumentError(place(number, "address"), "one such as 0x1fffff50", address);
    measured(instructions, number, "instructions");
    this.key.push(this.addresses.of(digits.toLowerCase()));
    this.hitCost.push(measured(hit, number, "hit penalty"));
    this.cost.push(measured(miss, number, "miss penalty"));
  }

  end(): CacheTrace {
    const key = this.key.toArray();
    const size = new Float64Array(key.length).fill(1);
    return { key, size, cost: this.cost.toArray(), hitCost: this.hitCost.toArray() };
  }
}
