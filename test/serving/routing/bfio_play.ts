import { seeded } from "../../../src/common/random.ts";
import type { RequestView, Router, WorkerView } from "../../../src/serving/policy.ts";

export interface Running extends RequestView {
  generated: number;
  /** Tokens after which it ends: what is predicted may be wrong. */
  output: number;
}

export const request = (id: number, input: number, predicted?: RequestView["predicted"]): RequestView => ({
  id,
  arrival: id,
  input,
  generated: 0,
  predicted,
});

export function workerView(index: number, more: Partial<WorkerView> = {}): WorkerView {
  return { index, freeSlots: 1, freeKv: Number.POSITIVE_INFINITY, waiting: 0, running: [], ...more };
}

/** Asks for a fill: [id, worker] in order of id. */
export function ask(router: Router, views: readonly WorkerView[], capacity = 4096): [number, number][] {
  const out = new Int32Array(2 * capacity);
  const pairs = router.assign(views, 0, out);
  return Array.from({ length: pairs }, (_, k): [number, number] => [out[2 * k], out[2 * k + 1]]).sort(
    (a, b) => a[0] - b[0],
  );
}

export interface Play {
  workers: number;
  slots: number;
  steps: number;
  seed: number;
  /** What is foreseen of an output. */
  predict: (output: number, at: () => number) => RequestView["predicted"];
  /** Whether workers tell their steps: by worker. */
  tells: (g: number) => boolean;
  freeKv?: number;
  /** Of outputs; 30 by default. */
  mean?: number;
}

/** Steps of workers that are fed by a router; workers do not all step each time. Returns every fill. */
export function play(router: Router, p: Play): [number, number][][] {
  const random = seeded(p.seed);
  const running = Array.from({ length: p.workers }, (): Running[] => []);
  const steps = new Int32Array(p.workers);
  const waiting = new Map<number, Running>();
  const fills: [number, number][][] = [];
  let next = 0;
  for (let t = 0; t < p.steps; t++) {
    while (waiting.size < 3 * p.workers) {
      const output = 1 + Math.floor(-Math.log(1 - random.next()) * (p.mean ?? 30));
      const predicted = p.predict(output, random.next);
      const r = { ...request(next++, 1 + random.below(500), predicted), output };
      waiting.set(r.id, r);
      router.arrived(r);
    }
    const views = running.map((active, g) => {
      const held = active.reduce((sum, r) => sum + r.input + r.generated, 0);
      const view = {
        freeSlots: p.slots - active.length,
        freeKv: (p.freeKv ?? Number.POSITIVE_INFINITY) - held - active.length,
      };
      return workerView(g, {
        ...view,
        running: active,
        batch: active.length,
        steps: p.tells(g) ? steps[g] : undefined,
      });
    });
    const fill = ask(router, views);
    fills.push(fill);
    for (const [id, g] of fill) {
      const r = waiting.get(id);
      if (!r) throw new Error(`request ${id} does not wait`);
      waiting.delete(id);
      running[g].push(r);
    }
    for (const [g, active] of running.entries()) {
      // Long gaps too: a worker may do many steps between two fills.
      for (let n = random.pick([1, 1, 1, 0, 2, random.below(40)]); n > 0; n--) {
        steps[g]++;
        for (const r of active) r.generated++;
        for (const r of active) if (r.generated >= r.output) router.finished?.(r.id);
        active.splice(0, active.length, ...active.filter((r) => r.generated < r.output));
      }
    }
  }
  return fills;
}
