import { ArgumentError } from "../../../common/errors.ts";
import { requireObject } from "../../../common/objects.ts";
import { checkStepTime } from "../../simulator/options.ts";
import { chunkSeconds, type StepTime } from "../../step_time.ts";
import { checkTrace, type Trace } from "../../trace/trace.ts";
import type { CacheTrace } from "../cache_trace.ts";

export interface PrefixCacheTraceOptions {
  /** Of the worker that prefills what is missing. */
  stepTime?: StepTime;
}

/**
 * The requests that a trace's prompts are to a prefix cache: each block of a prompt, from its beginning on, with the block before it as its
 * parent, at the request's arrival.
 *
 *   size  tokens of a block, so that capacities are KV tokens; paged memory gives a whole block to one that is filled in part, too
 *   cost  of a miss, tokens to prefill: those of a block, alike for all, so that Belady's rule is the optimum; a prompt's last may have fewer.
 *         With stepTime the seconds by which its own tokens, after those before it, make a step longer: c_pre p + c_ctx p (before + p / 2)
 *
 * @param trace  Read, not kept.
 * @returns keys are the trace's ids of blocks.
 * @throws {ArgumentError} The trace has no blocks, or is none; the step time is none.
 */
export function prefixCacheTrace(trace: Trace, o: PrefixCacheTraceOptions = {}): CacheTrace {
  checkTrace(trace);
  requireObject("o", o, { stepTime: true });
  const { stepTime } = o;
  if (stepTime !== undefined) checkStepTime("o.stepTime", stepTime);
  if (!trace.blocks) throw new ArgumentError("trace.blocks", "the prefix blocks of its prompts", undefined);
  const { start, id, tokens } = trace.blocks;
  const first = start[0];
  const n = start[trace.requests] - first;
  const time = new Float64Array(n);
  const parent = new Int32Array(n);
  const cost = new Float64Array(n).fill(tokens);
  for (let i = 0; i < trace.requests; i++) {
    for (let j = start[i]; j < start[i + 1]; j++) {
      const before = (j - start[i]) * tokens;
      time[j - first] = trace.arrival[i];
      parent[j - first] = j === start[i] ? -1 : id[j - 1];
      const own = Math.max(0, Math.min(tokens, trace.input[i] - before));
      if (stepTime) cost[j - first] = chunkSeconds(stepTime, before, own);
    }
  }
  return { key: id.slice(first, first + n), size: new Float64Array(n).fill(tokens), cost, time, parent };
}
