/**
 * Balances the time of whole tokens, LP by LP, where c says what an expert's tokens cost:
 *
 *   min max_g ( b_g + sum_{r on g} c(x_r) ) / v_g   s.t.   sum_{r of e} x_r = w_e,  x whole and >= 0
 *
 * Exactly where c comes in units (unit_flow.ts). Otherwise down from the best of several splits (descent.ts), with a bound beside: the least time of
 * the activated experts, each a unit of c(1), or that of the work W_e = least sum of c over splits of w_e, had it been divisible.
 */
import { type ExactSolver, exactSolver } from "../exact.ts";
import type { Topology } from "../topology.ts";
import { type Choosers, choosersOf } from "./choosers.ts";
import { Descent } from "./descent.ts";
import type { Curve } from "./expert_cost.ts";
import { starts } from "./starts.ts";
import { UnitFlow } from "./unit_flow.ts";
import { leastWork, unitsOf } from "./work.ts";

/** A time within this share of the bound has reached it. */
const AT_BOUND = 1e-12;
/** So many of the best splits are descended from: the rest would gain a tenth of a percent at twice the time. */
const DESCENTS = 2;

/** Scratch for one topology, whose slots are replicas of their own, and one cost. Experts with a choice are e; E of them have R replicas. */
export class TimeSolver {
  private readonly choosers: Choosers;
  private readonly units: UnitFlow;
  private readonly exact: ExactSolver;
  private readonly descent: Descent;
  /** [E] tokens, and units or work of each expert. */
  private readonly tokens: Float64Array;
  private readonly weight: Float64Array;
  /** [A] tokens or units of the experts without a choice, and when GPUs are done with them and with what they do besides. */
  private readonly alone: Float64Array;
  private readonly aloneTime: Float64Array;
  /** [R] units or work of each replica. */
  private readonly shares: Float64Array;
  private readonly work: Float64Array;
  private readonly cut: Uint8Array;
  /** The splits in order of their time; the first is the one of units. */
  private readonly splits: { time: number; x: Float64Array }[];
  private readonly best: Float64Array;
  private bestTime = 0;
  private bound = 0;
  private expertLoad: ArrayLike<number> = [];
  private base: ArrayLike<number> | undefined;

  /** @param whole  Whether times are whole numbers, too, as in the twin of the kernel. */
  constructor(
    topology: Topology,
    private readonly curve: Curve,
    private readonly whole = false,
  ) {
    this.choosers = choosersOf(topology);
    const { topology: own, expert, replica } = this.choosers;
    const perReplica = () => new Float64Array(replica.length);
    const perGpu = () => new Float64Array(own.gpus);
    this.units = new UnitFlow(own);
    this.exact = exactSolver(own);
    this.descent = new Descent(own, curve.time, whole ? 0 : undefined);
    this.tokens = new Float64Array(expert.length);
    this.weight = new Float64Array(expert.length);
    [this.alone, this.aloneTime, this.work] = [perGpu(), perGpu(), perGpu()];
    [this.shares, this.best] = [perReplica(), perReplica()];
    this.cut = new Uint8Array(own.gpus);
    this.splits = Array.from({ length: 1 + starts.length }, () => ({ time: 0, x: perReplica() }));
  }

  /**
   * @param expertLoad  of all experts, whole tokens.  @param base  [A] time.
   * @param x  out: tokens of all replicas.  @param member  [A] out: 1 on the set that proves the bound, 0 elsewhere.
   * @returns the augmenting paths of the bounds' flows, and the steps of all descents.
   */
  solve(
    expertLoad: ArrayLike<number>,
    base: ArrayLike<number> | undefined,
    x: Float64Array,
    member: Uint8Array,
  ): { paths: number; steps: number } {
    const { curve } = this;
    this.begin(expertLoad, base);
    let paths = 0;
    let steps = 0;
    if (curve.unit > 0) paths += this.solveUnits(curve.tile ?? Infinity, member);
    if (curve.tile === undefined && !this.closed()) {
      paths += this.boundByWork(member);
      this.writeSplits();
      steps = this.descend();
    }
    const { replica, single } = this.choosers;
    for (let r = 0; r < replica.length; r++) x[replica[r]] = this.best[r];
    for (let i = 0; i < single.expert.length; i++) x[single.replica[i]] = expertLoad[single.expert[i]];
    return { paths, steps };
  }

