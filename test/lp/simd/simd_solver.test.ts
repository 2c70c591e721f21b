/** What the WebAssembly program leaves, before anything judges or finishes it, against the exact solver. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { Placement } from "../../../src/index.ts";
import { exactSolver } from "../../../src/lp/exact.ts";
import { toTopology } from "../../../src/lp/forms.ts";
import { ownForm } from "../../../src/lp/kernels/canonical.ts";
import { type Loads, rowsOf } from "../../../src/lp/problem.ts";
import { type SimdSolver, simdSolver } from "../../../src/lp/simd/simd_solver.ts";
import { emptyRaw, judge, type RawSolution } from "../../../src/lp/solution.ts";
import type { Topology } from "../../../src/lp/topology.ts";
import * as twin from "../../../src/lp/twins/specialised.ts";
import { families, instances, randomPlacement, shapes, topologyAndLoads } from "../../helpers/instances.ts";
import { maxLoadUnder } from "../../helpers/max_load.ts";

async function solverOf(topology: Topology): Promise<SimdSolver> {
  const made = await simdSolver(topology);
  if ("reason" in made) throw new Error(made.reason);
  return made;
}

function solved(solver: SimdSolver, topology: Topology, loads: Loads, first = 0, end = loads.batch): RawSolution {
  const raw = emptyRaw(topology, loads);
  raw.quota.fill(-7); // unwritten
  solver.solve(loads, first, end, raw);
  return raw;
}

/** Of every LP: that it is served and closed by its own set, at the exact solver's optimum. */
function expectOptimal(topology: Topology, loads: Loads, raw: RawSolution, name: string): void {
  const { judgeOne, judged } = judge(topology, loads, raw);
  const exact = exactSolver(topology);
  const best = emptyRaw(topology, loads);
  const x = new Float64Array(topology.replicaGpu.length);
  for (let lp = 0; lp < loads.batch; lp++) {
    exact.solve(loads, lp, x, best.member.subarray(lp * topology.gpus, (lp + 1) * topology.gpus));
    const optimum = maxLoadUnder(topology, loads, lp, x);
    const found = [judgeOne(lp), judged.maxLoad[lp], judged.lowerBound[lp]];
    expect(found, `${name}, LP ${lp}`).toEqual(["optimal", optimum, optimum]);
  }
}

describe.each([false, true])("the simd program, unequal speeds: %s", (unequalSpeeds) => {
  test("is optimal to the token on every topology and family, raw", async () => {
    for (const name of Object.keys(shapes)) {
      let solver: SimdSolver | undefined;
      for (const instance of instances([name], Object.keys(families), 194, 9, unequalSpeeds)) {
        const { topology, loads } = await topologyAndLoads(instance);
        solver ??= await solverOf(topology);
        expectOptimal(topology, loads, solved(solver, topology, loads), instance.name);
      }
    }
  });

  test("sweeps and moves as its twin does, up to f32", async () => {
    let [same, lps] = [0, 0];
    for (const instance of instances(["cube", "EP8 R8", "disconnected"], ["normal", "zipf"], 195, 25, unequalSpeeds)) {
      const { topology, loads } = await topologyAndLoads(instance);
      const raw = solved(await solverOf(topology), topology, loads);
      const solve64 = twin.specialised(topology, ownForm(topology));
      for (let lp = 0; lp < loads.batch; lp++) {
        const { sweeps, moves } = solve64(loads, lp);
        if (raw.iterations[lp] === sweeps && raw.moves[lp] === moves) same++;
        lps++;
      }
    }
    console.log(`sweeps and rounds are those of f64 in ${same} of ${lps} LPs`);
    expect(same / lps).toBeGreaterThan(0.8);
  });
});

