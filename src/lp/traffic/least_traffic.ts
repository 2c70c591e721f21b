/**
 * The least traffic under caps. Tokens of source s for expert e, n_se, go to the GPUs of e's replicas, each of which holds at most cap_g:
 *
 *   min sum d(s, g) f_sr   s.t.   sum_{r of e} f_sr = n_se,   sum_{r on g} f_sr <= cap_g,   f >= 0 and whole
 *
 * A min-cost flow, so whole by itself. Everybody begins at the nearest replica; while a GPU holds more than its cap, tokens are pushed along the
 * cheapest path of exchanges, r to r' of the same expert, to a GPU with room [Busacker, Gowen 1961; Edmonds, Karp 1972]. Its potentials y are the
 * proof: d(s, b) - y_b >= d(s, a) - y_a wherever tokens of s lie on a and could lie on b, y <= 0, and y = 0 where there is room, so that
 *
 *   traffic = sum n_se min_{r of e} (d(s, g(r)) - y_g(r)) + sum cap_g y_g <= that of every split within the caps
 *
 * Whole distances are added exactly. Of others sums are rounded, and no exchange counts as cheaper than 0 for that.
 */
import type { Distance } from "../../placement/distance.ts";
import type { Topology } from "../topology.ts";
import { exchanges } from "./exchanges.ts";

/** Scratch for one topology; solves are independent of each other. */
export class LeastTraffic {
  /** [R, S] tokens of each source on each replica, of the LP solved last, */
  readonly flow: Float64Array;
  /** and [A] potentials of the living GPUs, <= 0. */
  readonly potential: Float64Array;
  private readonly sources: number;
  /** [A, S] */
  private readonly far: Float64Array;
  private readonly held: Float64Array;
  private readonly arcs: ReturnType<typeof exchanges>;
  /** [K] the least distance that an exchange adds, over the sources that have tokens to exchange; Infinity where none has. */
  private readonly added: Float64Array;
  /** [R] whether a replica's exchanges are to be looked at anew. */
  private readonly changed: Uint8Array;
  /** [A] from the GPUs that hold too much, in reduced distances, and the exchange by which a path arrives. */
  private readonly reach: Float64Array;
  private readonly arrives: Int32Array;
  private readonly queue: Int32Array;
  private readonly queued: Uint8Array;

  constructor(
    private readonly topology: Topology,
    distance: Distance,
  ) {
    const { gpus, label, replicaGpu } = topology;
    const { sources, gpus: allGpus, values } = distance;
    this.sources = sources;
    this.far = new Float64Array(gpus * sources);
    for (let g = 0; g < gpus; g++) {
      for (let s = 0; s < sources; s++) this.far[g * sources + s] = values[s * allGpus + label[g]];
    }
    this.flow = new Float64Array(replicaGpu.length * sources);
    this.potential = new Float64Array(gpus);
    this.held = new Float64Array(gpus);
    this.arcs = exchanges(topology);
    this.added = new Float64Array(this.arcs.to.length);
    this.changed = new Uint8Array(replicaGpu.length);
    this.reach = new Float64Array(gpus);
    this.arrives = new Int32Array(gpus);
    this.queue = new Int32Array(gpus);
    this.queued = new Uint8Array(gpus);
  }

  /**
   * Solves an LP into `flow` and `potential`.
   *
   * @param sourceLoad  [S, E]  @param cap  [A] tokens, base loads aside; some split is within them.
   * @returns the number of paths.
   */
  solve(sourceLoad: Int32Array, cap: Float64Array): number {
    const { potential, held } = this;
    this.beginNearest(sourceLoad);
    potential.fill(0);
    this.changed.fill(1);
    let paths = 0;
    while (held.some((tokens, g) => tokens > cap[g])) {
      const end = this.search(cap);
      this.push(end, cap);
      paths++;
    }
    return paths;
  }

