/** The judge against what the definitions say, of right answers and of wrong ones. */
import { describe, expect, test } from "vitest";
import { type Random, seeded } from "../../src/common/random.ts";
import { Placement } from "../../src/index.ts";
import { cpuBackend } from "../../src/lp/backend_cpu.ts";
import type { Loads } from "../../src/lp/problem.ts";
import { emptyRaw, judge, type RawSolution } from "../../src/lp/solution.ts";
import { type Topology, topologyOfEdges, topologyOfPlacement } from "../../src/lp/topology.ts";
import { randomSpeeds } from "../helpers/instances.ts";

/** As the caller states it: what the judge should say follows from this alone. */
interface Stated {
  gpus: number;
  /** [P] the expert in each slot, -1 in empty ones, and its GPU. */
  expertOf: number[];
  gpuOf: number[];
  speed: number[];
  alive: boolean[];
  topology: Topology;
}

function graph(random: Random, gpus: number): Stated {
  const edges = Array.from({ length: 1 + random.below(2 * gpus) }, () => {
    const from = random.below(gpus);
    return [from, (from + 1 + random.below(gpus - 1)) % gpus];
  });
  const speed = new Array<number>(gpus).fill(1);
  const topology = topologyOfEdges(gpus, edges, Float64Array.from(speed));
  const expertOf = edges.flatMap((_, e) => [e, e]);
  return { gpus, expertOf, gpuOf: edges.flat(), speed, alive: speed.map(() => true), topology };
}

/** With empty slots, experts that are twice on a GPU, and, where GPUs die, lost ones. */
function placed(random: Random, gpus: number, { unequal = false, deadly = false }): Stated {
  const perGpu = 2 + random.below(3);
  const experts = 1 + random.below(gpus * perGpu);
  const expertOf = random.shuffle(
    Array.from({ length: gpus * perGpu }, (_, p) => (p < experts ? p : random.below(experts + 1) - 1)),
  );
  const gpuOf = expertOf.map((_, p) => Math.floor(p / perGpu));
  const speed = unequal ? randomSpeeds(random, gpus) : new Array<number>(gpus).fill(random.pick([1, 0.7]));
  const alive = speed.map((_, g) => !deadly || g === 0 || random.next() < 0.6);
  const placement = Placement.fromPhysicalToLogical(expertOf, { gpus });
  const topology = topologyOfPlacement(placement, Float64Array.from(speed), Uint8Array.from(alive, Number));
  return { gpus, expertOf, gpuOf, speed, alive, topology };
}

const kinds: Record<string, (random: Random) => Stated> = {
  graphs: (random) => graph(random, 2 + random.below(7)),
  placements: (random) => placed(random, 1 + random.below(8), {}),
  "unequal speeds": (random) => placed(random, 2 + random.below(6), { unequal: true }),
  "dead GPUs": (random) => placed(random, 2 + random.below(8), { deadly: true, unequal: random.next() < 0.5 }),
  "graphs of more than 32 GPUs": (random) => graph(random, 33 + random.below(40)),
  "placements of more than 64 GPUs": (random) => placed(random, 65 + random.below(9), { deadly: random.next() < 0.5 }),
};

const BATCH = 3;

function randomLoads(random: Random, { topology: { experts, gpus } }: Stated, tokens: Loads["tokens"]): Loads {
  const most = random.pick([3, 40]);
  const one = () => (tokens === "integer" ? random.below(most) : most * random.next());
  const rows = (width: number, of: () => number) =>
    tokens === "integer"
      ? Int32Array.from({ length: BATCH * width }, of)
      : Float64Array.from({ length: BATCH * width }, of);
  const baseLoad = random.next() < 0.5 ? rows(gpus, () => one() - one()) : undefined;
  return { batch: BATCH, tokens, expertLoad: rows(experts, one), baseLoad };
}

