import { type Arrangement, EMPTY } from "./arrangement.ts";
import { type Objective, ofValues } from "./objective.ts";
import type { Bottlenecks, Move } from "./propose.ts";
import { Router } from "./router.ts";

/** Scenarios are worked through in blocks of this many: a move that is worse after one is given up. */
const BLOCK = 64;
/** Tails have no standard error that is as cheap: an improvement of theirs that is smaller is taken for chance. */
const ENOUGH = 1e-4;

/**
 * The exact imbalances t* of an arrangement on n scenarios, kept up to date while experts move.
 *
 * Each scenario keeps its split x, the GPU loads u, and the set S that proves its t*. A move touches two or three experts: what leaves a slot goes where its
 * expert came, and the rest of the split stays. It is first valued by the kept sets alone, which after the move prove
 *
 *   t*(w) >= max(1, t + (change of inside_S) / v(S)),   inside_S: loads of experts with every slot in S
 *
 * and only if that is good enough are the splits routed anew, from that bound on (see Router), block by block.
 */
export class Flows implements Bottlenecks {
  /** The objective of the arrangement. */
  worth = 1;
  /** [n] */
  value: Float64Array;
  private readonly router: Router;
  /** [n, E] loads, each scenario adding up to v(all GPUs), so that t* is the imbalance itself. */
  private readonly load: Float64Array;
  private readonly gpuSpeed: Float64Array;
  /** [n, P] */
  private x: Float64Array;
  /** [n, G] */
  private u: Float64Array;
  private set: Uint8Array;
  /** [n] v(S) */
  private pace: Float64Array;
  // The same after a move that is on trial.
  private xTrial: Float64Array;
  private uTrial: Float64Array;
  private setTrial: Uint8Array;
  private paceTrial: Float64Array;
  private trial: Float64Array;
  /** The two or three experts that the move touches, and where they are before and after it. */
  private readonly touched: { expert: number; before: number[]; after: number[] }[] = [];
  /** [n] what the kept sets prove after the move. */
  private readonly bound: Float64Array;

