/** The simulator against its rules done a step at a time. */
import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import type { RequestView, RoutingPolicy, SchedulingPolicy } from "../../../src/serving/policy.ts";
import { fcfs } from "../../../src/serving/scheduling/fcfs.ts";
import { simulate } from "../../../src/serving/simulator/simulate.ts";
import type { Summary } from "../../../src/serving/simulator/simulated.ts";
import type { Trace } from "../../../src/serving/trace/trace.ts";
import { type Plain, type PlainOptions, plainSimulation, restsIn } from "./plain_simulator.ts";

/** The plain router, as a policy. */
const router = (by: PlainOptions["by"]): RoutingPolicy => ({
  name: by,
  create({ workers }) {
    const waiting: { id: number; input: number }[] = [];
    return {
      arrived: ({ id, input }) => waiting.push({ id, input }),
      assign(views, _, out) {
        const loads = views.map(({ load }) => load!);
        const count = waiting.length;
        for (const [k, { id, input }] of waiting.splice(0).entries()) {
          const to = by === "turn" ? id % workers : loads.indexOf(Math.min(...loads));
          loads[to] += input;
          out[2 * k] = id;
          out[2 * k + 1] = to;
        }
        return count;
      },
    };
  },
});

/** The plain scheduler that lays to rest: who has no token since it began is still being prefilled. */
const resting: SchedulingPolicy = {
  name: "rests",
  create(o) {
    const inner = fcfs().create(o);
    const made = new Map<number, number>();
    const waits = ({ id, generated }: RequestView) => made.set(id, generated);
    return {
      arrived(r) {
        waits(r);
        inner.arrived(r);
      },
      evicted(r) {
        waits(r);
        inner.evicted!(r);
      },
      admit: (w, now, out) => inner.admit(w, now, out),
      evict: (w, need, out) => inner.evict(w, need, out),
      rest(w, _now, out) {
        let index = 0;
        let count = 0;
        for (const { id, generated } of w.running) {
          if (restsIn(w.steps!, id, index++) && generated > made.get(id)!) out[count++] = id;
        }
        return count;
      },
    };
  },
};

function randomCase(seed: number): { trace: Trace; options: PlainOptions } {
  const random = seeded(seed);
  const n = 1 + random.below(60);
  const rounds = random.next() < 0.5;
  const span = random.pick([1, 30, 300]);
  const arrival = Float64Array.from({ length: n }, () => span * random.next()).sort();
  if (random.next() < 0.3) arrival.set(arrival.map(Math.floor));
  const input = Int32Array.from({ length: n }, () => 1 + random.below(40));
  const output = Int32Array.from({ length: n }, () => 1 + random.below(random.pick([3, 30])));
  const trace: Trace = { requests: n, arrival, input, output };
  if (random.next() < 0.5) trace.blocks = randomBlocks(input, random.pick([4, 16]), random.below);
  const stepTime = {
    base: 0.01 + random.next(),
    perSequence: random.next() / 10,
    perKvToken: random.next() / 1000,
    ...{ perPrefillToken: random.next() / 100, perContext: random.next() / 1000 },
  };
  const workers = Array.from({ length: 1 + random.below(4) }, () => ({
    slots: 1 + random.below(8),
    kvTokens: 70 + random.below(random.pick([20, 400])), // the largest request holds 70
    stepTime,
  }));
  const chunk = random.pick([Number.POSITIVE_INFINITY, 8, 1]);
  const embeddings = rounds || seed % 3 === 0 ? undefined : randomEmbeddings(seed);
  if (embeddings) trace.images = randomImages(input, seed);
  return {
    trace,
    options: {
      workers,
      rounds,
      barrier: random.next() < 0.4,
      recompute: random.next() < 0.5,
      rests: seed % 2 === 0,
      chunk,
      by: random.pick(["turn", "load"]),
      ...(embeddings && { embeddings }),
    },
  };
}

/** Prompts that begin single: block d of a prompt follows from its own number and from all before it. */
function randomBlocks(input: Int32Array, tokens: number, below: (n: number) => number): Trace["blocks"] {
  const known = new Map<string, number>();
  const id: number[] = [];
  const start = [0];
  for (const length of input) {
    let path = "";
    for (let d = 0; d < Math.ceil(length / tokens); d++) {
      path += `${below(2)},`;
      if (!known.has(path)) known.set(path, known.size);
      id.push(known.get(path)!);
    }
    start.push(id.length);
  }
  return { start: Int32Array.from(start), id: Int32Array.from(id), tokens };
}

const randomEmbeddings = (seed: number) => ({
  capacity: 1 + (seed % 20),
  encoder: { base: (seed % 5) / 10, perToken: (seed % 7) / 100 },
});