/** Sums go in the order of slots, GPUs and experts, so that fractions agree to the bit. */
function expected(
  { gpus, expertOf, gpuOf, speed, alive, topology }: Stated,
  loads: Loads,
  raw: RawSolution,
  lp: number,
) {
  const { tokens } = loads;
  const living = [...alive.keys()].filter((g) => alive[g]);
  const base = (g: number) => loads.baseLoad?.[lp * living.length + living.indexOf(g)] ?? 0;
  const tokensOf = (e: number) => loads.expertLoad[lp * topology.experts + e];
  const quota = expertOf.map((_, p) => raw.quota[lp * expertOf.length + p]);
  const isServing = (p: number) => expertOf[p] >= 0 && alive[gpuOf[p]];
  const slotsOf = (e: number) => [...expertOf.keys()].filter((p) => expertOf[p] === e && isServing(p));
  const gpuLoad = new Array<number>(gpus).fill(0);
  for (const g of living) gpuLoad[g] = base(g);
  for (const [p, amount] of quota.entries()) if (isServing(p)) gpuLoad[gpuOf[p]] += amount;
  const maxLoad = Math.max(...living.map((g) => gpuLoad[g] / speed[g]));
  const bottleneck = living.filter((_, i) => raw.member[lp * living.length + i] !== 0);
  let inside = 0;
  for (const g of bottleneck) inside += base(g);
  const experts = [...Array(topology.experts).keys()].filter((e) => slotsOf(e).length > 0);
  for (const e of experts) if (slotsOf(e).every((p) => bottleneck.includes(gpuOf[p]))) inside += tokensOf(e);
  const speeds = bottleneck.map((g) => speed[g]);
  const rate = speeds.reduce((a, b) => a + b, 0);
  const lowerBound = Math.min(tokens === "integer" ? firstTime(inside, speeds) : inside / rate, maxLoad);
  const gap = maxLoad === lowerBound ? 0 : (maxLoad - lowerBound) / Math.max(Math.abs(maxLoad), Math.abs(lowerBound));
  const valid =
    bottleneck.length > 0 &&
    quota.every((amount, p) => (isServing(p) ? amount >= 0 : amount === 0)) &&
    experts.every((e) => {
      const left = slotsOf(e).reduce((rest, p) => rest - quota[p], tokensOf(e));
      return Math.abs(left) <= (tokens === "integer" ? 0 : 1e-12 * tokensOf(e));
    });
  const status = valid && gap <= (tokens === "integer" ? 0 : 1e-6) ? "optimal" : "gap";
  const price = alive.map((_, g) => (bottleneck.includes(g) ? 1 / rate : 0));
  return { status, maxLoad, lowerBound, gap, gpuLoad, price, bottleneck };
}

/** The first time k / v at which GPUs of these speeds have served so many whole tokens, counted up token by token. */
function firstTime(inside: number, speeds: readonly number[]): number {
  if (speeds.length === 0) return Number.NaN;
  const early = Math.floor((inside - speeds.length) / speeds.reduce((a, b) => a + b)) - 1;
  const served = speeds.map((v) => Math.floor(v * early));
  let missing = inside - served.reduce((a, b) => a + b);
  let time = -Infinity;
  for (; missing > 0; missing--) {
    const next = speeds.map((v, i) => (served[i] + 1) / v);
    time = Math.min(...next);
    served[next.indexOf(time)]++;
  }
  return time;
}

/** One fault or a few in quotas and sets, or none. */
function spoil(random: Random, raw: RawSolution): void {
  const { quota, member } = raw;
  for (let faults = random.below(3); faults > 0; faults--) {
    const p = random.below(quota.length);
    const other = quota[random.below(quota.length)];
    quota[p] = random.pick([Number.NaN, -1, 0, quota[p] + 1, quota[p] - 1, 2 ** 31 - 1, other]);
  }
  if (random.next() < 0.3) member[random.below(member.length)] ^= 1;
  if (random.next() < 0.1) member.fill(random.below(2));
}

