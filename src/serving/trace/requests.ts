import { ArgumentError, shown } from "../../common/errors.ts";
import { floats, ints } from "./column.ts";
import { place } from "./fields.ts";
import { Numbered } from "./numbered.ts";
import type { Trace } from "./trace.ts";

export interface Clock {
  /** Units of the stamps in a second. */
  perSecond: number;
  /** The stamp that is the trace's beginning: 0, or that of the first request where stamps are of a day or of a machine's clock. */
  origin: "zero" | "first";
}

/** Tokens of a Mooncake block. */
export const BLOCK_TOKENS = 512;

/** Requests as a file brings them, gathered into a trace. */
export class Requests {
  /** Whether they may come in any order, and are sorted, stably, at the end. */
  sorted: boolean;
  /** Requests that failed, and are no part of the trace. */
  failed = 0;
  private readonly stamp = floats();
  private readonly input = ints();
  private readonly output = ints();
  private readonly session = ints();
  private readonly sessions = new Numbered();
  private readonly blockStart = ints();
  private readonly blockId = ints();
  private readonly blocks = new Numbered();
  private haveBlocks = false;

  constructor(
    private readonly clock: Clock,
    order: "kept" | "sorted",
  ) {
    this.sorted = order === "sorted";
    this.blockStart.push(0);
  }

  /** @param field  that of the stamp, for the message where it goes backwards. */
  add(stamp: number, input: number, output: number, line: number, field: string): void {
    if (!this.sorted && stamp < this.stamp.last) {
      const expected = `no earlier than the request before it, ${shown(this.stamp.last)}`;
      throw new ArgumentError(place(line, field), expected, stamp, "Sort the requests by their arrival.");
    }
    this.stamp.push(stamp);
    this.input.push(input);
    this.output.push(output);
    this.session.push(-1);
    this.blockStart.push(this.blockId.length);
  }

  /** Of the request that was added last. */
  inSession(name: string | number): void {
    this.session.setLast(this.sessions.of(name));
  }

  /** Of the request that was added last: its blocks, from the prompt's beginning on. */
  withBlocks(names: readonly number[]): void {
    this.haveBlocks = true;
    for (const name of names) this.blockId.push(this.blocks.of(name));
    this.blockStart.setLast(this.blockId.length);
  }

  /** @throws {ArgumentError} There is none. */
  toTrace(): Trace {
    const requests = this.stamp.length;
    if (requests === 0) {
      throw new ArgumentError("trace", `at least one request${this.failed > 0 ? " that did not fail" : ""}`, requests);
    }
    const gathered = {
      stamp: this.stamp.toArray(),
      input: this.input.toArray(),
      output: this.output.toArray(),
      session: this.session.toArray(),
      start: this.blockStart.toArray(),
      id: this.blockId.toArray(),
    };
    const { stamp, input, output, session, start, id } = this.sorted ? inOrder(gathered) : gathered;
    const { perSecond, origin } = this.clock;
    const beginning = origin === "first" ? stamp[0] : 0;
    return {
      requests,
      arrival: stamp.map((at) => (at - beginning) / perSecond),
      input,
      output,
      ...(this.sessions.size > 0 && { session }),
      ...(this.haveBlocks && { blocks: { start, id, tokens: BLOCK_TOKENS } }),
    };
  }
}

interface Gathered {
  stamp: Float64Array;
  input: Int32Array;
  output: Int32Array;
  session: Int32Array;
  start: Int32Array;
  id: Int32Array;
}

/** By their stamps; those with equal ones stay as they were. Sessions and blocks are numbered anew. */
function inOrder({ stamp, input, output, session, start, id }: Gathered): Gathered {
  const order = Uint32Array.from(stamp, (_, i) => i).sort((a, b) => stamp[a] - stamp[b] || a - b);
  const inThatOrder = (values: Int32Array) => Int32Array.from(order, (i) => values[i]);
  const begins = new Int32Array(start.length);
  const ids = new Int32Array(id.length);
  for (const [i, from] of order.entries()) {
    const own = id.subarray(start[from], start[from + 1]);
    ids.set(own, begins[i]);
    begins[i + 1] = begins[i] + own.length;
  }
  return {
    stamp: Float64Array.from(order, (i) => stamp[i]),
    input: inThatOrder(input),
    output: inThatOrder(output),
    session: renumbered(inThatOrder(session)),
    start: begins,
    id: renumbered(ids),
  };
}

/** From 0 by first appearance; -1 stays. */
function renumbered(ids: Int32Array): Int32Array {
  const numbers = new Numbered();
  return ids.map((id) => (id < 0 ? id : numbers.of(id)));
}
