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
  const { slots } = topology;
  const split = new Split(topology);
  const groups = new Groups(split);

  function level(loads: Loads, lp: number, raw: RawSolution): void {
    const quota = raw.quota.subarray(lp * slots, (lp + 1) * slots);
    split.read(loads, lp, quota);
    for (let i = 0; i < SWEEPS; i++) split.evenOutNeighbours();
    groups.divideAll();
    groups.settleTies();
    writeQuotas(topology, "integer", split.x, quota);
  }
  return { level };
}

/** Tokens on replicas and GPUs, and the paths along which they move within a group of GPUs. */
class Split {
  /** Tokens per replica, */
  readonly x: Float64Array;
  /** and per GPU. */
  readonly held: Float64Array;
  /** [G] the group of each GPU, or NONE. */
  readonly group: Int32Array;
  /** GPUs that hold a replica of an expert with several. */
  readonly movable: Int32Array;
  /** The GPUs that searches could not leave, and how many. */
  readonly closed: Int32Array;
  closedOff = 0;
  private readonly choices: ReturnType<typeof choices>;
  /** By which replica a path leaves a GPU or the one before it, */
  private readonly leaves: Int32Array;
  /** and by which it arrives. */
  private readonly arrives: Int32Array;
  /** Number of the last search that came to a GPU, */
  private readonly visited: Int32Array;
  /** or to an expert. */
  private readonly seen: Int32Array;
  private readonly queue: Int32Array;
  private searches = 0;

  constructor(private readonly topology: Topology) {
    const { gpus, replicaGpu } = topology;
    this.choices = choices(topology);
    this.x = new Float64Array(replicaGpu.length);
    this.held = new Float64Array(gpus);
    this.movable = Int32Array.from(new Set(Array.from(this.choices.gpuReplica, (r) => replicaGpu[r])));
    this.group = new Int32Array(gpus);
    this.closed = new Int32Array(gpus);
    this.leaves = new Int32Array(gpus);
    this.arrives = new Int32Array(gpus);
    this.visited = new Int32Array(gpus);
    this.seen = new Int32Array(this.choices.first.length);
    this.queue = new Int32Array(gpus);
  }

  read({ baseLoad }: Loads, lp: number, quota: RawSolution["quota"]): void {
    const { x, held } = this;
    const { gpus, slots, replicaGpu, slotReplica } = this.topology;
    x.fill(0);
    for (let p = 0; p < slots; p++) if (slotReplica[p] !== NO_REPLICA) x[slotReplica[p]] += quota[p];
    for (let g = 0; g < gpus; g++) held[g] = baseLoad ? baseLoad[lp * gpus + g] : 0;
    for (let r = 0; r < x.length; r++) held[replicaGpu[r]] += x[r];
  }

  /** Evens out the GPUs of each two neighbouring replicas of an expert, to the token: what is near needs no search then. */
  evenOutNeighbours(): void {
    const { x, held } = this;
    const { replicaGpu } = this.topology;
    const { first, end } = this.choices;
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

  /**
   * Breadth-first within the group of `start` to a GPU of label > `above` that holds less than `mark` (down), or more (up). Returns it, or NONE: then
   * the GPUs reached are closed off.
   */
  search(start: number, direction: Direction, mark: number, above: number): number {
    const { x, held, group, leaves, arrives, visited, seen, queue } = this;
    const { replicaGpu } = this.topology;
    const { first, end, gpuStart, gpuReplica, gpuChooser } = this.choices;
    const id = group[start];
    const now = ++this.searches;
    visited[start] = now;
    queue[0] = start;
    let tail = 1;
    for (let head = 0; head < tail; head++) {
      const here = queue[head];
      for (let i = gpuStart[here]; i < gpuStart[here + 1]; i++) {
        const own = gpuReplica[i];
        const e = gpuChooser[i];
        if (seen[e] === now || (direction === DOWN && !(x[own] > 0))) continue;
        seen[e] = now;
        for (let r = first[e]; r < end[e]; r++) {
          const g = replicaGpu[r];
          if (visited[g] === now || group[g] !== id || (direction === UP && !(x[r] > 0))) continue;
          visited[g] = now;
          leaves[g] = direction === DOWN ? own : r;
          arrives[g] = direction === DOWN ? r : own;
          if ((mark - held[g]) * direction > 0 && g > above) return g;
          queue[tail++] = g;
        }
      }
    }
    for (let i = 0; i < tail; i++) {
      this.closed[this.closedOff++] = queue[i];
      group[queue[i]] = NONE;
    }
    return NONE;
  }

  /** Moves at most `amount` tokens along the path that a search from `start` found to g: as many as it can carry. */
  move(start: number, g: number, direction: Direction, amount: number): void {
    const { x, held, leaves, arrives } = this;
    const { replicaGpu } = this.topology;
    const before = direction === DOWN ? leaves : arrives;
    let moved = amount;
    for (let k = g; k !== start; k = replicaGpu[before[k]]) moved = Math.min(moved, x[leaves[k]]);
    for (let k = g; k !== start; k = replicaGpu[before[k]]) {
      x[leaves[k]] -= moved;
      x[arrives[k]] += moved;
    }
    held[start] -= direction * moved;
    held[g] += direction * moved;
  }
}

/** The division of GPUs into groups that hold the same, but for a token. */
class Groups {
  /** A group stands side by side. */
  private readonly order: Int32Array;
  /** Of each group; they divide less than G times. */
  private readonly floorOf: Float64Array;
  private readonly rest: Int32Array;
  private groups = 0;

