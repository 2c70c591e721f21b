import { ofLiving, type Topology } from "../lp/topology.ts";
import { NearestMatcher } from "../lp/traffic/match.ts";
import { noTraffic, type TrafficAnswer } from "../lp/traffic/traffic_answer.ts";
import { isOpen, TrafficSolver } from "../lp/traffic/traffic_solver.ts";
import type { Distance } from "../placement/distance.ts";
import { ofLayer, rowOf } from "../placement/per_layer.ts";
import type { BaseLoad } from "./base_load.ts";

/** Whose tokens fill which slots, for L layers as for L LPs. */
export interface SourceSplit {
  /** [L, S, E] */
  bySource: Int32Array;
  answer: TrafficAnswer;
}

/** The stages that distances add, layer by layer on the CPU: which quotas, and whose tokens fill them. Calls must not overlap. */
export class SourceSplitter {
  /** By placement, made when they are first needed. */
  private readonly solvers: TrafficSolver[] = [];
  private readonly matchers: NearestMatcher[] = [];

  constructor(
    private readonly topologies: readonly Topology[],
    private readonly distance: Distance,
  ) {}

  private solverOf(layer: number): TrafficSolver {
    this.solvers[layer % this.topologies.length] ??= new TrafficSolver(ofLayer(this.topologies, layer), this.distance);
    return this.solvers[layer % this.topologies.length];
  }

  private matcherOf(layer: number): NearestMatcher {
    this.matchers[layer % this.topologies.length] ??= new NearestMatcher(
      ofLayer(this.topologies, layer),
      this.distance,
    );
    return this.matchers[layer % this.topologies.length];
  }

  begin(bySource: Int32Array, layers: number): SourceSplit {
    return { bySource, answer: noTraffic(layers, this.distance, this.topologies[0]) };
  }

  /** Of all splits of a layer that are as good as `quota` [P], one of least traffic takes its place. */
  least(split: SourceSplit, layer: number, quota: Int32Array, baseLoad: BaseLoad | undefined): void {
    const own = this.ownOf(split, layer, baseLoad);
    this.solverOf(layer).solveOne(own, this.limitOf(layer, quota, own.baseLoad), quota, split.answer, layer);
  }

  /** `quota` [P] stays, and is filled by whom it is nearest to. */
  nearest(split: SourceSplit, layer: number, quota: Int32Array, baseLoad: BaseLoad | undefined): void {
    const own = this.ownOf(split, layer, baseLoad);
    const { slots } = this.topologies[0];
    const sourceQuota = rowOf(split.answer.sourceQuota, this.distance.sources * slots, layer);
    this.matcherOf(layer).match(own.sourceLoad, quota, sourceQuota);
    rowOf(split.answer.potential.gpu, this.distance.gpus, layer).fill(0);
    this.judge(split, layer, quota, baseLoad);
  }

  /** What follows from the answer's quotas and potentials; returns whether the exact solver is to close a gap of the traffic. */
  judge(split: SourceSplit, layer: number, quota: Int32Array, baseLoad: BaseLoad | undefined): boolean {
    const own = this.ownOf(split, layer, baseLoad);
    this.solverOf(layer).judgeOne(own, this.limitOf(layer, quota, own.baseLoad), split.answer, layer);
    return isOpen(split.answer, layer);
  }

  private ownOf({ bySource }: SourceSplit, layer: number, baseLoad: BaseLoad | undefined) {
    const topology = ofLayer(this.topologies, layer);
    return {
      sourceLoad: rowOf(bySource, this.distance.sources * topology.experts, layer),
      baseLoad: baseLoad && ofLiving(topology, rowOf(baseLoad, topology.allGpus, layer)),
    };
  }

  /** When the last GPU is done. */
  private limitOf(layer: number, quota: Int32Array, baseLoad: ArrayLike<number> | undefined): number {
    const { gpus, speed, slots, slotReplica, replicaGpu } = ofLayer(this.topologies, layer);
    const load = Float64Array.from({ length: gpus }, (_, g) => baseLoad?.[g] ?? 0);
    for (let p = 0; p < slots; p++) if (slotReplica[p] >= 0) load[replicaGpu[slotReplica[p]]] += quota[p];
    return load.reduce((most, tokens, g) => Math.max(most, tokens / speed[g]), -Infinity);
  }
}
