import { ArgumentError } from "../../common/errors.ts";
import type { RequestView } from "../policy.ts";

/**
 * What is kept of each request that waits or runs: rows of a table, used again. Memory is bounded by the most that were there at a time.
 */
export class Requests {
  id = new Int32Array(64);
  prompt = new Float64Array(64);
  /** Tokens that it will generate in all, Infinity without a prediction. */
  output = new Float64Array(64);
  /** Its number in order of arrival. */
  arrival = new Float64Array(64);
  /** -1 while it waits. */
  worker = new Int32Array(64);
  /** Its prompt less the worker's steps at its start: with the steps done since added, what it holds. */
  base = new Float64Array(64);
  /** The worker's steps at its end. */
  end = new Float64Array(64);
  /** Neighbours in the list that it is in, -1 at its ends. */
  next = new Int32Array(64);
  previous = new Int32Array(64);
  private readonly rowOf = new Map<number, number>();
  private readonly free: number[] = [];
  private arrivals = 0;

  /** @throws {ArgumentError} A request of this id is there already. */
  add(r: RequestView): number {
    if (this.rowOf.has(r.id)) throw new ArgumentError("r.id", "an id that no other request has", r.id);
    const row = this.free.pop() ?? this.rowOf.size;
    if (row >= this.id.length) this.grow();
    this.rowOf.set(r.id, row);
    this.id[row] = r.id;
    this.prompt[row] = r.input;
    this.output[row] = predictedOutput(r.predicted);
    this.arrival[row] = this.arrivals++;
    this.worker[row] = -1;
    return row;
  }

  /** -1 where there is none of this id. */
  find(id: number): number {
    return this.rowOf.get(id) ?? -1;
  }

  remove(row: number): void {
    if (this.rowOf.delete(this.id[row])) this.free.push(row);
  }

  private grow(): void {
    const length = 2 * this.id.length;
    this.id = extended(this.id, new Int32Array(length));
    this.prompt = extended(this.prompt, new Float64Array(length));
    this.output = extended(this.output, new Float64Array(length));
    this.arrival = extended(this.arrival, new Float64Array(length));
    this.worker = extended(this.worker, new Int32Array(length));
    this.base = extended(this.base, new Float64Array(length));
    this.end = extended(this.end, new Float64Array(length));
    this.next = extended(this.next, new Int32Array(length));
    this.previous = extended(this.previous, new Int32Array(length));
  }
}

function extended<A extends Int32Array | Float64Array>(from: A, to: A): A {
  to.set(from);
  return to;
}

/** Whole tokens: of an interval its middle, which errs by half its width at most; Infinity without a prediction. */
export function predictedOutput(predicted: RequestView["predicted"]): number {
  if (predicted === undefined) return Number.POSITIVE_INFINITY;
  const tokens = Math.ceil(typeof predicted === "number" ? predicted : (predicted[0] + predicted[1]) / 2);
  return Number.isNaN(tokens) ? Number.POSITIVE_INFINITY : tokens;
}