describe("an answer", () => {
  const random = seeded(196);
  const placement = randomPlacement(random, 8, 6, 16, 4);
  const topology = toTopology(placement, undefined);
  const batch = 45;
  const kinds = Object.values(families);
  const rows = Array.from({ length: batch }, (_, lp) => kinds[lp % kinds.length](random, placement.logicalExperts, 8));
  const loads: Loads = { batch, tokens: "integer", expertLoad: Int32Array.from(rows.flat()), baseLoad: undefined };

  test("does not depend on the LPs beside it, where its batch begins or how long it is", async () => {
    const solver = await solverOf(topology);
    const whole = solved(solver, topology, loads);
    const row = (raw: RawSolution, lp: number) => [
      raw.quota.slice(lp * topology.slots, (lp + 1) * topology.slots),
      raw.member.slice(lp * 8, (lp + 1) * 8),
      raw.iterations[lp],
      raw.moves[lp],
    ];
    for (let lp = 0; lp < batch; lp++) {
      expect(row(solved(solver, topology, rowsOf(topology, loads, lp, 1)), 0), `LP ${lp} alone`).toEqual(
        row(whole, lp),
      );
      const few = Math.min(1 + (lp % 7), batch - lp);
      const some = solved(solver, topology, rowsOf(topology, loads, lp, few));
      for (let i = 0; i < few; i++) expect(row(some, i), `LP ${lp + i} of ${few}`).toEqual(row(whole, lp + i));
    }
    expect(solved(await solverOf(topology), topology, loads)).toEqual(whole);
  });

  test("is written where it belongs, and nowhere else", async () => {
    const raw = solved(await solverOf(topology), topology, loads, 3, 40);
    const outside = [...raw.quota.subarray(0, 3 * topology.slots), ...raw.quota.subarray(40 * topology.slots)];
    expect(new Set(outside)).toEqual(new Set([-7]));
    expect(raw.quota.subarray(3 * topology.slots, 40 * topology.slots)).not.toContain(-7);
  });

  test("forgets the base loads of the call before", async () => {
    const solver = await solverOf(topology);
    const before = solved(solver, topology, loads);
    const baseLoad = Int32Array.from({ length: batch * 8 }, () => random.below(5000) - 1000);
    const based = { ...loads, expertLoad: loads.expertLoad.map((tokens) => tokens >> 2), baseLoad };
    expectOptimal(topology, based, solved(solver, topology, based), "with base loads");
    expect(solved(solver, topology, loads)).toEqual(before);
  });
});

test("dead GPUs, empty slots, several slots on a GPU, lost experts and no choice at all", async () => {
  const random = seeded(197);
  const several = Placement.fromPhysicalToLogical([0, 0, 1, 1, 0, 2, 2, 1, 2, 0, 3, 4], { gpus: 3 });
  const empty = Placement.fromPhysicalToLogical([0, -1, 1, 1, 0, -1, 2, 0, -1, 3, 3, 3], { gpus: 4 });
  const lost = Placement.fromPhysicalToLogical([0, 1, 1, 2, -1, 3], { gpus: 3, logicalExperts: 5 });
  const single = Placement.fromPhysicalToLogical([0, 1, 2, 3, 3, 3], { gpus: 2 });
  const given: [Placement, number[] | undefined, number[]?][] = [
    ...[several, empty, lost, single].map((one): [Placement, undefined] => [one, undefined]),
    [empty, [1, 0, 1, 1]],
    [several, [1, 1, 0]],
    [several, [0, 1, 1], [1, 2, 1.3]],
    [randomPlacement(random, 40, 4, 60, 4), Array.from({ length: 40 }, (_, g) => (g % 9 === 4 ? 0 : 1))],
  ];
  for (const [i, [placement, active, speed]] of given.entries()) {
    const topology = toTopology(placement, speed, active);
    const batch = 40;
    const expertLoad = Int32Array.from({ length: batch * topology.experts }, () =>
      random.below(random.pick([3, 5000])),
    );
    const baseLoad = Int32Array.from({ length: batch * topology.gpus }, () => random.below(3000) - 500);
    for (const loads of [
      { batch, tokens: "integer", expertLoad, baseLoad } as const,
      { batch, tokens: "integer", expertLoad, baseLoad: undefined } as const,
    ]) {
      expectOptimal(topology, loads, solved(await solverOf(topology), topology, loads), `placement ${i}`);
    }
  }
});

test("optima below 0 at unequal speeds, and speeds far apart", async () => {
  const random = seeded(198);
  for (const speed of [
    [1, 2, 1.3],
    [1e-6, 1, 1e6],
    [3, 3, 3],
  ]) {
    const topology = toTopology(Placement.fromPhysicalToLogical([0, 1, 1, 2, 2, 0], { gpus: 3 }), speed);
    const batch = 200;
    const expertLoad = Int32Array.from({ length: 3 * batch }, (_, i) => (i < 90 ? 0 : random.below(100)));
    const baseLoad = Int32Array.from({ length: 3 * batch }, () => random.below(300) - 250);
    const loads: Loads = { batch, tokens: "integer", expertLoad, baseLoad };
    expectOptimal(topology, loads, solved(await solverOf(topology), topology, loads), `speeds ${speed}`);
  }
});
