import { seeded } from "../../../src/common/random.ts";
import { Assignment } from "../../../src/serving/routing/bfio_assignment.ts";
import { type Fill, newFill } from "../../../src/serving/routing/bfio_objective.ts";

export interface Instance {
  horizon: number;
  gamma: number;
  beta: number;
  growth: boolean;
  /** [G][H + 1] */
  base: number[][];
  room: number[];
  freeKv: number[];
  /** In order of arrival. */
  prompts: number[];
}

/** Small fills of all kinds: loads that fall and grow, equal prompts, equal workers, little memory. */
export function randomInstance(seed: number): Instance {
  const random = seeded(seed);
  const workers = 2 + random.below(3);
  const horizon = random.pick([0, 0, 1, 4]);
  const growth = random.next() < 0.7;
  const most = random.pick([4, 60, 1000]);
  const base = Array.from({ length: workers }, () => {
    let count = random.below(5);
    let load = random.below(3 * most);
    return Array.from({ length: horizon + 1 }, (_, h) => {
      if (h > 0 && growth) load += count;
      if (h > 0 && count > 0 && random.next() < 0.3) {
        count--;
        load = Math.floor(load * random.next());
      }
      return load;
    });
  });
  const room = Array.from({ length: workers }, () => random.pick([0, 1, 1, 2, 3]));
  if (room[0] === 0) room[0] = 1;
  if (random.next() < 0.3) {
    base[1] = [...base[0]];
    room[1] = room[0];
  }
  const tight = random.next() < 0.3;
  return {
    horizon,
    gamma: random.pick([1, 1, 0.8]),
    beta: random.pick([workers, workers, 2 * workers, 1.5]),
    growth,
    base,
    room,
    freeKv: room.map(() => (tight ? random.below(2 * most) : Number.POSITIVE_INFINITY)),
    prompts: Array.from({ length: 1 + random.below(5) }, () => 1 + random.below(most)),
  };
}

/** Fills of the size of a small fleet's, in which workers have room for several. */
export function largerInstance(seed: number, tight: boolean): Instance {
  const random = seeded(seed);
  const workers = 2 + random.below(6);
  const room = Array.from({ length: workers }, () => random.below(4));
  const horizon = random.pick([0, 5]);
  return {
    ...randomInstance(seed),
    beta: workers,
    horizon,
    room,
    base: room.map(() => Array.from({ length: horizon + 1 }, () => random.below(2000))),
    freeKv: room.map(() => (tight ? random.below(1500) : Number.POSITIVE_INFINITY)),
    prompts: Array.from({ length: 1 + random.below(30) }, () => 1 + random.below(800)),
  };
}

/** As the router would hold it. */
export function assignmentOf(i: Instance): Assignment {
  const fill: Fill = newFill({ ...i, workers: i.base.length, window: i.prompts.length });
  fill.load.set(i.base.flat());
  fill.room.set(i.room);
  fill.freeKv.set(i.freeKv);
  fill.waiting = i.prompts.length;
  const order = [...i.prompts.keys()].sort((a, b) => i.prompts[a] - i.prompts[b] || a - b);
  fill.prompt.set(order.map((a) => i.prompts[a]));
  fill.arrival.set(order);
  return new Assignment(fill);
}

/** [|W|] by arrival: the worker of each, -1 where it waits. */
export function workersOf(a: Assignment): number[] {
  const workers: number[] = [];
  for (const [p, arrival] of a.fill.arrival.entries()) workers[arrival] = a.fill.worker[p];
  return workers;
}

/** The objective from its definition, or undefined where a limit is broken. */
export function valueFromDefinition(i: Instance, workers: readonly number[]): number | undefined {
  for (const g of i.base.keys()) {
    const prompts = i.prompts.filter((_, r) => workers[r] === g);
    if (prompts.length > i.room[g]) return undefined;
    if (prompts.length > 0 && prompts.reduce((sum, s) => sum + s + 1, 0) > i.freeKv[g]) return undefined;
  }
  let total = 0;
  for (let h = 0; h <= i.horizon; h++) {
    const loads = i.base.map((row, g) =>
      i.prompts.reduce((load, s, r) => load + (workers[r] === g ? s + (i.growth ? h : 0) : 0), row[h]),
    );
    total += i.gamma ** h * (i.beta * Math.max(...loads) - loads.reduce((sum, load) => sum + load, 0));
  }
  return total;
}

/** Over all assignments: the most requests that fit, and the least value with so many. */
export function bruteForce(i: Instance): { count: number; value: number } {
  const best = { count: 0, value: Number.POSITIVE_INFINITY };
  const workers = i.prompts.map(() => -1);
  const visit = (r: number): void => {
    if (r === workers.length) {
      const value = valueFromDefinition(i, workers);
      const count = workers.filter((g) => g >= 0).length;
      if (value === undefined || count < best.count || (count === best.count && value >= best.value)) return;
      best.count = count;
      best.value = value;
      return;
    }
    for (let g = -1; g < i.base.length; g++) {
      workers[r] = g;
      visit(r + 1);
    }
  };
  visit(0);
  return best;
}