  constructor(private readonly split: Split) {
    const gpus = split.group.length;
    this.order = split.movable.slice();
    this.floorOf = new Float64Array(2 * gpus);
    this.rest = new Int32Array(gpus);
  }

  divideAll(): void {
    this.groups = 0;
    this.split.group.fill(NONE);
    this.divide(0, this.order.length);
  }

  /** Divides order[first, end) into groups. */
  private divide(first: number, end: number): void {
    const { order, floorOf, split } = this;
    let from = first;
    let to = end;
    while (to > from) {
      let sum = 0;
      for (let i = from; i < to; i++) {
        sum += split.held[order[i]];
        split.group[order[i]] = this.groups;
      }
      const floor = Math.floor(sum / (to - from));
      const ceil = Math.ceil(sum / (to - from));
      floorOf[this.groups++] = floor === ceil ? Number.NaN : floor; // no ties
      const apart = this.bring(from, to, DOWN, ceil) || this.bring(from, to, UP, floor);
      if (apart === 0) return;
      const middle = from + apart;
      const firstIsSmaller = apart < to - middle; // recursion on the smaller half is log2(G) deep at most
      this.divide(...(firstIsSmaller ? ([from, middle] as const) : ([middle, to] as const)));
      if (firstIsSmaller) from = middle;
      else to = middle;
    }
  }

  /** Brings the group order[from, to) down, or up, to `mark`. GPUs for which there is no way come to stand first; returns how many. */
  private bring(from: number, to: number, direction: Direction, mark: number): number {
    const { order, rest, split } = this;
    const { held, group, closed } = split;
    split.closedOff = 0;
    for (let i = from; i < to; i++) {
      const start = order[i];
      while (group[start] !== NONE && (held[start] - mark) * direction > 0) {
        const g = split.search(start, direction, mark, -1);
        if (g === NONE) break;
        const room = (mark - held[g]) * direction;
        split.move(start, g, direction, Math.min(room, (held[start] - mark) * direction));
      }
    }
    const { closedOff } = split;
    if (closedOff === 0) return 0;
    let left = 0;
    for (let i = from; i < to; i++) if (group[order[i]] !== NONE) rest[left++] = order[i];
    for (let i = 0; i < closedOff; i++) order[from + i] = closed[i];
    for (let i = 0; i < left; i++) order[from + closedOff + i] = rest[i];
    return closedOff;
  }

  /** Greedily, as in any matroid: a failed search closes off what can serve no later label either. */
  settleTies(): void {
    const { floorOf, split } = this;
    const { held, group } = split;
    split.closedOff = 0;
    for (let start = 0; start < group.length; start++) {
      if (group[start] === NONE || held[start] !== floorOf[group[start]]) continue;
      const g = split.search(start, UP, held[start], start);
      if (g !== NONE) split.move(start, g, UP, 1);
    }
  }
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
