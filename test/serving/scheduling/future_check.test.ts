/** The future check against all rounds ahead, one by one. */
import { expect, test } from "vitest";
import { type Random, seeded } from "../../../src/common/random.ts";
import type { RequestView, Scheduler, WorkerView } from "../../../src/serving/policy.ts";
import { Profile } from "../../../src/serving/scheduling/profile.ts";
import { scheduling } from "../../../src/serving/scheduling/scheduling.ts";
import { ask, request, worker } from "./hand.ts";

interface Live {
  id: number;
  input: number;
  generated: number;
  predicted: number;
  output: number;
  /** Steps in which its prompt is still prefilled. */
  lag: number;
}

/** One that has outlived its prediction ends with the next step. */
const left = ({ predicted, generated }: Live) => Math.max(1, predicted - generated);

/** Whether the memory holds all until the newcomer ends: what it cannot hold after that is not the newcomer's doing. */
function fitsAllRounds(newcomer: Live, running: readonly Live[], kvTokens: number): boolean {
  for (let t = 1; t <= left(newcomer); t++) {
    const there = [...running, newcomer].filter((one) => left(one) >= t);
    if (there.reduce((sum, { input, generated }) => sum + input + generated + t, 0) > kvTokens) return false;
  }
  return true;
}

/** Shortest predicted rest first, until one does not fit. */
function plainAdmission(running: readonly Live[], waiting: readonly Live[], M: number, reserve: number, slots: number) {
  const all = [...running];
  const begun: number[] = [];
  for (const one of [...waiting].sort((a, b) => left(a) - left(b) || a.id - b.id)) {
    const fits = all.length === 0 ? one.input + one.generated + 1 <= M : fitsAllRounds(one, all, M - reserve);
    if (!fits || begun.length === slots) break;
    all.push(one);
    begun.push(one.id);
  }
  return begun;
}

const viewOf = ({ id, input, generated, predicted }: Live): RequestView => request(id, input, { generated, predicted });

/** A worker whose requests come, lag, are evicted, and end early, late or in time; what may begin is compared before each step. */
class Play {
  readonly met = { begun: 0, refused: 0, overdue: 0, lagged: 0, evicted: 0, kept: 0, silent: 0, alone: 0 };
  private running: Live[] = [];
  private waiting: Live[] = [];
  private ids = 0;

  constructor(
    private readonly random: Random,
    private readonly scheduler: Scheduler,
    private readonly kvTokens: number,
    private readonly reserve: number,
    private readonly steps: boolean,
  ) {}

  step(step: number): void {
    const { random, scheduler, met } = this;
    this.come();
    while (worker(this.kvTokens, this.running.map(viewOf)).freeKv < 0) this.evict(this.running.at(-1)!);
    if (random.next() < 0.05 && this.running.length > 0) this.evict(random.pick(this.running));
    const freeSlots = random.pick([1, 3, 100]);
    const more: Partial<WorkerView> = { freeSlots, ...(this.steps && { steps: step }) };
    const expected = plainAdmission(this.running, this.waiting, this.kvTokens, this.reserve, freeSlots);
    const begun = ask(scheduler, "admit", worker(this.kvTokens, this.running.map(viewOf), more));
    expect(begun, `step ${step}`).toEqual(expected);
    met.begun += begun.length;
    if (begun.length < Math.min(freeSlots, this.waiting.length)) met.refused++;
    if (this.running.some(({ predicted, generated }) => generated > predicted)) met.overdue++;
    if (this.running.length === 0 && begun.length > 0) met.alone++;
    for (const id of begun) {
      const one = this.waiting.find((other) => other.id === id)!;
      this.waiting.splice(this.waiting.indexOf(one), 1);
      one.lag = random.next() < 0.2 ? 1 + random.below(4) : 0;
      this.running.push(one);
    }
    this.progress();
  }

