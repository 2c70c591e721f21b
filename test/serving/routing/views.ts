/** What routers are shown, made by hand. */

import type { Random } from "../../../src/common/random.ts";
import type { RequestView, Router, WorkerView } from "../../../src/serving/policy.ts";

/** A request of `input` tokens that has just come. */
export const request = (id: number, input = 1, more: Partial<RequestView> = {}): RequestView => ({
  id,
  arrival: 0,
  input,
  generated: 0,
  ...more,
});

/** A worker that is idle and has room for everything. */
export const worker = (index: number, more: Partial<WorkerView> = {}): WorkerView => ({
  index,
  freeSlots: 1_000_000,
  freeKv: 1e12,
  waiting: 0,
  running: [],
  ...more,
});

export const workers = (parts: Partial<WorkerView>[]): WorkerView[] => parts.map((part, index) => worker(index, part));

/** Pairs of id and worker. */
export function assigned(router: Router, views: readonly WorkerView[], room = 20_000): [number, number][] {
  const out = new Int32Array(2 * room);
  const pairs = router.assign(views, 0, out);
  return Array.from({ length: pairs }, (_, i) => [out[2 * i], out[2 * i + 1]]);
}

/** Workers with something of everything: few values, so that many are equal. */
export function randomWorkers(random: Random, count: number): WorkerView[] {
  return workers(
    Array.from({ length: count }, () => {
      const running = Array.from({ length: random.below(5) }, (_, i) =>
        request(1_000_000 + i, 1 + random.below(3), { generated: random.below(3) }),
      );
      const waiting = random.below(3);
      return {
        freeSlots: waiting + random.below(4),
        waiting,
        running,
        batch: running.length,
        load: loadOf(running) + 2 * waiting,
        prefill: random.below(20),
      };
    }),
  );
}

export const loadOf = (running: Iterable<RequestView>): number =>
  Array.from(running, ({ input, generated }) => input + generated).reduce((a, b) => a + b, 0);

/** The same without the signals that a router may lack. */
export const bare = ({ index, freeSlots, freeKv, waiting, running }: WorkerView): WorkerView => ({
  index,
  freeSlots,
  freeKv,
  waiting,
  running,
});
