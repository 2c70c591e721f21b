/** BF-IO at H = 0 as `SweepGrid` states it, written from its formula alone, as a policy for `simulate`. */
import type { RoutingPolicy } from "../../../src/serving.ts";

export const greedyBfio: RoutingPolicy = {
  name: "greedy BF-IO",
  create({ workers: many }) {
    let waiting: { id: number; input: number }[] = [];
    return {
      arrived: ({ id, input }) => void waiting.push({ id, input }),
      assign(views, _now, out) {
        const load = views.map((view) => view.load!);
        const room = views.map(({ freeSlots, waiting: sent }) => freeSlots - sent);
        const free = views.map(({ freeKv }) => freeKv);
        let pairs = 0;
        for (;;) {
          const open = [...load.keys()].filter((g) => room[g] > 0).sort((a, b) => load[a] - load[b] || a - b);
          if (open.length === 0 || waiting.length === 0) return pairs;
          const [g] = open;
          const margin = Math.max(0, ...load.filter((_, other) => other !== g)) - load[g];
          const gain = (s: number) => s - many * Math.max(0, s - margin);
          const order = waiting
            .map((one, turn) => ({ ...one, turn }))
            .filter(({ input }) => input + 1 <= free[g])
            .sort((a, b) => (many === 1 ? 0 : gain(b.input) - gain(a.input) || a.input - b.input) || a.turn - b.turn);
          if (order.length === 0) {
            room[g] = 0;
            continue;
          }
          const [{ id, input }] = order;
          waiting = waiting.filter((one) => one.id !== id);
          out[2 * pairs] = id;
          out[2 * pairs++ + 1] = g;
          load[g] += input;
          room[g]--;
          free[g] -= input + 1;
        }
      },
    };
  },
};
