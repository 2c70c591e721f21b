/** Policies for the simulator's tests, as plain as can be. */
import type { RequestView, RoutingPolicy, SchedulingPolicy } from "../../../src/serving/policy.ts";

/** Sends each request at once, by a rule of the request's number. */
export function sendBy(to: (id: number, workers: number) => number, name = "sent by rule"): RoutingPolicy {
  return {
    name,
    create({ workers }) {
      const waiting: number[] = [];
      return {
        arrived: ({ id }) => waiting.push(id),
        assign(_views, _now, out) {
          const ids = waiting.splice(0);
          for (const [k, id] of ids.entries()) out.set([id, to(id, workers)], 2 * k);
          return ids.length;
        },
      };
    },
  };
}

export const inTurn = sendBy((id, workers) => id % workers, "in turn");

/** First come first served over all workers: a request waits at the router until one has a slot. */
export const centralQueue: RoutingPolicy = {
  name: "central queue",
  create() {
    const waiting: number[] = [];
    return {
      arrived: ({ id }) => waiting.push(id),
      assign(views, _now, out) {
        let count = 0;
        for (const { index, freeSlots, waiting: there } of views) {
          for (let room = freeSlots - there; room > 0 && waiting.length > 0; room--) {
            out.set([waiting.shift()!, index], 2 * count++);
          }
        }
        return count;
      },
    };
  },
};

/** A scheduler that answers what it is told to, of the ids that have come. */
export function scheduleBy(
  admit: (ids: number[], step: number) => number[],
  evict: (ids: number[]) => number[] = () => [],
): SchedulingPolicy {
  return {
    name: "by rule",
    create() {
      const come: number[] = [];
      let step = 0;
      const put = (ids: number[], out: Int32Array) => {
        for (const [k, id] of ids.entries()) out[k] = id;
        return ids.length;
      };
      return {
        arrived: ({ id }: RequestView) => come.push(id),
        admit: (_w, _now, out) => put(admit(come, step++), out),
        evict: (w, _need, out) => put(evict(Array.from(w.running, ({ id }) => id)), out),
      };
    },
  };
}
