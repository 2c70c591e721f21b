/** What a benchmark reports. */

/** One figure of the report. Times are wall times of whole calls: encode, submit, and the answer read back; of `balancer-stages`, GPU times. */
export interface Row {
  question: string;
  solver: string;
  topology: string;
  gpus: number;
  /** E; edges in the edge form. */
  experts: number;
  /** P, slots; two per edge in the edge form. */
  replicas: number;
  batch: number;
  medianUs: number;
  p05Us: number;
  p95Us: number;
  usPerLp: number;
  /** max load / optimum - 1 over the batch; null where nothing is solved. */
  gapMean: number | null;
  gapMax: number | null;
  optimalShare: number | null;
  /** Median GPU time of a call, where the device has timestamps. */
  timestampUs?: number;
  /** Of `placement-scale`, whose batch is layers. */
  placed?: Placed;
  /** Of `depth`. */
  counted?: CountedWork;
}

/** What placements are worth on steps held out, and what was done for them. */
export interface Placed {
  /** What the loads are like. */
  loads: string;
  /** Mean over steps and layers of max load / mean load. */
  imbalance: number;
  p95: number;
  /** The rest is of a search. Moves tried. */
  moves?: number;
  stoppedBy?: "search" | "budget";
  threads?: number;
  /** Why it was not tried on more threads. */
  why?: string;
}

/** What the solve of an LP is made of: means over the batch, and the most of any LP. */
export interface CountedWork {
  operations: number;
  mostOperations: number;
  divisions: number;
  /** Of the longest chain of operations that wait for each other. */
  depth: number;
  mostDepth: number;
  /** Operations over depth. */
  parallelism: number;
  /** Of the WGSL. */
  statements: number;
  /** Of the exported CUDA kernel, by architecture, where there is a compiler. */
  cuda?: Record<string, CudaUse>;
}

/** Of a thread. */
export interface CudaUse {
  registers: number;
  stackBytes: number;
  spillStoreBytes: number;
  spillLoadBytes: number;
}

/** "4.2 x", how many times as long `slow` takes per LP as `fast`. */
export function factor(slow: Row, fast: Row): string {
  return `${(slow.usPerLp / fast.usPerLp).toPrecision(3)} x`;
}
