import { ArgumentError, ShapeError, shown } from "../../common/errors.ts";
import type { Simulated } from "../simulator/simulated.ts";
import type { Trace } from "./trace.ts";
import { figuresOf, type Repeated } from "./vllm_figures.ts";

/** Why a request has no output. */
const REJECTED = "rejected: larger than the memory of every worker";

/** @throws {ArgumentError | ShapeError} There is no result, or it is not of this trace; at the call. */
export function vllmRun(trace: Trace, result: Simulated | undefined): Iterable<string> {
  if (typeof result !== "object" || result === null) {
    throw new ArgumentError("result", 'what simulate() answered, for format "vllm"', result);
  }
  checkResult(trace, result);
  return run(trace, result);
}

function checkResult({ requests }: Trace, result: Simulated): void {
  for (const name of ["arrival", "firstToken", "finish"] as const) {
    if (result[name]?.length !== requests) {
      throw new ShapeError(`result.${name}`, `trace.requests = ${requests} values`, result[name]?.length);
    }
  }
  for (let i = 0; i < requests; i++) {
    if (!completed(result, i)) continue;
    for (const [name, least] of [
      ["firstToken", result.arrival[i]],
      ["finish", result.firstToken[i]],
    ] as const) {
      const at = result[name][i];
      if (Number.isFinite(at) && at >= least) continue;
      throw new ArgumentError(
        `result.${name}[${i}]`,
        `finite and >= ${shown(least)}, or -1 for a rejected request`,
        at,
      );
    }
  }
}

const completed = ({ finish }: Simulated, i: number): boolean => finish[i] !== -1;

function* run(trace: Trace, result: Simulated): Generator<string> {
  const { requests, input, output } = trace;
  const { arrival, firstToken, finish } = result;
  const done = (i: number) => completed(result, i);
  const ttft = (i: number) => (done(i) ? firstToken[i] - arrival[i] : 0);
  const latency = (i: number) => (done(i) ? finish[i] - arrival[i] : 0);
  const array = (name: string, value: (i: number) => string) => listed(name, requests, value);
  yield `{${membersOf(setting(result.arrival))}, ${membersOf(summary(trace, result))}`;
  yield* array("input_lens", (i) => String(input[i]));
  yield* array("output_lens", (i) => String(done(i) ? output[i] : 0));
  yield* array("ttfts", (i) => String(ttft(i)));
  yield ', "itls": [';
  for (let i = 0; i < requests; i++) {
    if (i > 0) yield ", ";
    yield* gaps(done(i) ? output[i] - 1 : 0, gapOf(trace, result, i));
  }
  yield "]";
  yield* array("latencies", (i) => String(latency(i)));
  yield* array("start_times", (i) => String(arrival[i]));
  yield* array("generated_texts", () => '""');
  yield* array("errors", (i) => JSON.stringify(done(i) ? "" : REJECTED));
  yield "}\n";
}

/** s between two tokens. */
function gapOf({ output }: Trace, { firstToken, finish }: Simulated, i: number): number {
  return (finish[i] - firstToken[i]) / (output[i] - 1);
}

/** An array as a further member of an object, value by value. */
function* listed(name: string, length: number, value: (i: number) => string): Generator<string> {
  yield `, "${name}": [`;
  for (let i = 0; i < length; i++) yield i === 0 ? value(i) : `, ${value(i)}`;
  yield "]";
}

/** Gaps that are written at a time: a long answer has more than a string should hold. */
const GAPS = 1024;

function* gaps(count: number, gap: number): Generator<string> {
  yield "[";
  for (let left = count - 1; left > 0; left -= GAPS) yield `${gap}, `.repeat(Math.min(left, GAPS));
  yield count > 0 ? `${gap}]` : "]";
}

const membersOf = (object: object): string =>
  Object.entries(object)
    .map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`)
    .join(", ");

/** What a run was asked for. The rate is that of the arrivals: "inf", as vLLM says, where all arrive at once. */
function setting(arrival: Float64Array) {
  const requests = arrival.length;
  const span = requests > 0 ? arrival[requests - 1] - arrival[0] : 0;
  return {
    endpoint_type: "evenkeel", // vLLM's older name of the next
    backend: "evenkeel",
    label: null,
    model_id: "simulated",
    tokenizer_id: null,
    num_prompts: requests,
    request_rate: span > 0 ? (requests - 1) / span : "inf",
    max_concurrency: null,
  };
}

/** As vLLM computes it: of the requests that completed, from 0 to the last finish. */
function summary(trace: Trace, result: Simulated) {
  const done = Array.from(trace.input.keys()).filter((i) => completed(result, i));
  const { arrival, firstToken, finish } = result;
  const duration = done.reduce((latest, i) => Math.max(latest, finish[i]), 0);
  const inputs = done.reduce((sum, i) => sum + trace.input[i], 0);
  const outputs = done.reduce((sum, i) => sum + trace.output[i], 0);
  const perSecond = (count: number) => (duration > 0 ? count / duration : 0);
  const once = (value: (i: number) => number): Repeated => ({ values: Float64Array.from(done, value) });
  const gapped = done.filter((i) => trace.output[i] > 1);
  const gaps = Float64Array.from(gapped, (i) => gapOf(trace, result, i));
  return {
    duration,
    completed: done.length,
    failed: trace.requests - done.length,
    total_input_tokens: inputs,
    total_output_tokens: outputs,
    request_throughput: perSecond(done.length),
    request_goodput: null,
    output_throughput: perSecond(outputs),
    total_token_throughput: perSecond(inputs + outputs),
    ...figuresOf(
      "ttft",
      once((i) => firstToken[i] - arrival[i]),
    ),
    ...figuresOf("tpot", { values: gaps }),
    ...figuresOf("itl", { values: gaps, times: Float64Array.from(gapped, (i) => trace.output[i] - 1) }),
    ...figuresOf(
      "e2el",
      once((i) => finish[i] - trace.arrival[i]),
    ),
  };
}
