/**
 * A topology as the *group* kernel and its twin see it: only GPUs that hold a replica of an expert with several take part in the LP. The
 * others are fixed, and bound t by the hottest of them alone, which is one GPU more. With a few redundant experts on many GPUs, as in
 * wide expert parallelism, that leaves a fraction of them. Places are GPUs in order of elimination.
 */
import { type Elimination, planElimination } from "./elimination.ts";
import type { Topology } from "./topology.ts";

export interface GroupForm {
  /** Places, the first part of `rows`. */
  readonly places: number;
  /** Whether place 0 stands for the hottest fixed GPU. */
  readonly fixed: boolean;
  /** The caller's GPU of each row: places, then fixed GPUs; -1 for a place 0 that stands for those. */
  readonly rows: readonly number[];
  /** Speed of each row; mean 1 over the places. Place 0 has it where it stands for others. */
  readonly speed: readonly number[];
  /** The caller's experts with a choice of replica. */
  readonly experts: readonly number[];
  /** Places of their replicas. */
  readonly replicas: readonly (readonly number[])[];
  readonly elimination: Elimination;
}

/** The caller's experts with several replicas, and the GPUs that hold none of those. */
export function choosers({ gpus, experts, replicaStart, replicaGpu }: Topology): {
  several: number[];
  fixedGpus: number[];
} {
  const several: number[] = [];
  const takesPart = new Uint8Array(gpus);
  for (let e = 0; e < experts; e++) {
    if (replicaStart[e + 1] - replicaStart[e] < 2) continue;
    several.push(e);
    for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) takesPart[replicaGpu[r]] = 1;
  }
  return { several, fixedGpus: [...takesPart.keys()].filter((g) => takesPart[g] === 0) };
}

export function groupForm(topology: Topology): GroupForm {
  const { gpus, replicaStart, replicaGpu, speed } = topology;
  const { several, fixedGpus } = choosers(topology);
  const fixed = fixedGpus.length > 0;
  const isFixed = new Set(fixedGpus);
  const movable = [...Array(gpus).keys()].filter((g) => !isFixed.has(g));

  // Nodes of the elimination: the place for fixed GPUs, which is first because it has no neighbours, then the others.
  const nodes = fixed ? [-1, ...movable] : movable;
  const node = new Map(nodes.map((g, i) => [g, i]));
  const gpusOf = several.map((e) => [...replicaGpu.subarray(replicaStart[e], replicaStart[e + 1])]);
  const elimination = planElimination(
    nodes.length,
    gpusOf.map((on) => on.map((g) => node.get(g)!)),
  );
  const placed = elimination.order.map((i) => nodes[i]);
  const place = new Map(placed.map((g, k) => [g, k]));
  const speeds = (movable.length > 0 ? movable : fixedGpus).map((g) => speed[g]);
  const mean = speeds.reduce((a, b) => a + b) / speeds.length;
  const rows = [...placed, ...fixedGpus];
  return {
    places: nodes.length,
    fixed,
    rows,
    speed: rows.map((g) => (g < 0 ? 1 : speed[g] / mean)),
    experts: several,
    replicas: gpusOf.map((on) => on.map((g) => place.get(g)!)),
    elimination,
  };
}
