/**
 * The exact solver: discrete Newton on cuts. t starts at the best bound of the cuts that are known without search (all GPUs, each GPU
 * alone); tokens are routed into the capacities that t allows by augmenting paths; where an expert's tokens cannot be routed, the GPUs
 * that the search reached are a better cut, t rises to its bound, and the flow so far stays valid. In whole tokens all arithmetic is on
 * integers below 2^53 and the result is optimal to the token; in fractions it is f64.
 *
 * About one max-flow in all. It is the CPU backend, and the oracle for the WebGPU one, with which it shares no code but `cut.ts`.
 */
import { cutBound, insideLoad, wholeTokensBy } from "./cut.ts";
import type { Loads } from "./problem.ts";
import { adjacency, type Topology } from "./topology.ts";

/** In fractions, amounts below this share of the largest load are rounding: neither room nor tokens still to route. */
const ROUNDING = 1e-13;

export interface ExactSolver {
  /**
   * Solves LP `lp` of `loads`.
   * @param x  [R] out: tokens per replica.  @param member  [G] out: 1 on the bottleneck set, 0 elsewhere.
   * @returns the number of augmenting paths.
   */
  solve(loads: Loads, lp: number, x: Float64Array, member: Uint8Array): number;
}

/** Scratch for one topology; solves are independent of each other. */
export function exactSolver(topology: Topology): ExactSolver {
  const { experts, replicaStart } = topology;
  const flow = new Flow(topology);

  function solve(loads: Loads, lp: number, x: Float64Array, member: Uint8Array): number {
    flow.begin(loads, lp, x);
    const bound = new LoadBound(topology, loads, lp, flow.cap, member);
    bound.raise(flow.visited.fill(1));
    flow.visited.fill(0)[flow.hottest()] = 1; // {g} needs load[g] / v_g: only the worst of these cuts can be the best
    bound.raise(flow.visited);
    let moves = 0;
    for (let e = 0; e < experts; e++) {
      if (replicaStart[e + 1] - replicaStart[e] < 2) continue;
      moves += route(flow, bound, e, loads.expertLoad[lp * experts + e]);
    }
    return moves;
  }
  return { solve };
}

/** The best cut so far. */
export interface Bound {
  /** Whether S proves more than the best cut so far: then it takes its place, and the flow's caps are what it lets every GPU hold. */
  raise(S: Uint8Array): boolean;
}

/** Routes an expert's tokens into the caps, raised where they have to be. Returns the number of augmenting paths. */
export function route(flow: Flow, bound: Bound, e: number, tokens: number): number {
  let left = tokens;
  let paths = 0;
  while (left > flow.eps) {
    const end = flow.search(e);
    if (end >= 0) {
      left -= flow.augment(end, left);
      paths++;
    } else if (!bound.raise(flow.visited)) {
      break; // fractions only: what is left is rounding
    }
  }
  if (left > 0) flow.put(e, left);
  return paths;
}

/** By loads in proportion to tokens. */
class LoadBound implements Bound {
  private t = -Infinity;

  constructor(
    private readonly topology: Topology,
    private readonly loads: Loads,
    private readonly lp: number,
    private readonly cap: Float64Array,
    private readonly member: Uint8Array,
  ) {}

  raise(S: Uint8Array): boolean {
    const { gpus, speed } = this.topology;
    const { tokens, expertLoad, baseLoad } = this.loads;
    const speeds: number[] = [];
    for (let g = 0; g < gpus; g++) if (S[g]) speeds.push(speed[g]);
    const t = cutBound(insideLoad(this.topology, expertLoad, baseLoad, this.lp, S), speeds, tokens);
    if (t <= this.t) return false;
    this.t = t;
    this.member.set(S);
    for (let g = 0; g < gpus; g++) this.cap[g] = tokens === "integer" ? wholeTokensBy(t, speed[g]) : speed[g] * t;
    return true;
  }
}

/** Tokens on replicas and GPUs, and the paths on which more can be routed into the caps. */
export class Flow {
  readonly cap: Float64Array;
  /** [G] of the last search. */
  readonly visited: Uint8Array;
  /** Amounts up to this are rounding; 0 in whole tokens. */
  eps = 0;
  private x: Float64Array = new Float64Array(0);
  private readonly load: Float64Array;
  private readonly queue: Int32Array;
  /** The replica on each GPU that the path's tokens arrive at, */
  private readonly arrives: Int32Array;
  /** and the replica of the same expert that they leave, -1 for tokens not yet routed. */
  private readonly leaves: Int32Array;
  private readonly around: ReturnType<typeof adjacency>;