/** Up to three a prompt, of eight that have from 1 to 8 tokens, and once or more the same. */
function randomImages(input: Int32Array, seed: number): Trace["images"] {
  const random = seeded(seed + 1e6);
  const tokens = Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const id: number[] = [];
  const start = [0];
  for (let left of input) {
    for (let k = random.below(4); k > 0; k--) {
      const image = random.below(8);
      if (tokens[image] > left) continue;
      left -= tokens[image];
      id.push(image);
    }
    start.push(id.length);
  }
  return { start: Int32Array.from(start), id: Int32Array.from(id), tokens };
}

/** Tokens of images, and those that were found, until the last start. */
function lookedUp({ to, makespan }: Summary, { images }: Plain): { asked: number; found: number } {
  // Times are rounded; a step takes 0.01 or more.
  const some = images.filter(({ at }) => at < to + 0.001 || to === makespan);
  const sum = (what: "asked" | "found") => some.reduce((total, one) => total + one[what], 0);
  return { asked: sum("asked"), found: sum("found") };
}

/** What behind a barrier the steps of the span took, must have taken, and would have with even loads. */
function expectBarrier({ from, to, ...summary }: Summary, { barrier }: Plain, name: string): void {
  // Times are rounded; a step takes 0.01 or more.
  const steps = barrier.filter(({ at }) => at < to - 0.001 || to === summary.makespan);
  const sum = (what: "time" | "bound" | "even") => steps.reduce((sum, step) => sum + step[what], 0);
  const ours = [summary.stepTime!, summary.barrierBound!, summary.stepEven!];
  for (const [k, theirs] of [sum("time"), sum("bound"), sum("even")].entries())
    expect(Math.abs(ours[k] - theirs), name).toBeLessThanOrEqual(1e-12 * theirs);
  expect(ours[0] >= ours[1] && ours[1] >= ours[2] && from === 0, name).toBe(true);
  expect(summary.routable, name).toBe((ours[0] - ours[1]) / ours[0]);
}

test("300 random simulations: every start, token, finish, eviction and hit is that of the rules", async () => {
  const met = {
    evictions: 0,
    recomputed: 0,
    rested: 0,
    hits: 0,
    embeddings: 0,
    chunked: 0,
    barrier: 0,
    single: 0,
    rounds: 0,
  };
  for (let seed = 0; seed < 300; seed++) {
    const { trace, options } = randomCase(seed);
    const { workers, rounds, barrier, recompute, rests, chunk, by, embeddings } = options;
    const plain = plainSimulation(trace, options);
    const simulated = await simulate(trace, {
      ...(rests && { scheduling: resting }),
      eviction: recompute ? "recompute" : "restart",
      ...{ workers, barrier, routing: router(by), clock: rounds ? "rounds" : "seconds", embeddings },
      prefill: chunk === Number.POSITIVE_INFINITY ? "whole" : { chunk },
    });
    const { summary } = simulated;
    expect([...simulated.worker], `seed ${seed}`).toEqual(plain.worker);
    expect([...simulated.evictions], `seed ${seed}`).toEqual(plain.evictions);
    for (const name of ["start", "firstToken", "finish"] as const) {
      for (let i = 0; i < trace.requests; i++) {
        // Times add up in another order: a rounding per step.
        const tolerance = rounds ? 0 : summary.steps * 2 ** -52 * summary.makespan;
        expect(
          Math.abs(simulated[name][i] - plain[name][i]),
          `seed ${seed}, ${name} of request ${i}`,
        ).toBeLessThanOrEqual(tolerance);
      }
    }
    expect(summary, `seed ${seed}`).toMatchObject({
      steps: plain.steps,
      wastedTokens: plain.wasted,
      completed: trace.requests,
    });
    if (plain.gapCount > 0) expect(summary.itl.mean, `seed ${seed}`).toBeCloseTo(plain.gaps / plain.gapCount, 9);
    if (trace.blocks) {
      expect(summary.prefixHit, `seed ${seed}`).toBeCloseTo(plain.hits / plain.prompts, 12);
    }
    const { asked, found } = lookedUp(summary, plain);
    if (asked > 0) expect(summary.embeddingHit, `seed ${seed}`).toBe(found / asked);
    if (barrier) expectBarrier(summary, plain, `seed ${seed}`);
    else expect(summary.stepTime, `seed ${seed}`).toBeUndefined();
    met.evictions += plain.wasted > 0 ? 1 : 0;
    met.recomputed += plain.made.some((made) => made > 0) ? 1 : 0;
    met.rested += rests && plain.evictions.some((count) => count > 0) ? 1 : 0;
    met.hits += plain.hits > 0 ? 1 : 0;
    met.embeddings += found > 0 && found < asked && chunk < 40 ? 1 : 0;
    met.chunked += chunk < 40 ? 1 : 0;
    met.barrier += barrier ? 1 : 0;
    met.single += barrier && workers.length > 1 && plain.barrier.some(({ bound, even }) => bound > even) ? 1 : 0;
    met.rounds += rounds ? 1 : 0;
  }
  for (const [name, count] of Object.entries(met)) expect(count, name).toBeGreaterThan(25);
});
