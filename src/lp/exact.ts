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
  const { gpus, experts, replicaStart, replicaGpu, speed } = topology;
  const replicas = replicaGpu.length;
  const { replicaExpert, gpuStart, gpuReplica } = adjacency(topology);
  const load = new Float64Array(gpus);
  const cap = new Float64Array(gpus);
  const queue = new Int32Array(gpus);
  const visited = new Uint8Array(gpus);
  const arrives = new Int32Array(gpus); // the replica on g that the path's tokens arrive at
  const leaves = new Int32Array(gpus); // the replica of the same expert that they leave, -1 for tokens not yet routed

  function solve(loads: Loads, lp: number, x: Float64Array, member: Uint8Array): number {
    const { tokens, expertLoad, baseLoad } = loads;
    const whole = tokens === "integer";
    let eps = 0;
    let t = -Infinity;

    function raise(S: Uint8Array): boolean {
      const speeds: number[] = [];
      for (let g = 0; g < gpus; g++) if (S[g]) speeds.push(speed[g]);
      const bound = cutBound(insideLoad(topology, expertLoad, baseLoad, lp, S), speeds, tokens);
      if (bound <= t) return false;
      t = bound;
      member.set(S);
      for (let g = 0; g < gpus; g++) cap[g] = whole ? wholeTokensBy(t, speed[g]) : speed[g] * t;
      return true;
    }

    /** Breadth-first from the GPUs of expert e to one with room; returns that GPU, or -1 with `visited` a full set of GPUs. */
    function search(e: number): number {
      visited.fill(0);
      let tail = 0;
      for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) {
        const g = replicaGpu[r];
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
    function augment(end: number, amount: number): number {
      let sent = Math.min(amount, cap[end] - load[end]);
      for (let g = end; leaves[g] >= 0; g = replicaGpu[leaves[g]]) sent = Math.min(sent, x[leaves[g]]);
      load[end] += sent;
      for (let g = end; ; g = replicaGpu[leaves[g]]) {
        x[arrives[g]] += sent;
        if (leaves[g] < 0) return sent;
        x[leaves[g]] -= sent;
      }
    }

    x.fill(0, 0, replicas);
    for (let g = 0; g < gpus; g++) load[g] = baseLoad ? baseLoad[lp * gpus + g] : 0;
    for (let e = 0; e < experts; e++) {
      const w = expertLoad[lp * experts + e];
      const copies = replicaStart[e + 1] - replicaStart[e];
      if (!whole && copies > 0) eps = Math.max(eps, w * ROUNDING);
      if (copies !== 1) continue;
      x[replicaStart[e]] = w;
      load[replicaGpu[replicaStart[e]]] += w;
    }
    if (!whole) for (let g = 0; g < gpus; g++) eps = Math.max(eps, Math.abs(load[g]) * ROUNDING);

    let hottest = 0; // {g} needs load[g] / v_g: only the worst of these cuts can be the best
    for (let g = 1; g < gpus; g++) if (load[g] / speed[g] > load[hottest] / speed[hottest]) hottest = g;
    raise(visited.fill(1));
    visited.fill(0)[hottest] = 1;
    raise(visited);

    let moves = 0;
    for (let e = 0; e < experts; e++) {
      if (replicaStart[e + 1] - replicaStart[e] < 2) continue;
      let left = expertLoad[lp * experts + e];
      while (left > eps) {
        const end = search(e);
        if (end >= 0) {
          left -= augment(end, left);
          moves++;
        } else if (!raise(visited)) {
          break; // fractions only: what is left is rounding
        }
      }
      if (left > 0) {
        x[replicaStart[e]] += left;
        load[replicaGpu[replicaStart[e]]] += left;
      }
    }
    return moves;
  }
  return { solve };
}
