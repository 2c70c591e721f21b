import { seeded } from "../../src/common/random.ts";
import { exactSolver } from "../../src/lp/exact.ts";
import { topologyOfPlacement } from "../../src/lp/topology.ts";
import { type Machine, placementOf, type Rows, rowsOf } from "../../src/planner/arrangement.ts";
import { families, randomPlacement, randomSpeeds } from "../helpers/instances.ts";

export function machineOf(gpus: number, experts: number, capacity: Int32Array, more: Partial<Machine> = {}): Machine {
  const speed = new Float64Array(gpus).fill(1);
  const used = capacity.reduce((a, b) => a + b);
  return { gpus, experts, used, nodes: 1, replicas: "anywhere", capacity, speed, ...more };
}

/** A machine of unequal speeds with a slot of each GPU unused, an arrangement on it, and n rows of shares. */
export function drawn(seed: number, gpus: number, n: number) {
  const random = seeded(seed);
  const placement = randomPlacement(random, gpus, 5, gpus, 3);
  const { logicalExperts: experts } = placement;
  const speed = Float64Array.from(randomSpeeds(random, gpus));
  const machine = machineOf(gpus, experts, new Int32Array(gpus).fill(6), { used: 5 * gpus, speed });
  return { machine, share: shares(random, n, experts, gpus), rows: rowsOf(placement) };
}

/** [n, E], each row adding up to 1. */
export function shares(random: ReturnType<typeof seeded>, n: number, experts: number, gpus: number): Float64Array {
  const share = new Float64Array(n * experts);
  for (let i = 0; i < n; i++) {
    const loads = families.lognormal(random, experts, gpus);
    const total = loads.reduce((a, b) => a + b);
    for (const [e, load] of loads.entries()) share[i * experts + e] = load / total;
  }
  return share;
}

/** The imbalance of each row by the solver that has no part in the search. */
export function exactOptima(rows: Rows, { speed }: Machine, share: Float64Array): number[] {
  const topology = topologyOfPlacement(placementOf(rows), speed);
  const { gpus, experts, replicaGpu } = topology;
  const batch = share.length / experts;
  const loads = { batch, tokens: "fractional", expertLoad: share, baseLoad: undefined } as const;
  const solver = exactSolver(topology);
  const total = speed.reduce((a, b) => a + b);
  return Array.from({ length: batch }, (_, lp) => {
    const x = new Float64Array(replicaGpu.length);
    solver.solve(loads, lp, x, new Uint8Array(gpus));
    const load = new Float64Array(gpus);
    for (const [r, g] of replicaGpu.entries()) load[g] += x[r];
    return Math.max(...load.map((tokens, g) => tokens / speed[g])) * total;
  });
}
