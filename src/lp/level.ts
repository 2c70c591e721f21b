import type { Loads } from "./problem.ts";
import { type RawSolution, writeQuotas } from "./solution.ts";
import { NO_REPLICA, type Topology } from "./topology.ts";

/**
 * Levels whole-token splits at equal speeds. An optimum says nothing of the GPUs below the bottleneck; of all splits this makes the one
 * whose loads in descending order are lexicographically least, which also minimises the sum of f(load) for every convex f. The loads of
 * all splits are an M-convex set, so that is where no residual path leads from a GPU to one at least 2 lower: tokens of an expert on a GPU
 * may go to its other replicas, whose GPUs pass on others.    [Harvey, Ladner, Lovasz, Tamir 2006; Frank, Murota 2022]
 *
 * By division: all GPUs of a group are brought down to its mean m, rounded up, or else those that have no way out are a group of their own,
 * for which everybody else is too low and which nobody else should relieve; likewise up to m, rounded down. What cannot be divided holds floor(m) or
 * ceil(m) tokens each. Who holds the one more is settled by label: the lowest that can. So the loads are the same whoever solved.
 */
export interface Leveller {
  /** Levels LP `lp` in place. Its quotas must serve every expert; what its member set proves stays proven. */
  level(loads: Loads, lp: number, raw: RawSolution): void;
}

const DOWN = 1; // from a GPU that holds too much to one that holds less,
const UP = -1; // and to a GPU that holds too little from one that holds more
type Direction = typeof DOWN | typeof UP;

/** Over all experts before the first division: more change little. */
const SWEEPS = 4;

/** Of a GPU that is in no group: it was closed off. */
const NONE = -1;