  private come(): void {
    const { random } = this;
    for (let k = random.below(3); k > 0; k--) {
      const output = 1 + random.below(20);
      const predicted = Math.max(1, Math.round(output * random.pick([0.3, 1, 1, 2])));
      const one = { id: this.ids++, input: 1 + random.below(15), generated: 0, predicted, output, lag: 0 };
      if (output > 1 && random.next() < 0.2) one.generated = 1; // prefilled elsewhere
      this.waiting.push(one);
      this.scheduler.arrived(viewOf(one));
    }
  }

  private evict(one: Live): void {
    this.met.evicted++;
    this.running.splice(this.running.indexOf(one), 1);
    if (this.random.next() < 0.5) one.generated = 0;
    if (one.generated > 0) this.met.kept++;
    this.waiting.push(one);
    this.scheduler.evicted!(viewOf(one));
  }

  private progress(): void {
    for (const one of this.running) {
      if (one.lag-- > 0) this.met.lagged++;
      else one.generated++;
    }
    for (const one of this.running.filter(({ generated, output }) => generated === output)) {
      this.running.splice(this.running.indexOf(one), 1);
      if (this.random.next() < 0.02) this.met.silent++;
      else this.scheduler.finished!(one.id);
    }
  }
}

test.each([
  ["with the worker's steps", true],
  ["from the running requests alone", false],
])("what may begin is what fits in all rounds ahead, %s", (_, steps) => {
  const met: Record<string, number> = {};
  for (let seed = 0; seed < 60; seed++) {
    const random = seeded(seed);
    const kvTokens = random.pick([36, 80, 300]);
    const share = random.pick([0, 0, 0.1]);
    const scheduler = scheduling.mcsf({ reserve: share }).create({ slots: 100, kvTokens, seed: 0 });
    const play = new Play(random, scheduler, kvTokens, Math.ceil(share * kvTokens), steps);
    for (let step = 0; step < 100; step++) play.step(step);
    for (const [name, count] of Object.entries(play.met)) met[name] = (met[name] ?? 0) + count;
  }
  for (const [name, count] of Object.entries(met)) expect(count, name).toBeGreaterThan(40);
});

test("where many lag at once all are counted anew", () => {
  const running = Array.from({ length: 60 }, (_, id) => request(id, 5, { predicted: 20 + (id % 7) }));
  // Five steps after their start none has made a token. In 20 more, when the newcomer ends with the first of them, all 60 hold 25.
  for (const [input, begun] of [
    [2000 - 60 * 25 - 20, [99]],
    [2000 - 60 * 25 - 19, []],
  ] as const) {
    const scheduler = scheduling.svf().create({ slots: 100, kvTokens: 2000, seed: 0 });
    for (const r of running) scheduler.arrived(r);
    expect(ask(scheduler, "admit", worker(2000, [], { steps: 0 }))).toHaveLength(60);
    scheduler.arrived(request(99, input, { predicted: 20 }));
    expect(ask(scheduler, "admit", worker(2000, running, { steps: 5 }))).toEqual(begun);
  }
});

test("a profile's peak is that of all its rounds, after any additions and removals", () => {
  for (let seed = 0; seed < 100; seed++) {
    const random = seeded(seed);
    const profile = new Profile();
    const set: { end: number; weight: number }[] = [];
    for (let now = 0; now < 60; now++) {
      for (let k = random.below(4); k > 0; k--) {
        const one = { end: now + 1 + random.below(30), weight: random.below(100) - now };
        set.push(one);
        profile.add(one.end, one.weight);
      }
      if (set.length > 0 && random.next() < 0.7) {
        const [{ end, weight }] = set.splice(random.below(set.length), 1);
        profile.remove(end, weight);
      }
      const end = now + 1 + random.below(35);
      const usage = (t: number) =>
        set.reduce((sum, one) => sum + (one.end > now && one.end >= t ? one.weight + t : 0), 0) + t;
      // Between two ends usage rises, so that all rounds have the peak of the ends.
      const rounds = Array.from({ length: end - now }, (_, k) => now + 1 + k);
      expect(profile.peak(now, end), `seed ${seed}`).toBe(Math.max(...rounds.map(usage)));
    }
  }
});
