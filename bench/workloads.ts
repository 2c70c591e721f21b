/** Seeded LPs that every solver of a question is given, and their optima from the exact solver. */
import { generateLoads } from "../src/cli/reports/generated_loads.ts";
import { seeded } from "../src/common/random.ts";
import { Placement, rebalanceExperts, topologies } from "../src/index.ts";
import { exactSolver } from "../src/lp/exact.ts";
import { toTopology } from "../src/lp/forms.ts";
import type { Graph, Loads } from "../src/lp/problem.ts";
import type { Topology } from "../src/lp/topology.ts";

export interface Layer {
  form: Placement | Graph;
  topology: Topology;
}

/** B LPs in whole tokens. LP p is of layer p % L; layers differ in their placements only. */
export interface Workload {
  /** As it stands in the rows. */
  name: string;
  layers: readonly Layer[];
  gpus: number;
  batch: number;
  /** Replica form, [B, E] and [B, G], as src/lp/problem.ts makes it. */
  loads: Loads;
  /** [B] the LP's optimal max load, in whole tokens and in fractions. */
  optimum: Record<Loads["tokens"], Float64Array>;
}

const SEED = 20251120;
const MEAN_TOKENS = 4096;

/** LPLB's own setting: normal expert loads; each rank holds `perRank` experts, of which the first D have a copy elsewhere. */
export function graphWorkload(name: string, r2o: number[][], perRank: number, batch: number): Workload {
  const random = seeded(SEED);
  const gpus = r2o.length;
  const graph: Graph = { gpus, edges: topologies.edges(r2o) };
  const column = graph.edges.map((_, e) => e % r2o[0].length);
  const stays = new Int32Array(batch * gpus);
  const capacity = new Int32Array(batch * graph.edges.length);
  for (let p = 0; p < batch; p++) {
    const experts = drawRanks(random, gpus, perRank);
    for (let g = 0; g < gpus; g++) stays[p * gpus + g] = experts[g].reduce((a, b) => a + b);
    for (const [e, [from]] of graph.edges.entries()) {
      capacity[p * graph.edges.length + e] = experts[from][column[e]];
      stays[p * gpus + from] -= experts[from][column[e]];
    }
  }
  const topology = toTopology(graph, undefined);
  const loads: Loads = { batch, tokens: "integer", expertLoad: capacity, baseLoad: stays };
  return workload(name, [{ form: graph, topology }], loads);
}

/** The same LPs as those of `graphWorkload`, with every expert a row of its own: the form that a runtime has them in. */
export function graphWorkloadOfExperts(name: string, r2o: number[][], perRank: number, batch: number): Workload {
  const random = seeded(SEED);
  const gpus = r2o.length;
  const shape = { logicalExperts: gpus * perRank, epSize: gpus, redundantsPerRank: r2o[0].length };
  const form = Placement.fromRedundantToOriginal(r2o, shape);
  const expertLoad = Int32Array.from(
    Array.from({ length: batch }, () => drawRanks(random, gpus, perRank).flat()).flat(),
  );
  const loads: Loads = { batch, tokens: "integer", expertLoad, baseLoad: undefined };
  return workload(name, [{ form, topology: toTopology(form, undefined) }], loads);
}

/** Tokens of each rank's experts, the heaviest first. */
function drawRanks(random: ReturnType<typeof seeded>, ranks: number, perRank: number): number[][] {
  return Array.from({ length: ranks }, () => {
    const drawn = Array.from({ length: perRank }, () => MEAN_TOKENS * (1 + 0.3 * random.normal()));
    return drawn.map((tokens) => Math.max(0, Math.floor(tokens))).sort((a, b) => b - a);
  });
}

/** Layers of one model, each placed by EPLB on its own loads of earlier steps; decode-like loads. */
export function modelWorkload(
  name: string,
  shape: { gpus: number; experts: number; redundant: number; layers: number },
  batch: number,
): Workload {
  const { gpus, experts, redundant, layers } = shape;
  const earlier = 16;
  const steps = Math.ceil(batch / layers);
  const history = generateLoads({ steps: earlier + steps, layers, experts }, SEED);
  const rows = layers * experts;
  const weight = Array.from({ length: layers }, (_, layer) => {
    const sum = new Float64Array(experts);
    for (let step = 0; step < earlier; step++) {
      for (let e = 0; e < experts; e++) sum[e] += history.loads[step * rows + layer * experts + e];
    }
    return sum;
  });
  const { physicalToLogical } = rebalanceExperts(weight, { replicas: experts + redundant, gpus });
  const placed = physicalToLogical.map((map) => {
    const form = Placement.fromPhysicalToLogical(map, { gpus });
    return { form, topology: toTopology(form, undefined) };
  });
  const expertLoad = history.loads.slice(earlier * rows, earlier * rows + batch * experts);
  return workload(name, placed, { batch, tokens: "integer", expertLoad, baseLoad: undefined });
}

