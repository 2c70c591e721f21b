/** What the judge counts of an answer in f64: what each GPU holds, what the bottleneck set cannot give away, and whether anything is missing. */
import type { Loads } from "./problem.ts";
import { grouped, NO_REPLICA, slotsByExpert, type Topology } from "./topology.ts";

/** Sums of a few hundred f64 are this precise, with room to spare. */
const ROUNDING = 1e-12;

/** Whose a slot without a replica is. */
const NOBODY = -1;

type Quota = Loads["expertLoad"];

/** Counts the answers on one topology, one LP after the other. */
export class Ledger {
  /** Of the LP that was counted last: max_g load_g / v_g, */
  maxLoad = 0;
  /** the GPUs of its bottleneck set S, the sum of their speeds, and inside(S), see cut.ts. */
  size = 0;
  rate = 0;
  inside = 0;
  /** Slots by GPU and by expert, in their order: fractions add up to the same whoever counts. */
  private readonly onGpu: ReturnType<typeof grouped>;
  private readonly ofExpert: ReturnType<typeof grouped>;
  /** Slots without a replica. */
  private readonly empty: Int32Array;
  /** [words, E] the GPUs of each expert as bits, */
  private readonly home: Int32Array;
  /** [words] and those outside of S. */
  private readonly outside: Int32Array;

  constructor(private readonly topology: Topology) {
    const { gpus, experts, slotReplica, replicaGpu, replicaStart } = topology;
    const isEmpty = (p: number) => slotReplica[p] === NO_REPLICA;
    const slotGpu = slotReplica.map((r) => (r === NO_REPLICA ? NOBODY : replicaGpu[r]));
    this.onGpu = grouped(slotGpu, gpus);
    this.ofExpert = slotsByExpert(topology);
    this.empty = Int32Array.from([...slotReplica.keys()].filter(isEmpty));
    this.outside = new Int32Array(Math.ceil(gpus / 32));
    this.home = new Int32Array(this.outside.length * experts);
    for (let e = 0; e < experts; e++) {
      for (const g of replicaGpu.subarray(replicaStart[e], replicaStart[e + 1])) {
        this.home[(g >> 5) * experts + e] |= 1 << (g & 31);
      }
    }
  }

  /**
   * Counts LP `lp`. Returns whether every expert's quotas are >= 0 and add up to its load, and slots without a replica have none: a device that
   * fails silently leaves zeros.
   *
   * @param quota  [B, P]  @param member  [B, A]  @param gpuLoad  [B, G] out: the LP's row.
   */
  count(loads: Loads, quota: Quota, member: Uint8Array, lp: number, gpuLoad: Float64Array): boolean {
    const counted = this.countGpus(loads.baseLoad, quota, member, lp, gpuLoad);
    return this.countExperts(loads, quota, lp) && counted;
  }

  private countGpus(
    baseLoad: Loads["baseLoad"],
    quota: Quota,
    member: Uint8Array,
    lp: number,
    gpuLoad: Float64Array,
  ): boolean {
    const { gpus, allGpus, slots, label, speed } = this.topology;
    const { outside, empty } = this;
    const { start, items } = this.onGpu;
    const first = lp * slots;
    const row = lp * gpus;
    let size = 0;
    let maxLoad = -Infinity;
    let rate = 0;
    let inside = 0;
    let valid = true;
    for (let word = 0; word < outside.length; word++) outside[word] = 0;
    for (let g = 0, i = 0; g < gpus; g++) {
      let load = baseLoad ? baseLoad[row + g] : 0;
      if (member[row + g]) {
        size++;
        rate += speed[g];
        inside += load;
      } else outside[g >> 5] |= 1 << (g & 31);
      for (const end = start[g + 1]; i < end; i++) {
        const amount = quota[first + items[i]];
        load += amount;
        if (!(amount >= 0)) valid = false;
      }
      gpuLoad[lp * allGpus + label[g]] = load;
      maxLoad = Math.max(maxLoad, load / speed[g]);
    }
    for (let i = 0; i < empty.length; i++) if (quota[first + empty[i]] !== 0) valid = false;
    this.maxLoad = maxLoad;
    this.size = size;
    this.rate = rate;
    this.inside = inside;
    return valid;
  }

  private countExperts({ tokens, expertLoad }: Loads, quota: Quota, lp: number): boolean {
    const { experts, slots } = this.topology;
    const { home, outside } = this;
    const { start, items } = this.ofExpert;
    const rounding = tokens === "integer" ? 0 : ROUNDING;
    const near = outside[0]; // of the first 32 GPUs, which mostly are all
    const more = outside.length > 1;
    const first = lp * slots;
    const row = lp * experts;
    let inside = this.inside;
    let valid = true;
    for (let e = 0, i = 0; e < experts; e++) {
      const end = start[e + 1];
      if (i === end) continue; // lost
      const load = expertLoad[row + e];
      let unserved = load;
      for (; i < end; i++) unserved -= quota[first + items[i]];
      if (unserved !== 0 && !(Math.abs(unserved) <= rounding * load)) valid = false;
      if ((home[e] & near) === 0 && !(more && this.reachesOut(e))) inside += load;
    }
    this.inside = inside;
    return valid;
  }

  /** Whether expert e has a replica outside of S, beyond the first word of GPUs. */
  private reachesOut(e: number): boolean {
    const { home, outside } = this;
    const { experts } = this.topology;
    let out = 0;
    for (let word = 1; word < outside.length; word++) out |= home[word * experts + e] & outside[word];
    return out !== 0;
  }
}

/** A topology is judged in every call, and by a balancer layer by layer. */
const ledgers = new WeakMap<Topology, Ledger>();

export function ledgerOf(topology: Topology): Ledger {
  let ledger = ledgers.get(topology);
  if (!ledger) {
    ledger = new Ledger(topology);
    ledgers.set(topology, ledger);
  }
  return ledger;
}