  constructor(private readonly topology: Topology) {
    const { gpus } = topology;
    this.cap = new Float64Array(gpus);
    this.visited = new Uint8Array(gpus);
    this.load = new Float64Array(gpus);
    this.queue = new Int32Array(gpus);
    this.arrives = new Int32Array(gpus);
    this.leaves = new Int32Array(gpus);
    this.around = adjacency(topology);
  }

  /** Holds base loads and the experts without a choice, and nothing else. `x` is written from here on. */
  begin({ tokens, expertLoad, baseLoad }: Loads, lp: number, x: Float64Array): void {
    const { gpus, experts, replicaStart, replicaGpu } = this.topology;
    const { load } = this;
    const rounding = tokens === "integer" ? 0 : ROUNDING;
    this.x = x.fill(0, 0, replicaGpu.length);
    this.eps = 0;
    for (let g = 0; g < gpus; g++) load[g] = baseLoad ? baseLoad[lp * gpus + g] : 0;
    for (let e = 0; e < experts; e++) {
      const w = expertLoad[lp * experts + e];
      const copies = replicaStart[e + 1] - replicaStart[e];
      if (copies > 0) this.eps = Math.max(this.eps, w * rounding);
      if (copies === 1) this.put(e, w);
    }
    for (let g = 0; g < gpus; g++) this.eps = Math.max(this.eps, Math.abs(load[g]) * rounding);
  }

  hottest(): number {
    const { load } = this;
    const { gpus, speed } = this.topology;
    let hottest = 0;
    for (let g = 1; g < gpus; g++) if (load[g] / speed[g] > load[hottest] / speed[hottest]) hottest = g;
    return hottest;
  }

  /** Gives tokens to the first replica of an expert, whatever the cap. */
  put(e: number, tokens: number): void {
    const { replicaStart, replicaGpu } = this.topology;
    this.x[replicaStart[e]] += tokens;
    this.load[replicaGpu[replicaStart[e]]] += tokens;
  }

  /** Breadth-first from the GPUs of expert e to one with room; returns that GPU, or -1 with `visited` a full set of GPUs. */
  search(e: number): number {
    const { x, cap, load, eps, visited, queue, arrives, leaves } = this;
    const { replicaStart, replicaGpu } = this.topology;
    const { replicaExpert, gpuStart, gpuReplica } = this.around;
    visited.fill(0);
    let tail = 0;
    for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) {
      const g = replicaGpu[r];
      if (visited[g]) continue; // where slots are replicas, an expert may be on a GPU several times
      visited[g] = 1;
      arrives[g] = r;
      leaves[g] = -1;
      if (cap[g] - load[g] > eps) return g;
      queue[tail++] = g;
    }
    for (let head = 0; head < tail; head++) {
      const from = queue[head];
      for (let i = gpuStart[from]; i < gpuStart[from + 1]; i++) {
        const r = gpuReplica[i];
        if (!(x[r] > eps)) continue;
        const other = replicaExpert[r];
        for (let k = replicaStart[other]; k < replicaStart[other + 1]; k++) {
          const g = replicaGpu[k];
          if (visited[g]) continue;
          visited[g] = 1;
          arrives[g] = k;
          leaves[g] = r;
          if (cap[g] - load[g] > eps) return g;
          queue[tail++] = g;
        }
      }
    }
    return -1;
  }

  /** Sends up to `amount` tokens along the path that ends on GPU `end`; returns how many. */
  augment(end: number, amount: number): number {
    const { x, cap, load, arrives, leaves } = this;
    const { replicaGpu } = this.topology;
    let sent = Math.min(amount, cap[end] - load[end]);
    for (let g = end; leaves[g] >= 0; g = replicaGpu[leaves[g]]) sent = Math.min(sent, x[leaves[g]]);
    load[end] += sent;
    for (let g = end; ; g = replicaGpu[leaves[g]]) {
      x[arrives[g]] += sent;
      if (leaves[g] < 0) return sent;
      x[leaves[g]] -= sent;
    }
  }
}
