import type { caching } from "../../serving/caching/caching.ts";
import type { Slo } from "../../serving/simulator/options.ts";
import type { Prediction } from "../../serving/simulator/prediction.ts";
import type { StepTime } from "../../serving/step_time.ts";

export type CachingName = keyof typeof caching;

/** What is simulated. Times are seconds, or rounds. */
export interface Setting {
  source: string;
  /** Those that are simulated, of so many in the trace. */
  requests: number;
  recorded: number;
  /** Whether they are drawn from the trace with replacement, of their lengths alone. */
  drawn: boolean;
  /** Whether the trace has these: policies that go by them do without, where it has none. */
  sessions: boolean;
  blocks: boolean;
  workers: number;
  slots: number;
  kvTokens: number;
  clock: "seconds" | "rounds";
  /** Of every worker; none with rounds. */
  stepTime?: StepTime;
  /** The file that it is from, or "default". */
  stepTimeFrom?: string;
  barrier: boolean;
  prefill: "whole" | { chunk: number } | { workers: number; bandwidth: number };
  staleness: number;
  /** Requests at the router, if that is a closed pool. */
  pool?: number;
  /** Requests per unit of time where arrivals are drawn; "inf": all at once. */
  rate?: number | "inf";
  prediction: Prediction;
  /** Of bfio; its own by default. */
  horizon?: number;
  /** Of all requests, or of each class. */
  slo?: Slo | Slo[];
  eviction: "restart" | "recompute";
  /** What prefix caches keep. */
  caching: CachingName;
  /** Tokens of the longest prompt of each class but the last, where there are classes. */
  classes?: number[];
  warmUp: number;
  tooLarge: "error" | "reject";
  seeds: number[];
}