describe.each(["integer", "fractional"] as const)("judge says what the definitions say, %s", (tokens) => {
  test.each(Object.keys(kinds))("%s", (kind) => {
    const seen = { optimal: 0, gap: 0 };
    for (let seed = 0; seed < 60; seed++) {
      const random = seeded(1900 + seed);
      const stated = kinds[kind](random);
      const { topology } = stated;
      const loads = randomLoads(random, stated, tokens);
      const raw = emptyRaw(topology, loads);
      for (let lp = 0; lp < BATCH; lp++) cpuBackend(topology).solveOne(loads, lp, raw);
      if (seed % 2) spoil(random, raw);
      const { judged, judgeOne } = judge(topology, loads, raw);
      for (let lp = BATCH - 1; lp >= 0; lp--) {
        const { gpus } = stated;
        // -0 is 0: so Math.ceil has it.
        const row = (values: Float64Array) => [...values.subarray(lp * gpus, (lp + 1) * gpus)];
        const found = {
          status: judgeOne(lp),
          ...{ maxLoad: judged.maxLoad[lp], lowerBound: judged.lowerBound[lp] + 0, gap: judged.gap[lp] },
          ...{ gpuLoad: row(judged.gpuLoad), price: row(judged.price), bottleneck: judged.bottleneck[lp] },
        };
        expect(found, `seed ${seed}, LP ${lp}`).toEqual(expected(stated, loads, raw, lp));
        seen[found.status]++;
      }
    }
    expect(seen.optimal).toBeGreaterThan(60);
    expect(seen.gap).toBeGreaterThan(10);
  });
});

describe("what nothing but one check would notice", () => {
  /** Expert 0 on both GPUs of three slots each, expert 1 beside it on GPU 0; GPU 1 has an empty slot and another of expert 0. */
  const placement = Placement.fromPhysicalToLogical([0, 1, -1, 0, 0, -1], { gpus: 2 });
  const topology = topologyOfPlacement(placement, Float64Array.of(1, 1));
  const raw = (quota: number[], member = [1, 1]): RawSolution => ({
    quota: Int32Array.from(quota),
    member: Uint8Array.from(member),
    iterations: new Int32Array(1),
    moves: new Int32Array(1),
  });
  const loads: Loads = { batch: 1, tokens: "integer", expertLoad: Int32Array.of(6, 4), baseLoad: undefined };
  const verdict = (answer: RawSolution, of = topology) => judge(of, loads, answer).judgeOne(0);

  test("an answer without a fault is optimal", () => {
    expect(verdict(raw([1, 4, 0, 3, 2, 0]))).toBe("optimal");
  });

  test("a quota below zero is a gap, whatever makes up for it", () => {
    expect(verdict(raw([1, 4, 0, 6, -1, 0]))).toBe("gap");
  });

  test("a token in an empty slot is a gap", () => {
    expect(verdict(raw([1, 4, 0, 3, 2, 1]))).toBe("gap");
    expect(verdict(raw([1, 4, 0, 3, 2, -1]))).toBe("gap");
  });

  test("tokens on a dead GPU are a gap, whoever's they are", () => {
    const alone = topologyOfPlacement(placement, Float64Array.of(1, 1), Uint8Array.of(1, 0));
    expect(verdict(raw([6, 4, 0, 0, 0, 0], [1]), alone)).toBe("optimal");
    expect(verdict(raw([6, 4, 0, 1, 0, 0], [1]), alone)).toBe("gap");
  });

  test("sums that are right in 32 bits only are a gap", () => {
    const most = 2 ** 31 - 1; // three of them: 2^32 + most - 2
    const sum = 6 + 2 ** 32;
    const quota = [most, 4, 0, most, sum - 2 * most, 0];
    expect(quota.every((amount) => amount >= 0 && amount <= most)).toBe(true);
    const huge: Loads = { ...loads, expertLoad: Int32Array.of(sum | 0, 4) };
    expect(huge.expertLoad[0]).toBe(6);
    const { judged, judgeOne } = judge(topology, huge, raw(quota));
    expect(judgeOne(0)).toBe("gap");
    expect([...judged.gpuLoad]).toEqual([most + 4, sum - most]);
  });

  test("any member but 0 is one", () => {
    const { judged, judgeOne } = judge(topology, loads, raw([1, 4, 0, 3, 2, 0], [2, 255]));
    expect(judgeOne(0)).toBe("optimal");
    expect(judged.bottleneck).toEqual([[0, 1]]);
  });
});