/** Scratch for one topology. */
export function leveller(topology: Topology): Leveller {
  const { gpus, slots, replicaGpu, slotReplica } = topology;
  const { first, end, gpuStart, gpuReplica, gpuChooser } = choices(topology);
  const x = new Float64Array(replicaGpu.length); // tokens per replica
  const held = new Float64Array(gpus); // tokens per GPU
  const order = Int32Array.from(new Set(Array.from(gpuReplica, (r) => replicaGpu[r]))); // a group stands side by side
  const group = new Int32Array(gpus);
  const floorOf = new Float64Array(2 * gpus); // of each group; they divide less than G times
  const closed = new Int32Array(gpus); // GPUs that a search could not leave
  const rest = new Int32Array(gpus);
  const leaves = new Int32Array(gpus); // by which replica a path leaves a GPU or the one before it,
  const arrives = new Int32Array(gpus); // and by which it arrives
  const visited = new Int32Array(gpus); // number of the search
  const seen = new Int32Array(first.length);
  const queue = new Int32Array(gpus);
  let searches = 0;
  let groups = 0;
  let closedOff = 0;

  /**
   * Breadth-first within the group of `start` to a GPU of label > `above` that holds less than `mark` (down), or more (up). Returns it, or NONE: then
   * the GPUs reached are closed off.
   */
  function search(start: number, direction: Direction, mark: number, above: number): number {
    const id = group[start];
    visited[start] = ++searches;
    queue[0] = start;
    let tail = 1;
    for (let head = 0; head < tail; head++) {
      const here = queue[head];
      for (let i = gpuStart[here]; i < gpuStart[here + 1]; i++) {
        const own = gpuReplica[i];
        const e = gpuChooser[i];
        if (seen[e] === searches || (direction === DOWN && !(x[own] > 0))) continue;
        seen[e] = searches;
        for (let r = first[e]; r < end[e]; r++) {
          const g = replicaGpu[r];
          if (visited[g] === searches || group[g] !== id || (direction === UP && !(x[r] > 0))) continue;
          visited[g] = searches;
          leaves[g] = direction === DOWN ? own : r;
          arrives[g] = direction === DOWN ? r : own;
          if ((mark - held[g]) * direction > 0 && g > above) return g;
          queue[tail++] = g;
        }
      }
    }
    for (let i = 0; i < tail; i++) {
      closed[closedOff++] = queue[i];
      group[queue[i]] = NONE;
    }
    return NONE;
  }

  /** Evens out the GPUs of each two neighbouring replicas of an expert, to the token: what is near needs no search then. */
  function evenOutNeighbours(): void {
    for (let e = 0; e < first.length; e++) {
      for (let r = first[e] + 1; r < end[e]; r++) {
        const a = replicaGpu[r - 1];
        const b = replicaGpu[r];
        const half = Math.trunc((held[a] - held[b]) / 2);
        const amount = Math.max(-x[r], Math.min(x[r - 1], half));
        x[r - 1] -= amount;
        x[r] += amount;
        held[a] -= amount;
        held[b] += amount;
      }
    }
  }

  /** Moves at most `amount` tokens along the path that a search from `start` found to g: as many as it can carry. */
  function move(start: number, g: number, direction: Direction, amount: number): void {
    const before = direction === DOWN ? leaves : arrives;
    for (let k = g; k !== start; k = replicaGpu[before[k]]) amount = Math.min(amount, x[leaves[k]]);
    for (let k = g; k !== start; k = replicaGpu[before[k]]) {
      x[leaves[k]] -= amount;
      x[arrives[k]] += amount;
    }
    held[start] -= direction * amount;
    held[g] += direction * amount;
  }

  /** Brings the group order[from, to) down, or up, to `mark`. GPUs for which there is no way come to stand first; returns how many. */
  function bring(from: number, to: number, direction: Direction, mark: number): number {
    closedOff = 0;
    for (let i = from; i < to; i++) {
      const start = order[i];
      while (group[start] !== NONE && (held[start] - mark) * direction > 0) {
        const g = search(start, direction, mark, -1);
        if (g === NONE) break;
        const room = (mark - held[g]) * direction;
        move(start, g, direction, Math.min(room, (held[start] - mark) * direction));
      }
    }
    if (closedOff === 0) return 0;
    let left = 0;
    for (let i = from; i < to; i++) if (group[order[i]] !== NONE) rest[left++] = order[i];
    for (let i = 0; i < closedOff; i++) order[from + i] = closed[i];
    for (let i = 0; i < left; i++) order[from + closedOff + i] = rest[i];
    return closedOff;
  }

  function divide(from: number, to: number): void {
    while (to > from) {
      let sum = 0;
      for (let i = from; i < to; i++) {
        sum += held[order[i]];
        group[order[i]] = groups;
      }
      const floor = Math.floor(sum / (to - from));
      const ceil = Math.ceil(sum / (to - from));
      floorOf[groups++] = floor === ceil ? Number.NaN : floor; // no ties
      const apart = bring(from, to, DOWN, ceil) || bring(from, to, UP, floor);
      if (apart === 0) return;
      const middle = from + apart;
      const firstIsSmaller = apart < to - middle; // recursion on the smaller half is log2(G) deep at most
      divide(...(firstIsSmaller ? ([from, middle] as const) : ([middle, to] as const)));
      if (firstIsSmaller) from = middle;
      else to = middle;
    }
  }

  /** Greedily, as in any matroid: a failed search closes off what can serve no later label either. */
  function settleTies(): void {
    closedOff = 0;
    for (let start = 0; start < gpus; start++) {
      if (group[start] === NONE || held[start] !== floorOf[group[start]]) continue;
      const g = search(start, UP, held[start], start);
      if (g !== NONE) move(start, g, UP, 1);
    }
  }

  function level({ baseLoad }: Loads, lp: number, raw: RawSolution): void {
    const quota = raw.quota.subarray(lp * slots, (lp + 1) * slots);
    x.fill(0);
    for (let p = 0; p < slots; p++) if (slotReplica[p] !== NO_REPLICA) x[slotReplica[p]] += quota[p];
    for (let g = 0; g < gpus; g++) held[g] = baseLoad ? baseLoad[lp * gpus + g] : 0;
    for (let r = 0; r < x.length; r++) held[replicaGpu[r]] += x[r];
    for (let i = 0; i < SWEEPS; i++) evenOutNeighbours();
    groups = 0;
    group.fill(NONE);
    divide(0, order.length);
    settleTies();
    writeQuotas(topology, "integer", x, quota);
  }
  return { level };
}

/** The experts with a choice of replica: their replicas, first[e] to end[e] - 1, and by GPU. */
function choices({ gpus, experts, replicaStart, replicaGpu }: Topology) {
  const choosers = [...Array(experts).keys()].filter((e) => replicaStart[e + 1] - replicaStart[e] > 1);
  const onGpu: [replica: number, chooser: number][][] = Array.from({ length: gpus }, () => []);
  for (const [i, e] of choosers.entries()) {
    for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) onGpu[replicaGpu[r]].push([r, i]);
  }
  const gpuStart = new Int32Array(gpus + 1);
  for (let g = 0; g < gpus; g++) gpuStart[g + 1] = gpuStart[g] + onGpu[g].length;
  return {
    first: Int32Array.from(choosers, (e) => replicaStart[e]),
    end: Int32Array.from(choosers, (e) => replicaStart[e + 1]),
    gpuStart,
    gpuReplica: Int32Array.from(onGpu.flat(), ([r]) => r),
    gpuChooser: Int32Array.from(onGpu.flat(), ([, e]) => e),
  };
}