  /** @param rows  [n, E] loads of each scenario, adding up to 1. */
  constructor(
    private readonly arrangement: Arrangement,
    rows: Float64Array,
    private readonly objective: Objective,
  ) {
    const { gpus, experts, speed } = arrangement.machine;
    const n = rows.length / experts;
    const slots = arrangement.slot.length;
    const total = speed.reduce((a, b) => a + b);
    this.router = new Router(arrangement);
    this.load = rows.map((share) => share * total);
    this.gpuSpeed = speed;
    [this.x, this.xTrial] = [new Float64Array(n * slots), new Float64Array(n * slots)];
    [this.u, this.uTrial] = [new Float64Array(n * gpus), new Float64Array(n * gpus)];
    [this.set, this.setTrial] = [new Uint8Array(n * gpus), new Uint8Array(n * gpus)];
    [this.pace, this.paceTrial] = [new Float64Array(n), new Float64Array(n)];
    [this.value, this.trial] = [new Float64Array(n), new Float64Array(n)];
    this.bound = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      this.router.begin(this.load, i * experts, this.x, i * slots, this.u, i * gpus);
      this.value[i] = this.router.route(this.x, i * slots, this.u, i * gpus, this.set, i * gpus, 1);
      this.pace[i] = this.speedOf(this.set, i);
    }
    this.worth = ofValues(objective, this.value);
  }

  get scenarios(): number {
    return this.value.length;
  }

  isMember(scenario: number, gpu: number): boolean {
    return this.set[scenario * this.gpuSpeed.length + gpu] === 1;
  }

  pays(scenario: number, expert: number): boolean {
    return this.router.isInside(expert, this.set, scenario * this.gpuSpeed.length);
  }

  private speedOf(set: Uint8Array, scenario: number): number {
    const { gpuSpeed } = this;
    let speed = 0;
    for (let g = 0; g < gpuSpeed.length; g++) if (set[scenario * gpuSpeed.length + g]) speed += gpuSpeed[g];
    return speed;
  }

  /**
   * Makes a move if it is better by more than chance: by a standard error of the scenarios' differences, having been better after every block.
   *
   * @returns whether it was made.
   */
  tryMove(move: Move): boolean {
    const { arrangement, router, touched } = this;
    const undo = move.map(({ slot }) => ({ slot, expert: arrangement.slot[slot] }));
    touched.length = 0;
    for (const { expert } of [...undo, ...move]) {
      if (expert === EMPTY || touched.some((one) => one.expert === expert)) continue;
      touched.push({ expert, before: this.gpusOf(expert), after: [] });
    }
    for (const { slot } of move) router.put(slot, EMPTY);
    for (const { slot, expert } of move) router.put(slot, expert);
    for (const one of touched) one.after = this.gpusOf(one.expert);
    if (this.mayBeBetter() && this.isBetter(move, undo)) {
      this.take();
      return true;
    }
    for (const { slot } of undo) router.put(slot, EMPTY);
    for (const { slot, expert } of undo) router.put(slot, expert);
    return false;
  }

  private gpusOf(expert: number): number[] {
    return this.router.hosts[expert].map((slot) => this.arrangement.gpuOf[slot]);
  }

  /** Whether the kept sets allow it: those of the first block, which is what the race begins with, then all. */
  private mayBeBetter(): boolean {
    const { bound, value, objective, worth } = this;
    const n = value.length;
    let change = 0;
    for (let i = 0; i < n; i++) {
      bound[i] = this.boundOf(i);
      change += bound[i] - value[i];
      if (i === BLOCK - 1 && objective === "mean" && change >= 0) return false;
    }
    return objective === "mean" ? change < 0 : ofValues(objective, bound) < worth;
  }

  /** What a scenario's kept set proves after the move. */
  private boundOf(i: number): number {
    const { value, load, pace, set, touched, gpuSpeed } = this;
    const at = i * gpuSpeed.length;
    const experts = load.length / value.length;
    let inside = 0;
    for (let k = 0; k < touched.length; k++) {
      const { expert, before, after } = touched[k];
      const enters = (contains(set, at, after) ? 1 : 0) - (contains(set, at, before) ? 1 : 0);
      if (enters !== 0) inside += enters * load[i * experts + expert];
    }
    return Math.max(1, value[i] + inside / pace[i]);
  }

  private isBetter(move: Move, undo: Move): boolean {
    const { value, trial, objective, worth } = this;
    const n = value.length;
    trial.set(this.bound);
    let sum = 0;
    let squares = 0;
    for (let first = 0; first < n; first += BLOCK) {
      const end = Math.min(n, first + BLOCK);
      for (let i = first; i < end; i++) {
        this.tryScenario(i, move, undo);
        const change = trial[i] - value[i];
        sum += change;
        squares += change * change;
      }
      if (objective === "mean" ? sum >= 0 : ofValues(objective, trial) >= worth) return false;
    }
    if (objective !== "mean") return ofValues(objective, trial) < worth - ENOUGH;
    const mean = sum / n;
    return mean < -Math.sqrt(Math.max(0, squares / n - mean * mean) / n);
  }

  private take(): void {
    [this.x, this.xTrial] = [this.xTrial, this.x];
    [this.u, this.uTrial] = [this.uTrial, this.u];
    [this.set, this.setTrial] = [this.setTrial, this.set];
    [this.pace, this.paceTrial] = [this.paceTrial, this.pace];
    [this.value, this.trial] = [this.trial, this.value];
    this.worth = ofValues(this.objective, this.value);
  }

  /** Routes a scenario through the changed arrangement. */
  private tryScenario(i: number, move: Move, undo: Move): void {
    const { x, u, set, xTrial, uTrial, setTrial, router, arrangement, touched } = this;
    const gpus = this.gpuSpeed.length;
    const slots = arrangement.slot.length;
    const { gpuOf } = arrangement;
    const xAt = i * slots;
    const uAt = i * gpus;
    for (let s = xAt; s < xAt + slots; s++) xTrial[s] = x[s];
    for (let g = uAt; g < uAt + gpus; g++) {
      uTrial[g] = u[g];
      setTrial[g] = set[g];
    }
    for (let k = 0; k < undo.length; k++) {
      const { slot } = undo[k];
      uTrial[uAt + gpuOf[slot]] -= xTrial[xAt + slot];
      xTrial[xAt + slot] = 0;
    }
    for (let k = 0; k < touched.length; k++) {
      const { expert } = touched[k];
      let amount = 0;
      for (let j = 0; j < undo.length; j++) if (undo[j].expert === expert) amount += x[xAt + undo[j].slot];
      if (amount === 0) continue;
      const to = this.landing(expert, move, uAt);
      xTrial[xAt + to] += amount;
      uTrial[uAt + gpuOf[to]] += amount;
    }
    this.trial[i] = router.route(xTrial, xAt, uTrial, uAt, setTrial, uAt, this.bound[i]);
    this.paceTrial[i] = this.speedOf(setTrial, i);
  }

  /** Where an expert's load goes that lost a slot: to a slot that it got, or else to the emptiest of its others. */
  private landing(expert: number, move: Move, uAt: number): number {
    for (let j = 0; j < move.length; j++) if (move[j].expert === expert) return move[j].slot;
    const { gpuOf } = this.arrangement;
    const slots = this.router.hosts[expert];
    let best = slots[0];
    for (let j = 1; j < slots.length; j++) {
      const [g, least] = [gpuOf[slots[j]], gpuOf[best]];
      if (this.uTrial[uAt + g] * this.gpuSpeed[least] < this.uTrial[uAt + least] * this.gpuSpeed[g]) best = slots[j];
    }
    return best;
  }
}

function contains(set: Uint8Array, at: number, gpus: readonly number[]): boolean {
  for (let i = 0; i < gpus.length; i++) if (!set[at + gpus[i]]) return false;
  return true;
}
