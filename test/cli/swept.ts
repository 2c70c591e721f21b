import { expect } from "vitest";
import type { SweepReport } from "../../src/cli/reports/sweep_report.ts";
import type { Trace } from "../../src/serving/trace/trace.ts";
import { evenkeel, withoutSoftware } from "./evenkeel.ts";

/** Prompts and outputs in turn, three requests a second. */
export const pairs = [
  [40, 20],
  [300, 60],
  [900, 10],
  [20, 120],
  [150, 35],
];
const REQUESTS = 60;

export const sweptTrace: Trace = {
  requests: REQUESTS,
  arrival: Float64Array.from({ length: REQUESTS }, (_, i) => i / 3),
  input: Int32Array.from({ length: REQUESTS }, (_, i) => pairs[i % pairs.length][0]),
  output: Int32Array.from({ length: REQUESTS }, (_, i) => pairs[i % pairs.length][1]),
};

/** The same as Vidur has it. */
export const sweptCsv = [
  "arrived_at,num_prefill_tokens,num_decode_tokens",
  ...Array.from(sweptTrace.arrival, (time, i) => `${time},${sweptTrace.input[i]},${sweptTrace.output[i]}`),
].join("\n");

export const sized = (trace: string, ...more: string[]) => [
  "sweep",
  ...[trace, "--workers", "1-3", "--slots", "8", "--kv-tokens", "1500", "--backend", "cpu"],
  ...more,
];

/** What a command prints that ends well. */
export async function printed(args: string[], input?: string | Buffer): Promise<string> {
  const { code, stdout, stderr } = await evenkeel(args, withoutSoftware, input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

/** What `evenkeel sweep` finds, from its JSON. */
export async function report(args: string[], input?: string | Buffer): Promise<SweepReport> {
  return JSON.parse(await printed([...args, "--json"], input));
}
