/** Small hindsight problems of whole rounds, and their optima where requests go on where they were, by trying everything. */
import type { Random } from "../../../src/common/random.ts";
import type { BoundOptions, Trace } from "../../../src/serving.ts";

export interface SmallProblem {
  trace: Trace;
  options: BoundOptions & { workers: number };
}

/** Traces of whole rounds. */
export function roundsTrace(rows: readonly (readonly [arrival: number, input: number, output: number])[]): Trace {
  const sorted = [...rows].sort((x, y) => x[0] - y[0]);
  return {
    requests: rows.length,
    arrival: Float64Array.from(sorted, ([a]) => a),
    input: Int32Array.from(sorted, ([, s]) => s),
    output: Int32Array.from(sorted, ([, , o]) => o),
  };
}

export function drawnProblem(random: Random, most = 5): SmallProblem {
  const whole = (least: number, end: number) => least + Math.floor(random.next() * (end - least + 1));
  const requests = whole(1, most);
  const spread = random.next() < 0.4 ? 0 : whole(1, 4);
  const rows = Array.from({ length: requests }, () => [whole(0, spread), whole(1, 4), whole(1, 4)] as const);
  const largest = Math.max(...rows.map(([, s, o]) => s + o));
  const options = {
    kvTokens: largest + whole(0, 6),
    workers: random.next() < 0.35 ? 2 : 1,
    ...(random.next() < 0.4 ? { slots: whole(1, 2) } : {}),
  };
  return { trace: roundsTrace(rows), options };
}

/** Whether what runs in a round on a worker fits. */
const fits = ({ kvTokens, slots = Number.POSITIVE_INFINITY }: BoundOptions, held: readonly number[]) =>
  held.length <= slots && held.reduce((sum, tokens) => sum + tokens, 0) <= kvTokens;

/** The least total latency where each round may run any of those that are there, each going on where it was, on any worker. */
export function optimumWithResume({ trace, options }: SmallProblem): number {
  const { requests: n, arrival, input, output } = trace;
  const done = new Int32Array(n);
  const known = new Map<number, number>();
  /** Whether requests of a set, one bit each, may run on so many workers at once. */
  const placeable = (set: number, workers: number): boolean => {
    if (set === 0) return true;
    if (workers === 0) return false;
    for (let one = set; one > 0; one = (one - 1) & set) {
      const held: number[] = [];
      for (let i = 0; i < n; i++) if (one & (1 << i)) held.push(input[i] + done[i] + 1);
      if (fits(options, held) && placeable(set & ~one, workers - 1)) return true;
    }
    return false;
  };
  const from = (t: number): number => {
    let there = 0;
    let left = 0;
    let key = t;
    for (let i = 0; i < n; i++) {
      if (done[i] < output[i]) left++;
      if (done[i] < output[i] && arrival[i] <= t) there |= 1 << i;
      key = key * 8 + done[i];
    }
    if (left === 0) return 0;
    if (there === 0) return from(t + 1);
    const found = known.get(key);
    if (found !== undefined) return found;
    let best = Number.POSITIVE_INFINITY;
    for (let set = there; set > 0; set = (set - 1) & there) {
      if (!placeable(set, options.workers)) continue;
      for (let i = 0; i < n; i++) done[i] += (set >> i) & 1;
      best = Math.min(best, from(t + 1));
      for (let i = 0; i < n; i++) done[i] -= (set >> i) & 1;
    }
    for (let set = there; set > 0; set &= set - 1) best++;
    known.set(key, best);
    return best;
  };
  return arrival.reduce((sum, a) => sum + Math.ceil(a) - a, from(0));
}
