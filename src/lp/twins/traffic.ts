import type { Distance } from "../../placement/distance.ts";
import { stepsOf } from "../kernels/source_table.ts";
import { NO_REPLICA, type Topology } from "../topology.ts";
import { exchanges } from "../traffic/exchanges.ts";

const NONE = 2 ** 31 - 1;
const NOWHERE = -1;
/** Of a workgroup: lane i has sources i, i + LANES, ... */
const LANES = 64;

/** What the kernel leaves of an LP. */
export interface TrafficTwin {
  /** [P] and [S, P], if it did not give up. */
  quota: Int32Array;
  sourceQuota: Int32Array;
  /** Paths, or -1 where it gave up. */
  paths: number;
  /** [G] in steps. */
  potential: Int32Array;
}

/**
 * Twin of shaders/lp/traffic.wgsl for one LP, in whole numbers, path by path the same.
 *
 * @param sourceLoad  [S, E]  @param cap  [G] by the caller's numbers.  @param most  Paths, beyond which it gives up.
 */
export function traffic(
  topology: Topology,
  distance: Distance,
  sourceLoad: ArrayLike<number>,
  cap: ArrayLike<number>,
  most: number,
): TrafficTwin {
  const split = new Split(topology, distance);
  split.beginNearest(sourceLoad);
  let paths = 0;
  while (split.isOver(cap) && paths < most) {
    split.search(cap);
    const end = split.findEnd(cap);
    if (end === NOWHERE) break;
    split.moveOn(end);
    split.push(end, cap);
    paths++;
  }
  const over = split.isOver(cap);
  return { ...split.quotas(), paths: over ? -1 : paths, potential: split.y };
}

class Split {
  readonly y: Int32Array;
  private readonly flow: Int32Array;
  private readonly held: Int32Array;
  private readonly reach: Int32Array;
  private readonly arrives: Int32Array;
  private readonly added: Int32Array;
  private readonly sources: number;
  private readonly gpus: number;
  private readonly steps: Float64Array;
  /** By the GPU that is entered. */
  private readonly arcs: { leaves: number; enters: number; from: number; to: number }[];
  private readonly gpuOf: Int32Array;
  /** [S] in which tokens leave. */
  private readonly order: readonly number[];

  constructor(
    private readonly topology: Topology,
    distance: Distance,
  ) {
    const { label, replicaGpu } = topology;
    this.gpus = distance.gpus;
    this.sources = distance.sources;
    this.steps = stepsOf(distance).steps;
    this.gpuOf = replicaGpu.map((g) => label[g]);
    this.order = Array.from({ length: this.sources }, (_, s) => s).sort((a, b) => (a % LANES) - (b % LANES) || a - b);
    const { leaves, enters } = exchanges(topology);
    this.arcs = Array.from(leaves, (r, k) => ({
      leaves: r,
      enters: enters[k],
      from: this.gpuOf[r],
      to: this.gpuOf[enters[k]],
    }));
    this.arcs.sort((a, b) => a.to - b.to); // stable
    this.flow = new Int32Array(replicaGpu.length * this.sources);
    this.added = new Int32Array(this.arcs.length);
    const perGpu = () => new Int32Array(this.gpus);
    [this.y, this.held, this.reach, this.arrives] = [perGpu(), perGpu(), perGpu(), perGpu()];
  }

  private step(s: number, g: number): number {
    return this.steps[s * this.gpus + g];
  }

  beginNearest(sourceLoad: ArrayLike<number>): void {
    const { gpuOf, sources, flow, held } = this;
    const { experts, replicaStart } = this.topology;
    for (let i = 0; i < sources * experts; i++) {
      const [s, e] = [Math.floor(i / experts), i % experts];
      const own = Array.from(gpuOf.subarray(replicaStart[e], replicaStart[e + 1]), (g) => this.step(s, g));
      const near = [...own.keys()].filter((j) => own[j] === Math.min(...own));
      for (const [turn, j] of near.entries()) {
        const r = replicaStart[e] + j;
        const isFirst = (turn + s + e) % near.length < sourceLoad[i] % near.length;
        const part = Math.floor(sourceLoad[i] / near.length) + (isFirst ? 1 : 0);
        flow[r * sources + s] = part;
        held[gpuOf[r]] += part;
      }
    }
  }

