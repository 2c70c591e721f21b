/** What stands between a kernel and the caller: every answer is judged from its quotas and bottleneck set alone. */
import { describe, expect, test } from "vitest";
import { Pauses } from "../../src/common/pauses.ts";
import { seeded } from "../../src/common/random.ts";
import { Placement } from "../../src/index.ts";
import { cpuBackend } from "../../src/lp/backend_cpu.ts";
import { toTopology } from "../../src/lp/forms.ts";
import type { Loads } from "../../src/lp/problem.ts";
import { copyRaw, emptyRaw, judge, type RawSolution } from "../../src/lp/solution.ts";
import { randomPlacement } from "../helpers/instances.ts";

const random = seeded(94);
const topology = toTopology(randomPlacement(random, 6, 5, 8, 3), undefined);
const { gpus, experts, slots, slotExpert, slotReplica, replicaGpu } = topology;
const gpuOf = (p: number) => replicaGpu[slotReplica[p]];
const batch = 5;
const spoiled = 3; // the LP that is

const loadsOf = (tokens: Loads["tokens"]): Loads => ({
  batch,
  tokens,
  expertLoad:
    tokens === "integer"
      ? Int32Array.from({ length: batch * experts }, () => 1 + random.below(1000))
      : Float64Array.from({ length: batch * experts }, () => 1 + 1000 * random.next()),
  baseLoad: undefined,
});

async function solved(loads: Loads): Promise<RawSolution> {
  const raw = emptyRaw(topology, loads);
  await cpuBackend(topology).solve(loads, raw, new Pauses());
  return raw;
}

function statuses(loads: Loads, raw: RawSolution): string[] {
  const { judgeOne } = judge(topology, loads, raw);
  return Array.from({ length: batch }, (_, lp) => judgeOne(lp));
}

/** Two slots of the spoiled LP as `fits` wants them. */
function slotPair(fits: (p: number, q: number) => boolean): [number, number] {
  for (let p = 0; p < slots; p++) for (let q = 0; q < slots; q++) if (p !== q && fits(p, q)) return [p, q];
  throw new Error("no such slots");
}

/** By name: changes quotas [P] and member [G] of one LP, most of them without a change of its max load. */
const spoilers: Record<string, (quota: RawSolution["quota"], member: Uint8Array) => void> = {
  "zeros, as a device leaves them that fails silently": (quota) => quota.fill(0),
  "a lost token": (quota) => {
    quota[quota.findIndex((tokens) => tokens >= 1)] -= 1;
  },
  "a token out of nowhere, on the least loaded GPU": (quota) => {
    const load = new Float64Array(gpus);
    quota.forEach((tokens, p) => {
      load[gpuOf(p)] += tokens;
    });
    const least = load.indexOf(Math.min(...load));
    quota[quota.findIndex((_, p) => gpuOf(p) === least)] += 1;
  },
  "a token of one expert given to another on the same GPU": (quota) => {
    const [p, q] = slotPair((p, q) => gpuOf(p) === gpuOf(q) && slotExpert[p] !== slotExpert[q] && quota[p] >= 1);
    quota[p] -= 1;
    quota[q] += 1;
  },
  "a quota below zero, made up for on the same GPU": (quota) => {
    const [p, q] = slotPair((p, q) => gpuOf(p) === gpuOf(q) && slotExpert[p] !== slotExpert[q]);
    quota[q] += quota[p] + 1;
    quota[p] = -1;
  },
  "a quota that is not a number": (quota) => {
    quota[2] = Number.NaN; // 0 among whole tokens
  },
  "no bottleneck": (_, member) => member.fill(0),
  "a bottleneck without its last GPU": (_, member) => {
    member[member.lastIndexOf(1)] = 0;
  },
};

describe.each(["integer", "fractional"] as const)("judge, %s", (tokens) => {
  test.each(Object.keys(spoilers))("finds the gap of %s, and of no other LP", async (name) => {
    const loads = loadsOf(tokens);
    const raw = await solved(loads);
    expect(statuses(loads, raw)).toEqual(new Array(batch).fill("optimal"));
    spoilers[name](
      raw.quota.subarray(spoiled * slots, (spoiled + 1) * slots),
      raw.member.subarray(spoiled * gpus, (spoiled + 1) * gpus),
    );
    const expected = Array.from({ length: batch }, (_, lp) => (lp === spoiled ? "gap" : "optimal"));
    expect(statuses(loads, raw)).toEqual(expected);
  });
});

