import { type Arrangement, EMPTY, type Machine } from "./arrangement.ts";
import { ALL, type CutSets, cutSets } from "./cut_sets.ts";
import { type Objective, ofValues } from "./objective.ts";
import type { Bottlenecks, Move } from "./propose.ts";

/** Scenarios are worked through in blocks of this many, so that a bad move is known after the first. */
const BLOCK = 32;
/** Standard errors by which a move must look too bad after some blocks to be given up. */
const SURELY = 2;

/**
 * The imbalance of an arrangement on n scenarios, kept up to date while experts move.
 *
 *   t*(w) = max over sets S of GPUs of inside_S(w) / v(S),   inside_S(w): loads of experts with every replica in S  (src/lp/cut.ts)
 *
 * The pool holds all sets, as is possible with few GPUs. A move touches two experts, and is valued in one pass over [cuts, n] numbers without
 * solving an LP. Loads are shares scaled to a total of v(all GPUs), so that t* is the imbalance itself.
 */
export class CutPool implements Bottlenecks {
  /** The objective of the arrangement. */
  worth = 1;
  /** [n] each scenario's imbalance. */
  readonly value: Float64Array;
  /** [n, padded to whole blocks] the cut that gives it. */
  private readonly bottleneck: Int32Array;
  /** [E, cuts] replicas of an expert outside a set: it is inside where there are none. */
  private readonly outside: Int32Array;
  /** n, rounded up to whole blocks; what is added has no load. */
  private readonly padded: number;
  /** [E, padded] */
  private readonly load: Float64Array;
  /** [E, padded / BLOCK] the largest of each block. */
  private readonly loadPeak: Float64Array;
  /** [padded / BLOCK, cuts, BLOCK] inside_S / v(S) */
  private readonly time: Float64Array;
  /** [padded / BLOCK, cuts] the largest of each block. No imbalance is below 1, so most cuts need no look at their blocks. */
  private readonly timePeak: Float64Array;

  // The move on trial.
  private readonly touched = [EMPTY, EMPTY];
  /** 2 x [cuts] `outside` of the experts touched, after the move. */
  private readonly after: readonly [Int32Array, Int32Array];
  /** 2 x [cuts] by how much each comes to be inside: -1, 0 or 1. */
  private readonly enters: readonly [Int8Array, Int8Array];
  /** [cuts] 1 where either does, and the list of these cuts. */
  private readonly isChanged: Uint8Array;
  private readonly changed: Int32Array;
  private changes = 0;
  /** [padded] values and bottlenecks after the move. */
  private readonly trial: Float64Array;
  private readonly trialBottleneck: Int32Array;
  /** [BLOCK] scenarios of a block whose bottleneck is one of the changed cuts. */
  private readonly open = new Int32Array(BLOCK);

  private readonly sets: CutSets;

  /** @param rows  [n, E] loads of each scenario, adding up to 1. */
  constructor(
    private readonly machine: Machine,
    private readonly arrangement: Arrangement,
    rows: Float64Array,
    private readonly objective: Objective,
  ) {
    const { experts, speed } = machine;
    this.sets = cutSets(machine);
    const { count: cuts } = this.sets;
    const n = rows.length / experts;
    this.padded = Math.ceil(n / BLOCK) * BLOCK;
    this.value = new Float64Array(n);
    this.outside = new Int32Array(experts * cuts);
    this.load = new Float64Array(experts * this.padded);
    this.loadPeak = new Float64Array((experts * this.padded) / BLOCK);
    this.time = new Float64Array(cuts * this.padded);
    this.timePeak = new Float64Array((cuts * this.padded) / BLOCK);
    this.after = [new Int32Array(cuts), new Int32Array(cuts)];
    this.enters = [new Int8Array(cuts), new Int8Array(cuts)];
    this.isChanged = new Uint8Array(cuts);
    this.changed = new Int32Array(cuts);
    this.trial = new Float64Array(this.padded);
    this.trialBottleneck = new Int32Array(this.padded);
    this.bottleneck = new Int32Array(this.padded);
    const total = speed.reduce((a, b) => a + b);
    for (let i = 0; i < n; i++) {
      for (let e = 0; e < experts; e++) this.load[e * this.padded + i] = rows[i * experts + e] * total;
    }
    for (let block = 0; block < this.loadPeak.length; block++) {
      this.loadPeak[block] = peak(this.load, block * BLOCK);
    }
    for (let cut = 0; cut < cuts; cut++) this.fill(cut);
    this.settle();
  }