  private begin(expertLoad: ArrayLike<number>, base: ArrayLike<number> | undefined): void {
    const { tokens, aloneTime, curve } = this;
    const { expert, single } = this.choosers;
    this.expertLoad = expertLoad;
    this.base = base;
    this.bestTime = Infinity;
    this.bound = -Infinity;
    for (let e = 0; e < tokens.length; e++) tokens[e] = expertLoad[expert[e]];
    if (curve.tile !== undefined) return; // all is in units
    if (base) aloneTime.set(base);
    else aloneTime.fill(0);
    for (let i = 0; i < single.gpu.length; i++) aloneTime[single.gpu[i]] += curve.time(expertLoad[single.expert[i]]);
  }

  private closed(): boolean {
    return this.bestTime <= this.bound + Math.abs(this.bound) * AT_BOUND;
  }

  private keep(time: number, x: Float64Array): void {
    if (time >= this.bestTime) return;
    this.bestTime = time;
    this.best.set(x);
  }

  /** Whole units: optimal where c comes in them.  @returns the paths. */
  private solveUnits(tile: number, member: Uint8Array): number {
    const { tokens, weight, alone, shares, curve, base, splits, expertLoad } = this;
    const { topology, single } = this.choosers;
    const { replicaStart } = topology;
    alone.fill(0);
    for (let i = 0; i < single.gpu.length; i++) alone[single.gpu[i]] += unitsOf(tile, expertLoad[single.expert[i]]);
    for (let e = 0; e < tokens.length; e++) weight[e] = unitsOf(tile, tokens[e]);
    const { time, paths } = this.units.solve({ units: weight, alone, unit: curve.unit, base }, shares, member);
    this.bound = time;
    const x = curve.tile === undefined ? splits[0].x : this.best;
    for (let e = 0; e < tokens.length; e++) {
      let left = tokens[e];
      for (let r = replicaStart[e]; r < replicaStart[e + 1]; r++) {
        x[r] = shares[r] === 0 ? 0 : Math.min(left, shares[r] * tile);
        left -= x[r];
      }
    }
    if (curve.tile === undefined) this.keep(this.descent.begin(this.aloneTime, x), x);
    return paths;
  }

  /** Raises the bound to what the work needs, had it been divisible.  @returns the paths. */
  private boundByWork(member: Uint8Array): number {
    const { tokens, weight, shares, curve, cut, work, aloneTime } = this;
    const { replicaStart, gpus, replicaGpu, speed } = this.choosers.topology;
    for (let e = 0; e < tokens.length; e++) {
      weight[e] = leastWork(curve, tokens[e], replicaStart[e + 1] - replicaStart[e]);
    }
    const mode = this.whole ? "integer" : "fractional";
    const loads = { batch: 1, tokens: mode, expertLoad: weight, baseLoad: aloneTime } as const;
    const paths = this.exact.solve(loads, 0, shares, cut);
    work.set(aloneTime);
    for (let r = 0; r < replicaGpu.length; r++) work[replicaGpu[r]] += shares[r];
    let latest = -Infinity;
    for (let g = 0; g < gpus; g++) latest = Math.max(latest, work[g] / speed[g]);
    if (latest <= this.bound) return paths;
    this.bound = latest;
    member.set(cut);
    return paths;
  }

  private writeSplits(): void {
    const { tokens, alone, shares, exact, cut, splits, descent, aloneTime, expertLoad } = this;
    const { topology, single } = this.choosers;
    alone.fill(0);
    for (let i = 0; i < single.gpu.length; i++) alone[single.gpu[i]] += expertLoad[single.expert[i]];
    const given = { topology, expertLoad: tokens, alone, work: shares, exact, cut };
    splits[0].x.set(this.best); // of units, if there are any
    splits[0].time = this.bestTime;
    for (let i = 0; i < starts.length; i++) {
      const split = splits[i + 1];
      starts[i](given, split.x);
      split.time = descent.begin(aloneTime, split.x);
      this.keep(split.time, split.x);
    }
    splits.sort((a, b) => a.time - b.time);
  }

  /** @returns the steps. */
  private descend(): number {
    const { descent, splits, aloneTime } = this;
    let steps = 0;
    for (let i = 0; i < DESCENTS && !this.closed(); i++) {
      const { x } = splits[i];
      descent.begin(aloneTime, x);
      steps += descent.run(this.bound);
      this.keep(descent.doneAt(descent.hottest()), x);
    }
    return steps;
  }
}
