/** What a question compares: methods that solve a workload, on the GPU or on the CPU. */
import type { TokenMode } from "../src/lp/problem.ts";
import { maxLoad, tokensOf, type Workload } from "./workloads.ts";

/** Tokens per replica of LP `lp`, [R] of its layer. */
export type Answer = (lp: number) => ArrayLike<number>;

export interface Method {
  /** As it stands in the rows. */
  name: string;
  /** What its answers are held against: the optimum in whole tokens, or in fractions. */
  tokens: TokenMode;
  /** Claims to be optimal: a gap is an error. */
  exact: boolean;
  /** The most LPs of a batch that it is given: one LP at a time is no faster for more. */
  most?: number;
  prepare(workload: Workload): Promise<Prepared>;
}

export interface Prepared {
  /** Solves the whole batch: what is timed. */
  run(): Promise<void> | void;
  /** The answers of the last run. */
  answer(): Answer;
  /** GPU time of the last run, where the device has timestamps. */
  gpuUs?(): number;
  /** Whether it works on the GPU without telling GPU time. */
  onGpu?: boolean;
  /** What it is timed by, in ms, if not by the wall clock. */
  clock?(): number;
  destroy(): void;
}

/** The same method timed by what all cores spend on it, in ms so far: a software adapter is a program on all of them. */
export function perCore(method: Method, coresMs: () => number): Method {
  return {
    ...method,
    name: `${method.name}, core time`,
    prepare: async (workload) => ({ ...(await method.prepare(workload)), clock: coresMs }),
  };
}

export interface Quality {
  /** max load / optimum - 1. */
  gapMean: number;
  gapMax: number;
  /** Share of LPs that are optimal: to the token, or within f32 rounding in fractions. */
  optimalShare: number;
}

/** An f32 answer within this of the optimum is as good as f32 can tell: a few ulp. */
const F32_OPTIMAL = 2 ** -20;
/** Shares of f32 add up to 1 within this. */
const F32_CONSERVED = 2 ** -18;

/** @throws {Error} The answer is none: tokens are lost, negative or, in whole tokens, fractions. */
export function judge(work: Workload, tokens: TokenMode, answer: Answer): Quality {
  const optimum = work.optimum[tokens];
  let sum = 0;
  let gapMax = 0;
  let optimal = 0;
  for (let lp = 0; lp < work.batch; lp++) {
    const x = answer(lp);
    requireServed(work, lp, tokens, x);
    const gap = Math.max(0, maxLoad(work, lp, x) / optimum[lp] - 1);
    sum += gap;
    gapMax = Math.max(gapMax, gap);
    if (gap <= (tokens === "integer" ? 0 : F32_OPTIMAL)) optimal++;
  }
  return { gapMean: sum / work.batch, gapMax, optimalShare: optimal / work.batch };
}

function requireServed(work: Workload, lp: number, tokens: TokenMode, x: ArrayLike<number>): void {
  const { experts, replicaStart } = work.layers[lp % work.layers.length].topology;
  for (let e = 0; e < experts; e++) {
    const asked = tokensOf(work, lp, e);
    let served = 0;
    for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) {
      served += x[r];
      const allowed = tokens === "integer" ? Number.isInteger(x[r]) : Number.isFinite(x[r]);
      if (!(x[r] >= -F32_CONSERVED * asked && allowed)) throw new Error(`LP ${lp}, replica ${r}: ${x[r]} tokens.`);
    }
    const slack = tokens === "integer" ? 0 : F32_CONSERVED * asked;
    if (!(Math.abs(served - asked) <= slack)) {
      throw new Error(`LP ${lp}, expert ${e}: ${served} of ${asked} tokens are served.`);
    }
  }
}