  get scenarios(): number {
    return this.value.length;
  }

  isMember(scenario: number, gpu: number): boolean {
    return this.sets.member[this.bottleneck[scenario] * this.machine.gpus + gpu] === 1;
  }

  pays(scenario: number, expert: number): boolean {
    return this.outside[expert * this.sets.count + this.bottleneck[scenario]] === 0;
  }

  /** Computes one cut from the arrangement alone. */
  private fill(cut: number): void {
    const { gpus, experts } = this.machine;
    const { slot, gpuOf } = this.arrangement;
    const { outside, time, load, padded } = this;
    const { count: cuts, pace, member } = this.sets;
    for (let e = 0; e < experts; e++) outside[e * cuts + cut] = 0;
    for (const [s, e] of slot.entries()) {
      if (e !== EMPTY && !member[cut * gpus + gpuOf[s]]) outside[e * cuts + cut]++;
    }
    for (let first = 0; first < padded; first += BLOCK) {
      const at = first * cuts + cut * BLOCK;
      time.fill(0, at, at + BLOCK);
      for (let e = 0; e < experts; e++) {
        if (outside[e * cuts + cut] > 0) continue;
        for (let i = 0; i < BLOCK; i++) time[at + i] += load[e * padded + first + i] * pace[cut];
      }
      this.timePeak[at / BLOCK] = peak(time, at);
    }
  }

  /** Computes the values from what the cuts say. */
  private settle(): void {
    this.touched.fill(EMPTY);
    this.changes = 0;
    this.isChanged.fill(1); // every scenario is open
    for (let first = 0; first < this.padded; first += BLOCK) {
      this.tryBlock(first);
    }
    this.take();
  }

  /** The values on trial become the values. */
  private take(): void {
    const { value, trial, bottleneck, trialBottleneck } = this;
    value.set(trial.subarray(0, value.length));
    bottleneck.set(trialBottleneck);
    this.worth = ofValues(this.objective, value);
  }

  /**
   * The objective after a move, or Infinity once it is sure enough to be above `allowed` (races of the mean only; O. Maron, A. W. Moore, NIPS
   * 1993). The move is remembered for `commit`.
   */
  tryMove(move: Move, allowed: number): number {
    this.prepare(move);
    const n = this.value.length;
    const racing = this.objective === "mean";
    const worthAllowed = racing ? allowed - this.worth : 0;
    let sum = 0;
    let squares = 0;
    for (let first = 0; first < n; first += BLOCK) {
      this.tryBlock(first);
      if (!racing) continue;
      const end = Math.min(n, first + BLOCK);
      for (let i = first; i < end; i++) {
        const worse = this.trial[i] - this.value[i];
        sum += worse;
        squares += worse * worse;
      }
      if (end === n) return this.worth + sum / n;
      const mean = sum / end;
      const error = Math.sqrt(Math.max(0, squares / end - mean * mean) / end);
      if (mean - SURELY * error > worthAllowed) return Infinity;
    }
    return ofValues(this.objective, this.trial.subarray(0, n));
  }

  /** Which experts a move touches, and at which cuts they come to be inside or cease to be. */
  private prepare(move: Move): void {
    const { outside, touched, after, enters } = this;
    const { count: cuts, member } = this.sets;
    const { slot, gpuOf } = this.arrangement;
    const { gpus } = this.machine;
    touched.fill(EMPTY);
    const shift = (expert: number, gpu: number, sign: number) => {
      if (expert === EMPTY) return;
      let which = touched.indexOf(expert);
      if (which < 0) {
        which = touched.indexOf(EMPTY);
        touched[which] = expert;
        after[which].set(outside.subarray(expert * cuts, expert * cuts + cuts));
      }
      const row = after[which];
      for (let cut = 0; cut < cuts; cut++) if (!member[cut * gpus + gpu]) row[cut] += sign;
    };
    for (const { slot: s, expert } of move) {
      shift(slot[s], gpuOf[s], -1);
      shift(expert, gpuOf[s], 1);
    }
    this.changes = 0;
    for (const which of [0, 1]) {
      enters[which].fill(0);
      const row = Math.max(0, touched[which]) * cuts;
      for (let cut = 0; touched[which] !== EMPTY && cut < cuts; cut++) {
        enters[which][cut] = (after[which][cut] === 0 ? 1 : 0) - (outside[row + cut] === 0 ? 1 : 0);
      }
    }
    for (let cut = 0; cut < cuts; cut++) {
      this.isChanged[cut] = enters[0][cut] | enters[1][cut] ? 1 : 0;
      if (this.isChanged[cut]) this.changed[this.changes++] = cut;
    }
  }

