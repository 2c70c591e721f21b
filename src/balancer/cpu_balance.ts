import { Pauses } from "../common/pauses.ts";
import { type CpuBackend, cpuBackend } from "../lp/backend_cpu.ts";
import type { KernelPlan } from "../lp/kernels/choices.ts";
import { ofLayer, rowOf } from "../placement/per_layer.ts";
import { type BaseLoad, loadsOf } from "./base_load.ts";
import type { Living } from "./living.ts";
import { reportOf } from "./report.ts";
import { type BalanceResult, type BalanceShape, type CheckedBatch, handOut } from "./result.ts";
import { apportion } from "./twins/apportion.ts";
import { count } from "./twins/count.ts";
import { countSources } from "./twins/count_sources.ts";

/** The same stages in plain TypeScript, with the exact solver or, once prepared, programs made for the layers. Calls must not overlap. */
export class CpuBalance {
  private living: Living;
  private solvers: CpuBackend[];
  /** [L, P] late: the last batch's solution; zero at first: an even split. */
  private readonly previous: Int32Array;
  private readonly experts: number;
  private readonly slots: number;
  private prepared = false;

  constructor(
    private readonly shape: BalanceShape,
    private readonly skipBelow: number,
  ) {
    const { placements, layers, living } = shape;
    this.experts = placements[0].logicalExperts;
    this.slots = placements[0].physicalExperts;
    this.living = living;
    this.solvers = living.topologies.map(cpuBackend);
    this.previous = new Int32Array(layers * this.slots);
  }

  /** Makes the programs, for those who chose them. */
  async prepare(): Promise<void> {
    this.prepared = true;
    for (const solver of this.solvers) await solver.ready(); // between two others get their turn
  }

  /** What solves, or of some layer why there is no program. */
  get plan(): KernelPlan {
    const plans = this.solvers.map((solver) => solver.plan());
    return plans.find(({ kernel }) => kernel !== "simd") ?? plans[0];
  }

  async balance({ ids, rank, baseLoad }: CheckedBatch, pauses = new Pauses()): Promise<BalanceResult> {
    const { experts, slots, living } = this;
    const { layers, late, cost, speeds } = this.shape;
    const { gpus } = living.topologies[0];
    const timed = { cost, speeds, base: baseLoad, active: living.active };
    const own = count(ids, layers, experts);
    const counts = rank ? rank.counts.slice() : own.counts;
    const quota = new Int32Array(layers * slots);
    this.split(counts, undefined, quota);
    const before = reportOf(living.slots, layers, quota, timed);
    const { timeImbalance = before.imbalance } = before;
    const result: BalanceResult = {
      ...{ counts, outOfRange: own.outOfRange, quota, before, after: before, stageUs: undefined },
      physicalIds: new Int32Array(ids.length),
      unserved: new Int32Array(layers),
      skipped: Uint8Array.from(timeImbalance, (ratio) => (ratio < this.skipBelow ? 1 : 0)),
      member: new Uint8Array(layers * gpus),
      iterations: new Int32Array(layers),
      moves: new Int32Array(layers),
    };
    if (late) this.split(counts, this.previous, quota);
    await this.solve(result, baseLoad, pauses);
    if (living.splitter) await this.send({ ids, rank, baseLoad }, result, pauses);
    result.after = reportOf(living.slots, layers, quota, timed);
    const shape = { ...this.shape, living };
    for (let l = 0; l < layers; l++) {
      if (pauses.due) await pauses.take();
      result.unserved[l] = handOut(shape, { ids, rank }, result, l);
    }
    return result;
  }

  /** `quota` [L, P] in proportion to weights, evenly without. */
  private split(counts: Int32Array, weights: Int32Array | undefined, quota: Int32Array): void {
    for (let l = 0; l < this.shape.layers; l++) {
      const given = weights && rowOf(weights, this.slots, l);
      apportion(ofLayer(this.living.slots, l), rowOf(counts, this.experts, l), given, rowOf(quota, this.slots, l));
    }
  }

  /** Into the quotas, or late into what the next batch goes by. */
  private async solve(result: BalanceResult, baseLoad: BaseLoad | undefined, pauses: Pauses) {
    const { counts, skipped, quota, member, iterations, moves } = result;
    const { layers, late } = this.shape;
    for (let l = 0; l < layers; l++) {
      if (pauses.due) await pauses.take();
      if (skipped[l]) continue;
      const topology = ofLayer(this.living.topologies, l);
      ofLayer(this.solvers, l).answer(loadsOf(topology, counts, baseLoad, l), 0, 1, {
        quota: rowOf(late ? this.previous : quota, this.slots, l),
        member: rowOf(member, topology.gpus, l),
        iterations: rowOf(iterations, 1, l),
        moves: rowOf(moves, 1, l),
      });
    }
  }

  /** Whose tokens fill the quotas, and where layers are solved for this batch, which quotas. */
  private async send({ ids, rank, baseLoad }: CheckedBatch, result: BalanceResult, pauses: Pauses) {
    const { layers, late, topK, distance } = this.shape;
    const { splitter } = this.living;
    const bySource = rank?.source?.bySource ?? countSources(ids, layers, this.experts, topK, distance!.sources);
    result.sent = splitter!.begin(bySource, layers);
    for (let l = 0; l < layers; l++) {
      if (pauses.due) await pauses.take();
      const quota = rowOf(result.quota, this.slots, l);
      splitter![late || result.skipped[l] ? "nearest" : "least"](result.sent, l, quota, baseLoad);
    }
  }

  /** Further batches are for the GPUs that are alive. */
  async setLiving(living: Living): Promise<void> {
    this.living = living;
    this.solvers = living.topologies.map(cpuBackend);
    for (const p of this.previous.keys()) {
      const { gpuOf } = ofLayer(this.shape.placements, Math.floor(p / this.slots));
      if (living.active?.[gpuOf[p % this.slots]] === 0) this.previous[p] = 0;
    }
    if (this.prepared) await this.prepare();
  }
}
