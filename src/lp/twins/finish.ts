import { cutBound, insideLoad, wholeTokensBy } from "../cut.ts";
import type { Loads } from "../problem.ts";
import { adjacency, type Topology } from "../topology.ts";

/**
 * Twin of shaders/lp/finish.wgsl and whole_time.wgsl: rounds `x` [R] to whole tokens and moves tokens until every load is within
 * the bound of `member` [G], the best cut so far, which is replaced by a better one whenever the search is stuck. Both are
 * overwritten. Caps follow the speeds themselves, in f64, where the shader counts in integer paces.
 *
 * @returns the number of moves.
 */
export function finish(topology: Topology, loads: Loads, lp: number, x: Float64Array, member: Uint8Array): number {
  const { gpus } = topology;
  roundToTokens(topology, loads, lp, x);
  const state: State = {
    x,
    held: heldBy(topology, loads, lp, x),
    cap: new Float64Array(gpus).fill(-Infinity),
    visited: new Uint8Array(gpus),
    arrives: new Int32Array(gpus),
    leaves: new Int32Array(gpus),
    ...adjacency(topology),
  };
  const { held, cap, visited } = state;
  raiseCaps(topology, loads, lp, member, cap);
  let moves = 0;
  for (let start = 0; start < gpus; start++) {
    while (held[start] > cap[start]) {
      const end = search(topology, state, start);
      if (end >= 0) {
        moveTokens(topology, state, start, end);
        moves++;
      } else {
        member.set(visited);
        raiseCaps(topology, loads, lp, member, cap);
      }
    }
  }
  return moves;
}

interface State extends ReturnType<typeof adjacency> {
  /** [R] */
  readonly x: Float64Array;
  /** [G] tokens on each GPU, */
  readonly held: Float64Array;
  /** [G] and how many it may hold. */
  readonly cap: Float64Array;
  /** [G] of the last search: where it was, and by which replicas the path arrives there, and leaves where it came from. */
  readonly visited: Uint8Array;
  readonly arrives: Int32Array;
  readonly leaves: Int32Array;
}

function heldBy({ gpus, replicaGpu }: Topology, { baseLoad }: Loads, lp: number, x: Float64Array): Float64Array {
  const held = Float64Array.from({ length: gpus }, (_, g) => (baseLoad ? baseLoad[lp * gpus + g] : 0));
  for (let r = 0; r < x.length; r++) held[replicaGpu[r]] += x[r];
  return held;
}

function raiseCaps(topology: Topology, loads: Loads, lp: number, member: Uint8Array, cap: Float64Array): void {
  const { gpus, speed } = topology;
  const speeds = [...speed].filter((_, g) => member[g]);
  const t = cutBound(insideLoad(topology, loads.expertLoad, loads.baseLoad, lp, member), speeds, "integer");
  for (let g = 0; g < gpus; g++) cap[g] = Math.max(cap[g], wholeTokensBy(t, speed[g]));
}

/** Breadth-first from `start`; returns a GPU with room, or -1 with `visited` a set without any. */
function search({ replicaStart, replicaGpu }: Topology, state: State, start: number): number {
  const { x, held, cap, visited, arrives, leaves, replicaExpert, gpuStart, gpuReplica } = state;
  visited.fill(0)[start] = 1;
  const queue = [start];
  for (const a of queue) {
    for (let i = gpuStart[a]; i < gpuStart[a + 1]; i++) {
      const r = gpuReplica[i];
      if (x[r] === 0) continue;
      const e = replicaExpert[r];
      for (let k = replicaStart[e]; k < replicaStart[e + 1]; k++) {
        const g = replicaGpu[k];
        if (visited[g]) continue;
        visited[g] = 1;
        arrives[g] = k;
        leaves[g] = r;
        if (held[g] < cap[g]) return g;
        queue.push(g);
      }
    }
  }
  return -1;
}

/** Moves what the excess of `start`, the room on `end` and the path between them allow. */
function moveTokens(
  { replicaGpu }: Topology,
  { x, held, cap, arrives, leaves }: State,
  start: number,
  end: number,
): void {
  let amount = Math.min(held[start] - cap[start], cap[end] - held[end]);
  for (let g = end; g !== start; g = replicaGpu[leaves[g]]) amount = Math.min(amount, x[leaves[g]]);
  for (let g = end; g !== start; g = replicaGpu[leaves[g]]) {
    x[arrives[g]] += amount;
    x[leaves[g]] -= amount;
  }
  held[start] -= amount;
  held[end] += amount;
}

function roundToTokens({ experts, replicaStart }: Topology, { expertLoad }: Loads, lp: number, x: Float64Array): void {
  for (let e = 0; e < experts; e++) {
    const last = replicaStart[e + 1] - 1;
    if (last < replicaStart[e]) continue; // lost
    let left = expertLoad[lp * experts + e];
    for (let r = replicaStart[e]; r < last; r++) left -= x[r] = Math.min(left, Math.floor(x[r] + 0.5));
    x[last] = left;
  }
}