  /**
   * The values of BLOCK scenarios after the move, into `trial`. A scenario whose bottleneck the move does not touch keeps that, or gets a changed
   * cut; only the others, the open ones, need a look at all cuts.
   */
  private tryBlock(first: number): void {
    const { padded, time, timePeak, load, loadPeak, open } = this;
    const { count: cuts, pace } = this.sets;
    const { value, bottleneck, trial, trialBottleneck, touched, changed, isChanged } = this;
    const [enters0, enters1] = this.enters;
    let opened = 0;
    let least = Infinity;
    for (let i = first; i < first + BLOCK; i++) {
      const cut = bottleneck[i];
      const isOpen = isChanged[cut] === 1 || i >= value.length;
      trial[i] = isOpen ? 1 : value[i];
      trialBottleneck[i] = isOpen ? ALL : cut;
      if (isOpen) open[opened++] = i;
      if (trial[i] < least) least = trial[i];
    }

    const row0 = Math.max(0, touched[0]) * padded + first;
    const row1 = Math.max(0, touched[1]) * padded + first;
    const peak0 = loadPeak[row0 / BLOCK];
    const peak1 = loadPeak[row1 / BLOCK];
    for (let k = 0; k < this.changes; k++) {
      const cut = changed[k];
      const at = first * cuts + cut * BLOCK;
      const by0 = enters0[cut] * pace[cut];
      const by1 = enters1[cut] * pace[cut];
      if (timePeak[at / BLOCK] + Math.max(0, by0) * peak0 + Math.max(0, by1) * peak1 <= least) continue;
      for (let i = 0; i < BLOCK; i++) {
        const t = time[at + i] + by0 * load[row0 + i] + by1 * load[row1 + i];
        if (t <= trial[first + i]) continue;
        trial[first + i] = t;
        trialBottleneck[first + i] = cut;
      }
    }

    least = Infinity;
    for (let k = 0; k < opened; k++) if (trial[open[k]] < least) least = trial[open[k]];
    for (let cut = 0; cut < cuts && opened > 0; cut++) {
      const at = first * cuts + cut * BLOCK;
      if (timePeak[at / BLOCK] <= least || (this.changes > 0 && isChanged[cut])) continue;
      for (let k = 0; k < opened; k++) {
        const i = open[k];
        const t = time[at + i - first];
        if (t <= trial[i]) continue;
        trial[i] = t;
        trialBottleneck[i] = cut;
      }
    }
  }

  /** Makes the move that was tried last, to the end: here, and in the arrangement. */
  commit(move: Move): void {
    const { padded, time, timePeak, load, outside, touched, after, enters } = this;
    const { count: cuts, pace } = this.sets;
    for (const { slot, expert } of move) this.arrangement.put(slot, expert);
    for (const [which, expert] of touched.entries()) {
      if (expert === EMPTY) continue;
      outside.set(after[which].subarray(0, cuts), expert * cuts);
      for (let cut = 0; cut < cuts; cut++) {
        const by = enters[which][cut] * pace[cut];
        if (by === 0) continue;
        for (let first = 0; first < padded; first += BLOCK) {
          const at = first * cuts + cut * BLOCK;
          const row = expert * padded + first;
          let largest = 0;
          for (let i = 0; i < BLOCK; i++) {
            const t = time[at + i] + by * load[row + i];
            time[at + i] = t;
            if (t > largest) largest = t;
          }
          timePeak[at / BLOCK] = largest;
        }
      }
    }
    this.take();
  }
}

function peak(values: Float64Array, first: number): number {
  let largest = values[first];
  for (let i = first + 1; i < first + BLOCK; i++) if (values[i] > largest) largest = values[i];
  return largest;
}
