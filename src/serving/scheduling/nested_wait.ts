import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { requireObject } from "../../common/objects.ts";
import {
  type NestedFluidOptions,
  nestedFluidFields,
  nestedWaitThresholds,
  requireEnds,
  withinBudget,
} from "../fluid.ts";
import type { SchedulingPolicy, WorkerView } from "../policy.ts";
import { StageCounts } from "./stage_counts.ts";
import { Staged } from "./staged.ts";
import { requireThresholds } from "./thresholds.ts";

/**
 * Segments of output length: tokens at which each ends, ascending, and its n; or what comes to one worker and how long its steps take, from which
 * `nestedWaitThresholds` has n, and each class's output is an end.
 */
export type NestedWaitOptions = { ends: number[]; thresholds: number[] } | NestedFluidOptions;

/**
 * Nested WAIT: as WAIT, for requests whose outputs nobody knows. Segment k are the requests with l'_(k-1) tokens or more and fewer than l'_k,
 * l'_0 = 0; its boundary queue are those with exactly l'_(k-1), which have outlived the segment before, or have not begun. Before each step
 *
 *   k* = max { k: for all k' <= k at least n_k' are in the boundary queue of segment k' }
 *
 * In segments 1 to k*, of each stage min(n_k, those there) requests step, newcomers among them; everybody else rests. Requests that outlive the last
 * segment stay in it.
 *
 * Between segments more may wait than M_pi of `nestedWaitThresholds` counts: leave memory for them, or those that began last are evicted, and all others
 * go on until one has finished.
 *
 * Options are either ends, [segments] l', integers >= 1 that ascend, with thresholds, [segments] n, integers >= 1; or classes by ascending output, of each
 * the requests per s that come to *one* worker and its tokens of output, with input, the tokens of all prompts, and base and perKvToken of the step time.
 *
 * @throws {ArgumentError} An option is missing, unknown or out of its range; `create`: M_pi is more than the worker's memory.
 * @throws {ShapeError} There are not as many thresholds as ends.
 * @see R. Ao, G. Luo, D. Simchi-Levi, X. Wang, arXiv 2504.11320, algorithm Nested WAIT.
 */
export function nestedWait(options: NestedWaitOptions): SchedulingPolicy {
  requireObject("options", options, { ...nestedFluidFields, ends: true, thresholds: true });
  const create = (ends: readonly number[], thresholds: readonly number[]) => new NestedWait(ends, thresholds);
  if ("ends" in options && options.ends !== undefined) {
    checkSegments(options);
    const [ends, thresholds] = [[...options.ends], [...options.thresholds]];
    return { name: "Nested WAIT", create: () => create(ends, thresholds) };
  }
  if ("thresholds" in options && options.thresholds !== undefined)
    throw new ArgumentError("options.ends", "where segments end, as there are thresholds", undefined);
  const fluid = options as NestedFluidOptions;
  const found = nestedWaitThresholds(fluid);
  const ends = fluid.classes.map(({ output }) => output);
  return {
    name: "Nested WAIT",
    create: ({ kvTokens }) => create(ends, withinBudget(found, kvTokens).thresholds),
  };
}

function checkSegments(options: { ends: number[]; thresholds: number[] }): void {
  const { ends, thresholds } = options;
  if (!Array.isArray(ends)) throw new ArgumentError("options.ends", "an array", ends);
  requireThresholds(options, nestedFluidFields);
  if (thresholds.length !== ends.length)
    throw new ShapeError("options.thresholds", `one per segment = ${ends.length} values`, thresholds.length);
  requireEnds((k) => `options.ends[${k}]`, ends);
}

class NestedWait extends Staged {
  private readonly boundaries: Int32Array;
  private readonly counts = new StageCounts();

  constructor(
    private readonly ends: readonly number[],
    private readonly thresholds: readonly number[],
  ) {
    super(thresholds.slice(0, 1));
    this.boundaries = new Int32Array(ends.length);
  }

  protected queueOf(): number {
    return 0;
  }

  rest(w: WorkerView, now: number, out: Int32Array): number {
    const { thresholds, counts } = this;
    const open = this.openSegments(w, now);
    let count = 0;
    for (const r of w.running) {
      if (!this.hasStepped(r)) continue;
      const k = this.segmentOf(r.generated);
      if (k >= open || counts.add(r.generated) > thresholds[k]) out[count++] = r.id;
    }
    counts.clear();
    return count;
  }

  /** k*. */
  private openSegments({ running }: WorkerView, now: number): number {
    const { boundaries, thresholds, ends } = this;
    if (this.free) return ends.length;
    if (!this.goes(0, now)) return 0;
    boundaries.fill(0);
    for (const r of running) {
      const k = this.segmentOf(r.generated);
      if (k > 0 && r.generated === ends[k - 1] && this.hasStepped(r)) boundaries[k]++;
    }
    let open = 1;
    while (open < ends.length && boundaries[open] >= thresholds[open]) open++;
    return open;
  }

  private segmentOf(generated: number): number {
    const { ends } = this;
    let k = 0;
    while (k < ends.length - 1 && generated >= ends[k]) k++;
    return k;
  }
}
