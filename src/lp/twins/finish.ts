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
  const { gpus, replicaStart, replicaGpu, speed } = topology;
  const { replicaExpert, gpuStart, gpuReplica } = adjacency(topology);
  const { expertLoad, baseLoad } = loads;
  roundToTokens(topology, loads, lp, x);
  const held = new Float64Array(gpus);
  if (baseLoad) for (let g = 0; g < gpus; g++) held[g] = baseLoad[lp * gpus + g];
  for (let r = 0; r < x.length; r++) held[replicaGpu[r]] += x[r];

  const cap = new Float64Array(gpus).fill(-Infinity);
  const raiseCaps = () => {
    const speeds = [...speed].filter((_, g) => member[g]);
    const t = cutBound(insideLoad(topology, expertLoad, baseLoad, lp, member), speeds, "integer");
    for (let g = 0; g < gpus; g++) cap[g] = Math.max(cap[g], wholeTokensBy(t, speed[g]));
  };
  raiseCaps();

  const visited = new Uint8Array(gpus);
  const arrives = new Int32Array(gpus);
  const leaves = new Int32Array(gpus);

  /** Breadth-first from `start`; returns a GPU with room, or -1 with `visited` a set without any. */
  const search = (start: number): number => {
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
  };

  let moves = 0;
  for (let start = 0; start < gpus; start++) {
    while (held[start] > cap[start]) {
      const end = search(start);
      if (end < 0) {
        member.set(visited);
        raiseCaps();
        continue;
      }
      let amount = Math.min(held[start] - cap[start], cap[end] - held[end]);
      for (let g = end; g !== start; g = replicaGpu[leaves[g]]) amount = Math.min(amount, x[leaves[g]]);
      for (let g = end; g !== start; g = replicaGpu[leaves[g]]) {
        x[arrives[g]] += amount;
        x[leaves[g]] -= amount;
      }
      held[start] -= amount;
      held[end] += amount;
      moves++;
    }
  }
  return moves;
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
