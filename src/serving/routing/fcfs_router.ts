import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import type { RequestView, Router, RouterOptions, RoutingPolicy } from "../policy.ts";
import { WaitingQueue } from "../queue.ts";
import { Workers } from "./signals.ts";

/** What tells one policy from another. T is what it keeps of a request that waits, beside its id and the length of its prompt. */
export interface Rule<T> {
  keep(request: RequestView): T;
  /** A call of `assign` begins in which something waits. */
  begin?(): void;
  /** The worker for the first that waits; -1: it waits on, and all behind it. */
  choose(input: number, kept: T): number;
  /** It goes there. */
  sent?(g: number, input: number, kept: T): void;
}

/** A policy that looks at one request at a time, first come first served. `rule` is called for each router and takes its signals of `workers`. */
export function fcfsPolicy<T>(name: string, rule: (workers: Workers, o: RouterOptions) => Rule<T>): RoutingPolicy {
  const create = (o: RouterOptions): Router => {
    checkRouterOptions(o);
    const workers = new Workers(o);
    return fcfsRouter(workers, rule(workers, o));
  };
  return { name, create };
}

/** The rule of a policy that goes by numbers of workers alone. */
export const keepsNothing = { keep: () => undefined } as const;

function fcfsRouter<T>(workers: Workers, rule: Rule<T>): Router {
  const waiting = new WaitingQueue<T>();
  return {
    arrived: (request) => waiting.push(request.id, request.input, rule.keep(request)),
    finished: (id) => void waiting.remove(id),
    assign(views, _now, out) {
      if (waiting.length === 0) return 0;
      // What is written beyond the end of a TypedArray is lost without a word, and the request with it.
      if (out.length < 2 * waiting.length) throw new ShapeError("out", roomFor(waiting.length), out.length);
      workers.begin(views);
      rule.begin?.();
      let pairs = 0;
      while (waiting.length > 0) {
        const { id, input, item } = waiting;
        const g = rule.choose(input, item);
        if (g < 0) break;
        rule.sent?.(g, input, item);
        workers.room.add(g, -1);
        waiting.shift();
        out[2 * pairs] = id;
        out[2 * pairs + 1] = g;
        pairs++;
      }
      return pairs;
    },
  };
}

const roomFor = (waiting: number) => `at least 2 * ${waiting} = ${2 * waiting} values`;

/** @throws {ArgumentError} No number of workers, no seed, or a queue that is none. */
export function checkRouterOptions(o: RouterOptions): void {
  requireObject("options", o, { workers: true, seed: true, queue: true } satisfies FieldsOf<RouterOptions>);
  const { workers, seed, queue = "worker" } = o;
  if (!Number.isInteger(workers) || workers < 1) throw new ArgumentError("options.workers", "an integer >= 1", workers);
  if (!Number.isFinite(seed)) throw new ArgumentError("options.seed", "a finite number", seed);
  if (queue !== "worker" && queue !== "router") throw new ArgumentError("options.queue", '"worker" or "router"', queue);
}