/** The first `batch` LPs. */
export function firstOf(work: Workload, batch: number): Workload {
  const { name, layers, loads } = work;
  if (batch >= loads.batch) return work;
  const { expertLoad, baseLoad, tokens } = loads;
  const rows = <T extends Int32Array | Float64Array>(values: T) =>
    values.slice(0, (values.length / loads.batch) * batch) as T;
  return workload(name, layers, {
    batch,
    tokens,
    expertLoad: rows(expertLoad),
    baseLoad: baseLoad && rows(baseLoad),
  });
}

/** All LPs again and again. */
export function repeated(work: Workload, times: number): Workload {
  const tiled = <T extends Int32Array | Float64Array>(values: T): T => {
    const all = new (values.constructor as new (length: number) => T)(values.length * times);
    for (let i = 0; i < times; i++) all.set(values, i * values.length);
    return all;
  };
  const { layers, loads, optimum } = work;
  if (loads.batch % layers.length !== 0) throw new Error(`${work.name}: the layers of repeated LPs would change.`);
  const batch = loads.batch * times;
  const { expertLoad, baseLoad } = loads;
  return {
    ...work,
    batch,
    loads: { ...loads, batch, expertLoad: tiled(expertLoad), baseLoad: baseLoad && tiled(baseLoad) },
    optimum: { integer: tiled(optimum.integer), fractional: tiled(optimum.fractional) },
  };
}

function workload(name: string, layers: readonly Layer[], loads: Loads): Workload {
  const { gpus } = layers[0].topology;
  const optimum = { integer: new Float64Array(loads.batch), fractional: new Float64Array(loads.batch) };
  const solvers = layers.map(({ topology }) => exactSolver(topology));
  const made = { name, layers, gpus, batch: loads.batch, loads, optimum };
  for (let lp = 0; lp < loads.batch; lp++) {
    const { topology } = layers[lp % layers.length];
    for (const tokens of ["integer", "fractional"] as const) {
      const x = new Float64Array(topology.replicaGpu.length);
      solvers[lp % layers.length].solve({ ...loads, tokens }, lp, x, new Uint8Array(gpus));
      optimum[tokens][lp] = maxLoad(made, lp, x);
    }
  }
  return made;
}

/** The max load of LP `lp` under x [R] tokens per replica. */
export function maxLoad(
  { layers, gpus, loads }: Pick<Workload, "layers" | "gpus" | "loads">,
  lp: number,
  x: ArrayLike<number>,
): number {
  const { replicaGpu } = layers[lp % layers.length].topology;
  const load = new Float64Array(gpus);
  for (let g = 0; g < gpus; g++) load[g] = loads.baseLoad?.[lp * gpus + g] ?? 0;
  for (let r = 0; r < replicaGpu.length; r++) load[replicaGpu[r]] += x[r];
  return load.reduce((a, b) => Math.max(a, b));
}

/** Expert e's tokens in LP `lp`. */
export function tokensOf({ layers, loads }: Workload, lp: number, e: number): number {
  return loads.expertLoad[lp * layers[0].topology.experts + e];
}

/** What no solver can move: base loads and experts with one replica, [G]. */
export function fixedLoad(work: Workload, lp: number): Float64Array {
  const { experts, replicaStart, replicaGpu } = work.layers[lp % work.layers.length].topology;
  const fixed = Float64Array.from({ length: work.gpus }, (_, g) => work.loads.baseLoad?.[lp * work.gpus + g] ?? 0);
  for (let e = 0; e < experts; e++) {
    if (replicaStart[e + 1] - replicaStart[e] === 1) fixed[replicaGpu[replicaStart[e]]] += tokensOf(work, lp, e);
  }
  return fixed;
}

/** Experts that have a choice of replica. */
export function choosers({ experts, replicaStart }: Pick<Topology, "experts" | "replicaStart">): number[] {
  return [...Array(experts).keys()].filter((e) => replicaStart[e + 1] - replicaStart[e] > 1);
}
