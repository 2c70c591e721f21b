/** WAIT and Nested WAIT as the paper writes them down, a step at a time, on a worker whose memory never ends: what the policies are compared with. */
import type { Trace } from "../../../src/serving/trace/trace.ts";

interface Running {
  id: number;
  stage: number;
}

/** Who steps and how many may begin, of what waits and runs; nobody: undefined. */
export interface Choice {
  stepping: Running[];
  begin: number[];
}

export type Rule = (trace: Trace, waiting: readonly number[], running: readonly Running[], drained: boolean) => Choice;

const atMost = (n: number, some: readonly Running[]): Running[] => {
  const stages = [...new Set(some.map(({ stage }) => stage))];
  return stages.flatMap((stage) => some.filter((one) => one.stage === stage).slice(0, n));
};

export const plainWait =
  (thresholds: readonly number[]): Rule =>
  (trace, waiting, running, drained) => {
    const choice: Choice = { stepping: [], begin: [] };
    for (const [j, n] of thresholds.entries()) {
      const waitingOfClass = waiting.filter((id) => trace.class![id] === j);
      if (waitingOfClass.length < n && !drained) continue;
      choice.begin.push(...waitingOfClass.slice(0, n));
      choice.stepping.push(
        ...atMost(
          n,
          running.filter(({ id }) => trace.class![id] === j),
        ),
      );
    }
    return choice;
  };

export const plainNestedWait =
  (ends: readonly number[], thresholds: readonly number[]): Rule =>
  (_, waiting, running, drained) => {
    const choice: Choice = { stepping: [], begin: [] };
    for (const [k, n] of thresholds.entries()) {
      const begins = k === 0 ? 0 : ends[k - 1];
      const last = k === ends.length - 1;
      const segment = running.filter(({ stage }) => stage >= begins && (last || stage < ends[k]));
      const boundary = k === 0 ? waiting.length : segment.filter(({ stage }) => stage === begins).length;
      if (boundary < n && !drained) break;
      if (k === 0) choice.begin.push(...waiting.slice(0, n));
      choice.stepping.push(...atMost(n, segment));
    }
    return choice;
  };

/** @returns when each ends; a step takes base + perKvToken x the tokens of those that step. */
export function plainFinish(trace: Trace, rule: Rule, base: number, perKvToken: number): number[] {
  const finish = new Array<number>(trace.requests).fill(-1);
  let waiting: number[] = [];
  let running: Running[] = [];
  let come = 0;
  let drained = false;
  for (let now = 0; ; ) {
    while (come < trace.requests && trace.arrival[come] <= now) waiting.push(come++);
    const { stepping, begin } = rule(trace, waiting, running, drained);
    const newcomers = begin.map((id) => ({ id, stage: 0 }));
    if (stepping.length + newcomers.length === 0) {
      if (come < trace.requests) now = trace.arrival[come];
      else if (drained) return finish;
      else drained = true;
      continue;
    }
    waiting = waiting.filter((id) => !begin.includes(id));
    running.push(...newcomers);
    now += base;
    for (const one of [...stepping, ...newcomers]) {
      now += perKvToken * (trace.input[one.id] + one.stage);
      one.stage++;
    }
    for (const { id, stage } of running) if (stage === trace.output[id]) finish[id] = now;
    running = running.filter(({ id }) => finish[id] < 0);
  }
}
