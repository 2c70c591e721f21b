import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { checkTrace, type Trace } from "../trace/trace.ts";

/** What no schedule of a trace may exceed. Requests are served by `workers` workers alike, in rounds: each running request makes a token in each. */
export interface BoundOptions {
  /** M: KV tokens of a worker. */
  kvTokens: number;
  /** G. Default 1. */
  workers?: number;
  /** B: requests that a worker runs at once. Without, as many as its memory holds. */
  slots?: number;
  /**
   * What becomes of a request that loses its KV. "restart" (default): it begins again with its prompt. "resume": it goes on where it was, as after a
   * swap or a recomputation that keeps its tokens; prices must not rise then.
   */
  preemption?: "restart" | "resume";
}

/** Prices of a token of KV memory, and of a slot, in each round: rounds of latency that one more of it in that round would save. */
export interface BoundPrices {
  /** [T + 1] kv[t] = v_t, the price in round t, in which a request that starts at time t - 1 makes its first token; kv[0] is of no meaning. 0 beyond T. */
  kv: Float64Array;
  /** [T + 1] slot[t] = w_t, likewise; as long as `kv`. Where slots are limited alone. */
  slot?: Float64Array;
}

const fields: FieldsOf<BoundOptions> = { kvTokens: true, workers: true, slots: true, preemption: true };

/** With defaults. */
export interface BoundSettings {
  kvTokens: number;
  workers: number;
  /** Infinity without a limit. */
  slots: number;
  resume: boolean;
}

/** Rounds beyond it have no parts. */
const MOST_ARRIVAL = 2 ** 52;

/** @throws {ArgumentError} Anything that is missing, unknown or out of range, and a request that no worker can hold. */
export function boundSettings(trace: Trace, o: BoundOptions, more: Readonly<Record<string, true>> = {}): BoundSettings {
  checkTrace(trace);
  requireObject("options", o, { ...fields, ...more });
  const { kvTokens, workers = 1, slots, preemption = "restart" } = o;
  requireCount("kvTokens", kvTokens);
  requireCount("workers", workers);
  if (slots !== undefined) requireCount("slots", slots);
  if (preemption !== "restart" && preemption !== "resume")
    throw new ArgumentError("preemption", '"restart" or "resume"', preemption);
  const last = trace.requests > 0 ? trace.arrival[trace.requests - 1] : 0;
  if (last >= MOST_ARRIVAL) throw new ArgumentError(`trace.arrival[${trace.requests - 1}]`, "rounds below 2^52", last);
  for (let i = 0; i < trace.requests; i++) {
    const peak = trace.input[i] + trace.output[i];
    if (peak > kvTokens)
      throw new ArgumentError("kvTokens", `at least the ${peak} tokens that request ${i} holds at its end`, kvTokens);
  }
  return { kvTokens, workers, slots: slots ?? Number.POSITIVE_INFINITY, resume: preemption === "resume" };
}

function requireCount(argument: string, value: number): void {
  if (Number.isInteger(value) && value >= 1 && value < 2 ** 31) return;
  throw new ArgumentError(argument, "an integer from 1 to 2^31 - 1", value);
}
