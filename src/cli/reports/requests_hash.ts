import { createHash } from "node:crypto";
import type { Trace } from "../../serving/trace/trace.ts";

/** SHA-256 of what a sweep reads of a trace: arrivals (f64), prompts, outputs and, where there are any, classes (i32), one after the other. */
export function requestsHash({ arrival, input, output, class: rank }: Trace): string {
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of [arrival, input, output, ...(rank ? [rank] : [])])
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest("hex");
}