  isOver(cap: ArrayLike<number>): boolean {
    return this.held.some((tokens, g) => tokens > cap[g]);
  }

  /** Rounds, each of which looks at what the one before found. */
  search(cap: ArrayLike<number>): void {
    const { arcs, added, flow, sources, reach, arrives, held, y } = this;
    for (const [k, { leaves, from, to }] of arcs.entries()) {
      let least = NONE;
      for (let s = 0; s < sources; s++) {
        if (flow[leaves * sources + s] > 0) least = Math.min(least, this.step(s, to) - this.step(s, from));
      }
      added[k] = least;
    }
    for (let g = 0; g < this.gpus; g++) reach[g] = held[g] > cap[g] ? 0 : NONE;
    arrives.fill(NOWHERE);
    for (let further = true; further; ) {
      const before = reach.slice();
      for (const [k, { from, to }] of arcs.entries()) {
        if (before[from] === NONE || added[k] === NONE) continue;
        const length = before[from] + added[k] + y[from] - y[to];
        if (length >= reach[to]) continue;
        reach[to] = length;
        arrives[to] = k;
      }
      further = reach.some((steps, g) => steps !== before[g]);
    }
  }

  findEnd(cap: ArrayLike<number>): number {
    let end = NOWHERE;
    for (let g = 0; g < this.gpus; g++) {
      if (this.held[g] < cap[g] && this.reach[g] < (end === NOWHERE ? NONE : this.reach[end])) end = g;
    }
    return end;
  }

  /** Potentials, by how far each GPU is. */
  moveOn(end: number): void {
    const nearest = this.reach[end];
    for (let g = 0; g < this.gpus; g++) this.y[g] += Math.min(this.reach[g], nearest) - nearest;
  }

  push(end: number, cap: ArrayLike<number>): void {
    const { arcs, arrives, held, flow, sources, added } = this;
    const isCheapest = (k: number, s: number) => this.step(s, arcs[k].to) - this.step(s, arcs[k].from) === added[k];
    let amount = cap[end] - held[end];
    let begin = end;
    for (let k = arrives[end]; k !== NOWHERE; k = arrives[begin]) {
      let most = 0;
      for (let s = 0; s < sources; s++) if (isCheapest(k, s)) most += flow[arcs[k].leaves * sources + s];
      amount = Math.min(amount, most);
      begin = arcs[k].from;
    }
    amount = Math.min(amount, held[begin] - cap[begin]);
    held[end] += amount;
    held[begin] -= amount;
    for (let k = arrives[end]; k !== NOWHERE; k = arrives[arcs[k].from]) {
      let left = amount;
      for (const s of this.order) {
        if (!isCheapest(k, s)) continue;
        const moved = Math.min(left, flow[arcs[k].leaves * sources + s]);
        flow[arcs[k].leaves * sources + s] -= moved;
        flow[arcs[k].enters * sources + s] += moved;
        left -= moved;
      }
    }
  }

  quotas(): { quota: Int32Array; sourceQuota: Int32Array } {
    const { flow, sources } = this;
    const { slots, slotReplica, slotOrdinal, replicaSlots } = this.topology;
    const quota = new Int32Array(slots);
    const sourceQuota = new Int32Array(sources * slots);
    for (let p = 0; p < slots; p++) {
      const r = slotReplica[p];
      if (r === NO_REPLICA) continue;
      for (let s = 0; s < sources; s++) {
        const tokens = flow[r * sources + s];
        const share = Math.floor(tokens / replicaSlots[r]) + (slotOrdinal[p] < tokens % replicaSlots[r] ? 1 : 0);
        sourceQuota[s * slots + p] = share;
        quota[p] += share;
      }
    }
    return { quota, sourceQuota };
  }
}