  /** Everybody at the nearest replica, of equals at the one whose GPU holds least. */
  private beginNearest(sourceLoad: Int32Array): void {
    const { flow, held, far, sources } = this;
    const { experts, replicaStart, replicaGpu } = this.topology;
    flow.fill(0);
    held.fill(0);
    for (let e = 0; e < experts; e++) {
      const end = replicaStart[e + 1];
      if (replicaStart[e] === end) continue;
      for (let s = 0; s < sources; s++) {
        const tokens = sourceLoad[s * experts + e];
        if (tokens === 0) continue;
        let nearest = replicaStart[e];
        for (let r = nearest + 1; r < end; r++) {
          const further = far[replicaGpu[r] * sources + s] - far[replicaGpu[nearest] * sources + s];
          if (further < 0 || (further === 0 && held[replicaGpu[r]] < held[replicaGpu[nearest]])) nearest = r;
        }
        flow[nearest * sources + s] = tokens;
        held[replicaGpu[nearest]] += tokens;
      }
    }
  }

  /**
   * The cheapest paths from all GPUs that hold too much [Bellman, Ford, Moore], potentials moved on by them so that no exchange is below 0; returns the
   * nearest GPU with room.
   */
  private search(cap: Float64Array): number {
    const { held, potential, reach, arrives, queue, queued } = this;
    const { gpus } = this.topology;
    const { start, to } = this.arcs;
    const added = this.lookAtChanged();
    let waiting = 0;
    for (let g = 0; g < gpus; g++) {
      const full = held[g] > cap[g];
      reach[g] = full ? 0 : Infinity;
      arrives[g] = -1;
      queued[g] = full ? 1 : 0;
      if (full) queue[waiting++] = g;
    }
    for (let head = 0; waiting > 0; head = (head + 1) % gpus, waiting--) {
      const a = queue[head];
      queued[a] = 0;
      for (let k = start[a]; k < start[a + 1]; k++) {
        const b = to[k];
        const further = reach[a] + Math.max(0, added[k] + potential[a] - potential[b]);
        if (!(further < reach[b])) continue;
        reach[b] = further;
        arrives[b] = k;
        if (queued[b]) continue;
        queued[b] = 1;
        queue[(head + waiting++) % gpus] = b;
      }
    }
    let end = -1;
    for (let g = 0; g < gpus; g++) {
      if (held[g] < cap[g] && (end < 0 || reach[g] < reach[end])) end = g;
    }
    const nearest = end < 0 ? Infinity : reach[end];
    if (nearest === Infinity) throw new Error("No split is within the caps."); // the caller's are those of one
    for (let g = 0; g < gpus; g++) potential[g] += Math.min(reach[g], nearest) - nearest;
    return end;
  }

  private lookAtChanged(): Float64Array {
    const { added, changed, flow, far, sources } = this;
    const { leaves, from, to } = this.arcs;
    for (let k = 0; k < added.length; k++) {
      if (!changed[leaves[k]]) continue;
      const row = leaves[k] * sources;
      const [here, there] = [from[k] * sources, to[k] * sources];
      let least = Infinity;
      for (let s = 0; s < sources; s++) {
        if (flow[row + s] > 0) least = Math.min(least, far[there + s] - far[here + s]);
      }
      added[k] = least;
    }
    changed.fill(0);
    return added;
  }

  /** Pushes as many tokens to `end` as the path that came there can carry, of all sources for whom each exchange is the cheapest. */
  private push(end: number, cap: Float64Array): void {
    const { held, arrives, flow, far, sources, added, changed } = this;
    const { leaves, enters, from, to } = this.arcs;
    let amount = cap[end] - held[end];
    let begin = end;
    for (let k = arrives[end]; k >= 0; k = arrives[begin]) {
      const row = leaves[k] * sources;
      const [here, there] = [from[k] * sources, to[k] * sources];
      let most = 0;
      for (let s = 0; s < sources; s++) if (far[there + s] - far[here + s] === added[k]) most += flow[row + s];
      amount = Math.min(amount, most);
      begin = from[k];
    }
    amount = Math.min(amount, held[begin] - cap[begin]);
    held[begin] -= amount;
    held[end] += amount;
    for (let k = arrives[end]; k >= 0; k = arrives[from[k]]) {
      const row = leaves[k] * sources;
      const target = enters[k] * sources;
      const [here, there] = [from[k] * sources, to[k] * sources];
      let left = amount;
      for (let s = 0; s < sources && left > 0; s++) {
        if (far[there + s] - far[here + s] !== added[k]) continue;
        const moved = Math.min(left, flow[row + s]);
        flow[row + s] -= moved;
        flow[target + s] += moved;
        left -= moved;
      }
      changed[leaves[k]] = 1;
      changed[enters[k]] = 1;
    }
  }
}
