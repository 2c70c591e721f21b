import type { BoundOptions } from "../../serving/bound/bound_options.ts";
import type { StepPool, StepRequests } from "../../serving/bound/shared_steps.ts";
import { lonePrefill } from "../../serving/capacity/lone_request.ts";
import { prefillSeconds, type StepTime, stepSeconds } from "../../serving/step_time.ts";
import type { Trace } from "../../serving/trace/trace.ts";
import type { Setting } from "./simulation_setting.ts";

/** What decides how soon requests can be served, whoever routes and schedules them. */
export type Machine = Pick<
  Setting,
  "workers" | "slots" | "kvTokens" | "clock" | "stepTime" | "prefill" | "eviction" | "warmUp" | "pool"
>;

/** Those whose latencies count, as `latencyBound` wants them. */
export interface BoundedRequests {
  /** n: how many count. */
  requests: number;
  /** In rounds, from when each can begin to make its tokens. */
  trace: Trace;
  options: BoundOptions;
  /** s that a round lasts; 1 with rounds. */
  round: number;
  /** Mean latency, s or rounds, where each has a worker for itself: no schedule's is lower. */
  alone: number;
  /** Mean latency, s or rounds, that follows from the total of a bound of `trace`, in rounds. */
  meanFrom(total: number): number;
  /** The same requests with steps as long as those that share them make them; none with rounds. */
  shared?: SharedRequests;
}

export interface SharedRequests {
  requests: StepRequests;
  pool: StepPool;
  /** Mean latency, s, that follows from the total of a bound of theirs. */
  meanFrom(total: number): number;
}

/** Memory beyond it, and requests in a trace that lasts longer, have no bound here. */
const MOST_TOKENS = 2 ** 31 - 1;
const MOST_ROUNDS = 2 ** 23;

/**
 * The requests of a simulation that count (that arrive after the warm-up, and are not rejected) in the rounds of `latencyBound`, so that its bound is one of
 * everything that the simulation can do. The others are left out, as if they took nothing.
 *
 * Rounds: a request of s and o tokens makes them in o rounds of a worker, and holds s + j KV tokens in that in which it makes the j-th, of M. It may rest in
 * between; but in the r-th last round before its finish it has at most r - 1 tokens left to make thereafter, so that it holds no less than if it had
 * run without a rest.
 *
 * Seconds: each step in which it makes a token lasts c at least, c = c0 + c_seq + c_kv (least s), as it runs itself and holds its prompt. So it holds, x before
 * its finish, no less than if its last steps had lasted c each; prices are taken to be constant within cells of c. What it costs by a start that is
 * a real number is linear between whole cells, so that its least from a on is no less than from floor(a / c) c on:
 *
 *   sum of latencies >= c (D - sum_i frac(a_i / c)),   D as of `latencyBound`, which has rounded it up to a whole number
 *
 * Both: where evicted requests keep their tokens, their KV is paid for at other times, too, and prices must not rise ("resume"). What a request needs besides its
 * o steps of c (its prefill, in chunks or elsewhere, and what its own KV adds to its steps) is part of its latency, and delays the first of those steps.
 * With prefill elsewhere a request comes with its first token, and makes o - 1 more.
 *
 * @returns a reason, where there is no bound.
 */
export function boundedRequests(trace: Trace, machine: Machine): BoundedRequests | string {
  const { workers, slots, kvTokens, eviction, warmUp, pool } = machine;
  if (pool !== undefined)
    return "with --pool a latency is from when a request came into the pool, which differs from policy to policy";
  if (kvTokens > MOST_TOKENS) return `workers with more than ${MOST_TOKENS} KV tokens have none`;
  const ids = Array.from(trace.arrival.keys()).filter(
    (i) => trace.arrival[i] >= warmUp && trace.input[i] + trace.output[i] <= kvTokens,
  );
  if (ids.length === 0) return "no request counts";
  const steps = stepsOf(trace, machine, ids);
  const { round, ready, made } = steps;
  const inRounds = (time: number) => (machine.clock === "rounds" ? time : Math.floor(time / round));
  const running = ids.filter((i) => trace.output[i] > made).sort((i, j) => ready[i] - ready[j]);
  const arrival = Float64Array.from(running, (i) => inRounds(ready[i]));
  if (arrival.length > 0 && arrival[arrival.length - 1] > MOST_ROUNDS)
    return `more than ${MOST_ROUNDS} steps pass until the last request comes`;
  let least = 0;
  let before = 0;
  for (const i of ids) {
    const left = trace.output[i] - made;
    const begun = machine.clock === "rounds" && left > 0 ? Math.ceil(ready[i]) : ready[i];
    least += begun - trace.arrival[i] + left * round;
    before += ready[i] - trace.arrival[i];
  }
  // In rounds `latencyBound` adds what is waited for the first; in seconds it has counted from the beginning of a cell, and rounded up.
  const early = running.reduce((sum, i, k) => sum + ready[i] - round * arrival[k], round);
  const less = machine.clock === "rounds" ? 0 : early;
  return {
    requests: ids.length,
    trace: {
      ...{ requests: running.length, arrival },
      input: Int32Array.from(running, (i) => trace.input[i] + made),
      output: Int32Array.from(running, (i) => trace.output[i] - made),
    },
    options: {
      ...{ kvTokens, workers, preemption: eviction === "recompute" ? "resume" : "restart" },
      ...(workers * slots < running.length && { slots }),
    },
    round,
    alone: least / ids.length,
    meanFrom: (total) => (round * total - less + before) / ids.length,
    shared:
      machine.stepTime && machine.clock === "seconds" ? sharedOf(trace, machine, machine.stepTime, ids) : undefined,
  };
}

