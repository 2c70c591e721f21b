/** Schedulers driven by hand, and workers as they are shown to them. */
import type { RequestView, Scheduler, SchedulingPolicy, WorkerView } from "../../../src/serving/policy.ts";
import { routing } from "../../../src/serving/routing/routing.ts";
import type { SimulateOptions } from "../../../src/serving/simulator/options.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Simulated } from "../../../src/serving/simulator/simulated.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";

export const request = (id: number, input: number, more: Partial<RequestView> = {}): RequestView => ({
  id,
  arrival: 0,
  input,
  generated: 0,
  ...more,
});

/** Of a memory of so many tokens, with these running. */
export function worker(
  kvTokens: number,
  running: readonly RequestView[] = [],
  more: Partial<WorkerView> = {},
): WorkerView {
  const freeKv = running.reduce((free, { input, generated }) => free - input - generated - 1, kvTokens);
  return { index: 0, freeSlots: 100, freeKv, waiting: 0, running, ...more };
}

type Asked = "admit" | "preempt";

export function ask(scheduler: Scheduler, what: Asked, view: WorkerView): number[] {
  const out = new Int32Array(10_000);
  return [...out.subarray(0, scheduler[what]!(view, 0, out))];
}

export function evicted(scheduler: Scheduler, view: WorkerView, need: number): number[] {
  const out = new Int32Array(10_000);
  return [...out.subarray(0, scheduler.evict(view, need, out))];
}

/** A trace of [input, output] at time 0, or at [input, output, arrival]. */
export function traceOf(rows: readonly (readonly [number, number, number?])[]): Trace {
  return {
    requests: rows.length,
    arrival: Float64Array.from(rows, ([, , arrival]) => arrival ?? 0),
    input: Int32Array.from(rows, ([input]) => input),
    output: Int32Array.from(rows, ([, output]) => output),
  };
}

/** On one worker with slots enough, in rounds, by exact predictions. */
export function inRounds(
  trace: Trace,
  kvTokens: number,
  scheduling: SchedulingPolicy,
  more: Partial<SimulateOptions> = {},
): Promise<Simulated> {
  const workers = [{ slots: 4096, kvTokens }];
  return simulate(trace, {
    ...{ workers, clock: "rounds", routing: routing.roundRobin(), scheduling, prediction: "exact" },
    ...more,
  });
}

export const meanLatency = ({ finish }: Simulated, { arrival, requests }: Trace): number =>
  finish.reduce((sum, time, i) => sum + time - arrival[i], 0) / requests;

/** The same policy where the worker does not tell its steps. */
export function withoutSteps({ name, create }: SchedulingPolicy): SchedulingPolicy {
  return {
    name,
    create(o) {
      const scheduler = create(o);
      const without = ({ index, freeSlots, freeKv, waiting, running }: WorkerView): WorkerView => ({
        ...{ index, freeSlots, freeKv, waiting, running },
      });
      return {
        arrived: (r) => scheduler.arrived(r),
        finished: (id) => scheduler.finished?.(id),
        admit: (w, now, out) => scheduler.admit(without(w), now, out),
        evict: (w, need, out) => scheduler.evict(without(w), need, out),
        evicted: (r) => scheduler.evicted?.(r),
        ...(scheduler.rest && { rest: (w, now, out) => scheduler.rest!(without(w), now, out) }),
        ...(scheduler.preempt && { preempt: (w, now, out) => scheduler.preempt!(without(w), now, out) }),
      };
    },
  };
}
