/** Starts from which an exact finish has far to go: its own work shows, which a good interior point leaves to nobody. */
import { expect } from "vitest";
import { type Random, seeded } from "../../src/common/random.ts";
import { cutBound, insideLoad } from "../../src/lp/cut.ts";
import { exactSolver } from "../../src/lp/exact.ts";
import type { Loads } from "../../src/lp/problem.ts";
import { type Topology, topologyOfEdges } from "../../src/lp/topology.ts";
import { maxLoadUnder } from "./max_load.ts";

export interface Start {
  topology: Topology;
  loads: Loads;
  /** [R] tokens of each replica, to start from. */
  x: Float32Array<ArrayBuffer>;
  /** [G] the cut to start from. */
  member: Uint32Array<ArrayBuffer>;
  optimum: number;
}

type Edge = [from: number, to: number];
const times = <T>(count: number, of: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => of(i));

/** Experts on two GPUs each, of one to three tokens, all of them on the first. */
function start(edges: Edge[], baseLoad: number[], speed: number[], random: Random): Start {
  const gpus = speed.length;
  const topology = topologyOfEdges(gpus, edges, Float64Array.from(speed));
  const expertLoad = Int32Array.from(edges, () => 1 + random.below(3));
  const loads: Loads = { batch: 1, tokens: "integer", expertLoad, baseLoad: Int32Array.from(baseLoad) };
  const x = Float32Array.from({ length: 2 * edges.length }, (_, r) => (r % 2 === 0 ? expertLoad[r / 2] : 0));
  const exact = new Float64Array(x.length);
  const bottleneck = new Uint8Array(gpus);
  exactSolver(topology).solve(loads, 0, exact, bottleneck);
  const optimum = maxLoadUnder(topology, loads, 0, exact);
  return { topology, loads, x, member: Uint32Array.from(bottleneck), optimum };
}

/** By name, on 16 GPUs; unequal speeds are 1 to 2. All but one start from the optimum's own cut, so that no bound is raised. */
export function starts(unequalSpeeds: boolean): Record<string, Start> {
  const random = seeded(91);
  const gpus = 16;
  const speed = times(gpus, () => (unequalSpeeds ? 1 + random.next() : 1));
  const star = times(640, (e): Edge => [0, 1 + (e % (gpus - 1))]);
  const ring = times(640, (e): Edge => [e % gpus, (e + 1) % gpus]);
  const hot = times(gpus, (g) => (g % 8 === 0 ? 90 : random.below(80) - 40));
  const none = times(gpus, () => 0);
  const poor = start(ring, hot, speed, random);
  poor.member.fill(0)[gpus - 1] = 1;
  return {
    "everything on one GPU": start(star, none, speed, random),
    "a ring with two hot GPUs": start(ring, hot, speed, random),
    "a ring, and a cut that proves little": poor,
  };
}

/** Max load under `kept` [R] tokens per replica, having checked that they serve every token once. */
export function maxLoadServed({ topology, loads }: Start, kept: Int32Array): number {
  const { experts, replicaStart } = topology;
  const served = Int32Array.from({ length: experts }, (_, e) =>
    kept.subarray(replicaStart[e], replicaStart[e + 1]).reduce((a, b) => a + b),
  );
  expect(served).toEqual(loads.expertLoad);
  expect(Math.min(...kept)).toBeGreaterThanOrEqual(0);
  return maxLoadUnder(topology, loads, 0, kept);
}

/** That `kept` [R] is optimal, and that `member` [G] proves it. */
export function expectFinished(start: Start, kept: Int32Array, member: ArrayLike<number>): void {
  const { topology, loads, optimum } = start;
  const inside = insideLoad(topology, loads.expertLoad, loads.baseLoad, 0, member);
  const speeds = [...topology.speed].filter((_, g) => member[g] === 1);
  expect([maxLoadServed(start, kept), cutBound(inside, speeds, "integer")]).toEqual([optimum, optimum]);
}
