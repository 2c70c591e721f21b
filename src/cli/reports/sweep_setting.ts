import type { SweepGrid } from "../../serving/sweep/sweep_grid.ts";

/** What is swept. All of it but the two names of files must be the same in parts that are merged. */
export interface SweepSetting {
  /** Of this package. */
  version: string;
  source: string;
  /** Those that are simulated, of so many in the trace. */
  requests: number;
  recorded: number;
  /** SHA-256 of what these requests are: `requestsHash`. */
  sha256: string;
  /** Tokens of the longest prompt of each class but the last, where there are classes. */
  classes?: number[];
  /** The file that step times are from, or "default"; none with rounds. */
  stepTimeFrom?: string;
  /** As `sweep` of evenkeel/serving takes it. */
  grid: SweepGrid;
  /** Share of the requests that meet the SLO where it is met; none without an SLO. */
  attainment?: number;
  /** Whether the rates are searched at which the SLO breaks. */
  breakingRates: boolean;
}

/** Which part of a sweep: the scenarios, and the configurations, whose number modulo `count` is `index`. */
export interface Shard {
  index: number;
  count: number;
}

export const shardName = ({ index, count }: Shard): string => `${index}/${count}`;