/** Prefill of its own is part of a request's steps here; elsewhere it comes before them. */
function sharedOf(trace: Trace, machine: Machine, stepTime: StepTime, ids: readonly number[]): SharedRequests {
  const { workers, slots, kvTokens, prefill } = machine;
  const elsewhere = typeof prefill === "object" && "workers" in prefill ? prefill : undefined;
  const made = elsewhere ? 1 : 0;
  const before = (i: number) => (elsewhere ? transferred(stepTime, trace.input[i], elsewhere.bandwidth) : 0);
  const some = ids.filter((i) => trace.output[i] > made);
  const own = elsewhere || trace.blocks ? () => 0 : (i: number) => prefillSeconds(stepTime, trace.input[i]);
  const delay = ids.reduce((sum, i) => sum + before(i), 0);
  return {
    requests: {
      requests: some.length,
      arrival: Float64Array.from(some, (i) => trace.arrival[i] + before(i)),
      input: Int32Array.from(some, (i) => trace.input[i] + made),
      output: Int32Array.from(some, (i) => trace.output[i] - made),
      prefill: Float64Array.from(some, own),
    },
    pool: { workers, slots, kvTokens, stepTime },
    meanFrom: (total) => (total + delay) / ids.length,
  };
}

/** s from arrival until the KV of a prompt, prefilled by itself, is there. */
const transferred = (stepTime: StepTime, tokens: number, bandwidth: number) =>
  lonePrefill(stepTime, tokens, Number.POSITIVE_INFINITY) + tokens / bandwidth;

interface Steps {
  /** The least that a step of one that counts lasts. */
  round: number;
  /** [all] when it could begin the o - made rounds after which it is done at the earliest. */
  ready: Float64Array;
  /** Tokens that it has made before: 1 where prompts are prefilled elsewhere. */
  made: number;
}

function stepsOf(trace: Trace, { clock, stepTime, prefill }: Machine, ids: readonly number[]): Steps {
  const { arrival, input, output, blocks } = trace;
  const elsewhere = typeof prefill === "object" && "workers" in prefill ? prefill : undefined;
  const chunk = typeof prefill === "object" && "chunk" in prefill ? prefill.chunk : Number.POSITIVE_INFINITY;
  const made = elsewhere ? 1 : 0;
  // What is found in a prefix cache is not prefilled, and how much that is depends on the policy.
  const chunks = (i: number) => (blocks ? 1 : Math.max(1, Math.ceil(input[i] / chunk)));
  const ready = new Float64Array(trace.requests);
  if (clock === "rounds" || !stepTime) {
    for (const i of ids) {
      ready[i] = elsewhere ? Math.ceil(arrival[i]) + 1 + input[i] / elsewhere.bandwidth : arrival[i] + chunks(i) - 1;
    }
    return { round: 1, ready, made };
  }
  const least = ids.reduce((least, i) => Math.min(least, input[i] + made), Number.POSITIVE_INFINITY);
  const round = stepSeconds(stepTime, single(least));
  for (const i of ids) {
    const tokens = output[i] - made;
    const own = stepTime.perKvToken * (tokens * (input[i] + made - least) + (tokens * (tokens - 1)) / 2);
    const prompt = elsewhere
      ? transferred(stepTime, input[i], elsewhere.bandwidth)
      : (chunks(i) - 1) * stepSeconds(stepTime, single(input[i])) + (blocks ? 0 : prefillSeconds(stepTime, input[i]));
    ready[i] = arrival[i] + own + prompt;
  }
  return { round, ready, made };
}

/** A step of one request by itself, that holds so many tokens before it. */
const single = (held: number) => ({ running: 1, held, prefill: 0, context: 0 });
