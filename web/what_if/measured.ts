import { figuresOf } from "../../src/serving/trace/vllm_figures.ts";

/** What a benchmark's result file says of the run itself: p99, in s, of the requests without an error, and output tokens per s of all workers. */
export interface Measured {
  ttft: number;
  /** NaN where no request has two tokens. */
  tpot: number;
  tokenThroughput: number;
}

/** Of the JSON of `vllm bench serve --save-detailed`, once it has been read as a trace; undefined where it has no times. */
export function measuredOf(run: unknown): Measured | undefined {
  const { ttfts, itls, output_lens, errors, duration } = (run ?? {}) as Record<string, unknown>;
  if (!isNumbers(ttfts) || !isNumbers(output_lens) || !Array.isArray(itls) || typeof duration !== "number")
    return undefined;
  const served = [...ttfts.keys()].filter((i) => !(Array.isArray(errors) && errors[i]));
  if (served.length === 0 || !(duration > 0)) return undefined;
  const several = served.filter((i) => output_lens[i] > 1 && isNumbers(itls[i]));
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  return {
    ttft: p99(served.map((i) => ttfts[i])),
    tpot: several.length > 0 ? p99(several.map((i) => sum(itls[i] as number[]) / (output_lens[i] - 1))) : Number.NaN,
    tokenThroughput: sum(served.map((i) => output_lens[i])) / duration,
  };
}

const isNumbers = (values: unknown): values is number[] =>
  Array.isArray(values) && values.length > 0 && values.every((value) => typeof value === "number");

/** As vLLM has it. */
const p99 = (seconds: readonly number[]): number =>
  figuresOf("x", { values: Float64Array.from(seconds) }).p99_x_ms / 1e3;