test("judge takes no quota below zero, though sums and loads are right", () => {
  // Two slots of expert 0 on two GPUs, whose loads the other experts make up for: nothing but the sign is wrong.
  const pair = toTopology(Placement.fromPhysicalToLogical([0, 1, 0, 2], { gpus: 2 }), undefined);
  const loads: Loads = { batch: 1, tokens: "integer", expertLoad: Int32Array.of(4, 11, 5), baseLoad: undefined };
  const raw = (quota: number[]): RawSolution => ({
    quota: Int32Array.from(quota),
    member: Uint8Array.of(1, 1),
    iterations: new Int32Array(1),
    moves: new Int32Array(1),
  });
  expect(judge(pair, loads, raw([0, 11, 4, 5])).judgeOne(0)).toBe("gap"); // 11, where 10 can be had
  const less: Loads = { ...loads, expertLoad: Int32Array.of(4, 11, 3) };
  expect(judge(pair, less, { ...raw([0, 11, 4, 3]), member: Uint8Array.of(1, 0) }).judgeOne(0)).toBe("optimal");
  expect(judge(pair, less, { ...raw([-1, 11, 5, 3]), member: Uint8Array.of(1, 0) }).judgeOne(0)).toBe("gap");
});

test("an LP that is judged again, its gap closed, has nothing left of what was found first", () => {
  const two = toTopology(Placement.fromPhysicalToLogical([0, 1, 0, 2], { gpus: 2 }), [1, 2]);
  const loads: Loads = { batch: 1, tokens: "integer", expertLoad: Int32Array.of(6, 9, 0), baseLoad: undefined };
  const raw = emptyRaw(two, loads);
  raw.quota.set([6, 9, 0, 0]);
  raw.member.set([0, 1]);
  const { judged, judgeOne } = judge(two, loads, raw);
  expect(judgeOne(0)).toBe("gap");
  expect([...judged.price]).toEqual([0, 1 / 2]);
  raw.quota.set([0, 9, 6, 0]);
  raw.member.set([1, 0]);
  expect(judgeOne(0)).toBe("optimal");
  expect({ ...judged, gpuLoad: [...judged.gpuLoad], price: [...judged.price] }).toEqual({
    status: ["optimal"],
    maxLoad: Float64Array.of(9),
    lowerBound: Float64Array.of(9),
    gap: Float64Array.of(0),
    gpuLoad: [9, 6],
    price: [1, 0],
    bottleneck: [[0]],
  });
});

test("fractions may lose what f64 rounds off, and no more", async () => {
  const loads = loadsOf("fractional");
  for (const [lost, status] of [
    [1e-14, "optimal"],
    [1e-10, "gap"],
  ] as const) {
    const raw = await solved(loads);
    const p = raw.quota.findIndex((tokens) => tokens > 1);
    raw.quota[p] -= lost * loads.expertLoad[slotExpert[p]];
    expect(statuses(loads, raw)[0], `${lost} of a load`).toBe(status);
  }
});

test("copyRaw puts every field of a part in its place", () => {
  const part = (lps: number, value: number): RawSolution => ({
    quota: new Int32Array(lps * slots).fill(value),
    member: new Uint8Array(lps * gpus).fill(value),
    iterations: new Int32Array(lps).fill(value),
    moves: new Int32Array(lps).fill(value),
  });
  const raw = part(5, 1);
  copyRaw(topology, part(2, 9), raw, 2);
  const expected = (width: number) => [1, 1, 9, 9, 1].flatMap((value) => new Array<number>(width).fill(value));
  expect([...raw.quota]).toEqual(expected(slots));
  expect([...raw.member]).toEqual(expected(gpus));
  expect([[...raw.iterations], [...raw.moves]]).toEqual([expected(1), expected(1)]);
});
