/** Edge balancing, the method of LPLB's pull request 9: repeated pairwise equalising along replica edges, one colour after the other. */
import { compile, type Kernel } from "../../src/gpu/pipeline.ts";
import { adjacency, type Topology } from "../../src/lp/topology.ts";
import { runningKernel } from "../gpu_job.ts";
import type { Method, Prepared } from "../method.ts";
import { choosers, fixedLoad, tokensOf, type Workload } from "../workloads.ts";
import wgsl from "./edge_balance.wgsl";

/** Largest move of the last sweep, in mean loads: 8 ulp of f32 loads. Less, and rounding alone keeps sweeps alive. */
export const TOLERANCE = 2 ** -20;
/** Far beyond what is needed. */
export const MAX_SWEEPS = 10_000;
const LANES = 32;

const kernel = {
  name: "edge_balance",
  wgsl,
  includes: [],
  bindings: {
    pairs: "read-only-storage",
    start: "read-only-storage",
    even: "read-only-storage",
    x: "storage",
    params: "uniform",
  },
} satisfies Kernel;

/** Replicas [i, j] of one expert. */
export type Pair = readonly [number, number];

/** What colours look at. */
type Choosing = Pick<Topology, "experts" | "gpus" | "replicaStart" | "replicaGpu">;

/** Every pair of replicas of one expert, greedily coloured so that pairs of one colour share no GPU; colour by colour. */
export function colouredPairs(topology: Choosing): Pair[][] {
  const { replicaStart, replicaGpu, gpus } = topology;
  const colours: Pair[][] = [];
  const taken: Set<number>[] = Array.from({ length: gpus }, () => new Set());
  for (const e of choosers(topology)) {
    for (let i = replicaStart[e]; i < replicaStart[e + 1]; i++) {
      for (let j = i + 1; j < replicaStart[e + 1]; j++) {
        const [here, there] = [taken[replicaGpu[i]], taken[replicaGpu[j]]];
        let colour = 0;
        while (here.has(colour) || there.has(colour)) colour++;
        here.add(colour);
        there.add(colour);
        colours[colour] ??= [];
        colours[colour].push([i, j]);
      }
    }
  }
  return colours;
}

/** The even split and the loads that it gives, in mean loads of a GPU. Replicas without a choice count as load only. */
function startOf(work: Workload, lp: number) {
  const { topology } = work.layers[lp % work.layers.length];
  const { replicaStart, replicaGpu, experts } = topology;
  const fixed = fixedLoad(work, lp);
  let total = fixed.reduce((a, b) => a + b);
  for (const e of choosers(topology)) total += tokensOf(work, lp, e);
  const scale = total > 0 ? work.gpus / total : 1;
  const even = new Float64Array(replicaGpu.length);
  for (let e = 0; e < experts; e++) {
    const count = replicaStart[e + 1] - replicaStart[e];
    if (count > 1) even.fill((tokensOf(work, lp, e) * scale) / count, replicaStart[e], replicaStart[e + 1]);
  }
  const load = fixed.map((tokens) => tokens * scale);
  for (const [r, tokens] of even.entries()) load[replicaGpu[r]] += tokens;
  return { load, even };
}

/** Twin of edge_balance.wgsl in f64: x [R] in mean loads, 0 where there is no choice. */
export function balanceEdges(work: Workload, lp: number): Float64Array {
  const { topology } = work.layers[lp % work.layers.length];
  const { load, even: x } = startOf(work, lp);
  const pairs = colouredPairs(topology).flat();
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let largest = 0;
    for (const [from, to] of pairs) {
      const [i, j] = [topology.replicaGpu[from], topology.replicaGpu[to]];
      const moved = Math.min(Math.max(0.5 * (load[i] - load[j]), -x[to]), x[from]);
      x[from] -= moved;
      x[to] += moved;
      load[i] -= moved;
      load[j] += moved;
      largest = Math.max(largest, Math.abs(moved));
    }
    if (largest <= TOLERANCE) break;
  }
  return x;
}

/** Tokens per replica: each expert's in proportion to x, so that rounding loses none. */
export function tokensFrom(work: Workload, lp: number, x: ArrayLike<number>): Float64Array {
  const { topology } = work.layers[lp % work.layers.length];
  const { replicaExpert } = adjacency(topology);
  const sum = new Float64Array(topology.experts);
  const count = new Int32Array(topology.experts);
  for (const [r, e] of replicaExpert.entries()) {
    sum[e] += x[r];
    count[e]++;
  }
  return Float64Array.from(
    replicaExpert,
    (e, r) => tokensOf(work, lp, e) * (sum[e] > 0 ? x[r] / sum[e] : 1 / count[e]),
  );
}

export function edgeBalance(device: GPUDevice): Method {
  async function prepare(work: Workload): Promise<Prepared> {
    const { gpus, batch, layers } = work;
    const replicas = Math.max(...layers.map(({ topology }) => topology.replicaGpu.length));
    const records = layers.map(({ topology }) => {
      const pairs = colouredPairs(topology).flat();
      const { replicaGpu } = topology;
      return [pairs.length, ...pairs.flatMap(([i, j]) => [replicaGpu[i], replicaGpu[j], i, j])];
    });
    const stride = Math.max(...records.map(({ length }) => length));
    const packed = new Uint32Array(layers.length * stride);
    const start = new Float32Array(batch * gpus);
    const even = new Float32Array(batch * replicas);
    for (const [layer, record] of records.entries()) packed.set(record, layer * stride);
    for (let lp = 0; lp < batch; lp++) {
      const from = startOf(work, lp);
      start.set(from.load, lp * gpus);
      even.set(from.even, lp * replicas);
    }
    const shape = { MAX_GPUS: gpus, MAX_REPLICAS: replicas, MAX_SWEEPS };
    const compiled = await compile(device, kernel, shape, { WG: LANES, TOLERANCE });
    const contents = {
      pairs: packed,
      start,
      even,
      x: batch * replicas * 4,
      params: Uint32Array.of(batch, layers.length, stride, 0),
    };
    const running = runningKernel(device, compiled, contents, ["x"], Math.ceil(batch / LANES));
    return {
      ...running,
      answer() {
        const words = running.words("x");
        const x = new Float32Array(words.buffer, words.byteOffset, words.length);
        return (lp) => tokensFrom(work, lp, x.subarray(lp * replicas, (lp + 1) * replicas));
      },
    };
  }
  return { name: "edge balancing", tokens: "fractional", exact: false, prepare };
}
