/** What the judge counts of an answer in f64: what each GPU holds, what the bottleneck set cannot give away, and whether anything is missing. */
import type { Loads } from "./problem.ts";
import { grouped, NO_REPLICA, type Topology } from "./topology.ts";

/** Sums of a few hundred f64 are this precise, with room to spare. */
const ROUNDING = 1e-12;

/** Counts the answers on one topology, one LP after the other. */
export class Ledger {
  /** [A] tokens on each GPU, of the LP that was counted last. */
  readonly load: Float64Array;
  /** inside(S) of its bottleneck set, see cut.ts. */
  inside = 0;
  private readonly gpus: number;
  private readonly experts: number;
  private readonly slots: number;
  /** Slots by GPU and by expert, in their order: fractions add up to the same whoever counts. */
  private readonly onGpu: ReturnType<typeof grouped>;
  private readonly ofExpert: ReturnType<typeof grouped>;
  /** Slots without a replica. */
  private readonly empty: Int32Array;
  /** [words, E] the GPUs of each expert as bits, */
  private readonly home: Int32Array;
  /** [words] and those outside of S. */
  private readonly outside: Int32Array;

  constructor({ gpus, experts, slots, slotExpert, slotReplica, replicaGpu, replicaStart }: Topology) {
    this.load = new Float64Array(gpus);
    this.gpus = gpus;
    this.experts = experts;
    this.slots = slots;
    const isEmpty = (p: number) => slotReplica[p] === NO_REPLICA;
    this.onGpu = grouped(
      slotReplica.map((r) => (r === NO_REPLICA ? gpus : replicaGpu[r])),
      gpus,
    );
    this.ofExpert = grouped(
      slotExpert.map((e, p) => (isEmpty(p) ? experts : e)),
      experts,
    );
    this.empty = Int32Array.from([...Array(slots).keys()].filter(isEmpty));
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
   * @param quota  [B, P]  @param member  [B, A]
   */
  count({ tokens, expertLoad, baseLoad }: Loads, quota: Loads["expertLoad"], member: Uint8Array, lp: number): boolean {
    const counted = this.countGpus(baseLoad, quota, member, lp);
    const rounding = tokens === "integer" ? 0 : ROUNDING;
    return this.countExperts(expertLoad, rounding, quota, lp) && counted;
  }

  private countGpus(baseLoad: Loads["baseLoad"], quota: Loads["expertLoad"], member: Uint8Array, lp: number): boolean {
    const { gpus, slots, load, outside, empty } = this;
    const { start, items } = this.onGpu;
    const first = lp * slots;
    const row = lp * gpus;
    let valid = true;
    let inside = 0;
    outside.fill(0);
    for (let g = 0, i = 0; g < gpus; g++) {
      let sum = baseLoad ? baseLoad[row + g] : 0;
      if (member[row + g]) inside += sum;
      else outside[g >> 5] |= 1 << (g & 31);
      for (const end = start[g + 1]; i < end; i++) {
        const amount = quota[first + items[i]];
        sum += amount;
        if (!(amount >= 0)) valid = false;
      }
      load[g] = sum;
    }
    for (let i = 0; i < empty.length; i++) if (quota[first + empty[i]] !== 0) valid = false;
    this.inside = inside;
    return valid;
  }

  private countExperts(
    expertLoad: Loads["expertLoad"],
    rounding: number,
    quota: Loads["expertLoad"],
    lp: number,
  ): boolean {
    const { experts, slots, home, outside } = this;
    const { start, items } = this.ofExpert;
    const row = lp * experts;
    const first = lp * slots;
    const far = outside[0];
    const more = outside.length > 1;
    let valid = true;
    let inside = this.inside;
    for (let e = 0, i = 0; e < experts; e++) {
      const end = start[e + 1];
      if (i === end) continue; // lost
      const tokens = expertLoad[row + e];
      let unserved = tokens;
      for (; i < end; i++) unserved -= quota[first + items[i]];
      if (unserved !== 0 && !(Math.abs(unserved) <= rounding * tokens)) valid = false;
      if ((home[e] & far) === 0 && !(more && this.reachesOut(e))) inside += tokens;
    }
    this.inside = inside;
    return valid;
  }

  /** Whether expert e has a replica outside of S, beyond the first word of GPUs. */
  private reachesOut(e: number): boolean {
    const { experts, home, outside } = this;
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
