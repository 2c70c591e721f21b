/**
 * The exact cases: all work is in whole units of one size, as where c(x) = u ceil(x / T), or only activated experts count. Any split can be moved
 * to whole units at no loss, so the least time is that of a flow of units, found as src/lp/exact.ts finds it for tokens: discrete Newton on cuts.
 */
import { insideLoad } from "../cut.ts";
import { type Bound, Flow, route } from "../exact.ts";
import type { Topology } from "../topology.ts";
import { lastDone, type UnitGpus, unitBound, unitsBy } from "./unit_bound.ts";

/** One LP in units. */
export interface UnitLoads {
  /** [E] whole. */
  readonly units: Float64Array;
  /** [A] of experts that have no choice. */
  readonly alone: Float64Array;
  /** u */
  readonly unit: number;
  /** [A] time; none if undefined. */
  readonly base: ArrayLike<number> | undefined;
}

/** Scratch for one topology of experts with a choice. */
export class UnitFlow {
  private readonly flow: Flow;
  private readonly members: number[] = [];

  constructor(private readonly topology: Topology) {
    this.flow = new Flow(topology);
  }

  /**
   * @param x  [R] out: units per replica.  @param member  [A] out: 1 on the set that proves the time, 0 elsewhere.
   * @returns the least time, proven, and the number of augmenting paths.
   */
  solve(loads: UnitLoads, x: Float64Array, member: Uint8Array): { time: number; paths: number } {
    const { flow, topology } = this;
    const { experts, gpus, speed } = topology;
    const { units, alone } = loads;
    const onGpus = { ...loads, speed };
    flow.begin({ batch: 1, tokens: "integer", expertLoad: units, baseLoad: alone }, 0, x);
    const bound = new UnitBound(topology, onGpus, flow.cap, member, this.members);
    bound.raise(flow.visited.fill(1));
    flow.visited.fill(0)[lastDone(onGpus, gpus, alone).gpu] = 1; // with the units that have no choice
    bound.raise(flow.visited);
    let paths = 0;
    for (let e = 0; e < experts; e++) paths += route(flow, bound, e, units[e]);
    return { time: bound.time, paths };
  }
}

/** The best cut so far, in time. */
class UnitBound implements Bound {
  time: number;

  constructor(
    private readonly topology: Topology,
    private readonly loads: UnitLoads & UnitGpus,
    private readonly cap: Float64Array,
    private readonly member: Uint8Array,
    private readonly members: number[],
  ) {
    const { time, gpu } = lastDone(loads, topology.gpus);
    this.time = time;
    member.fill(0)[gpu] = 1;
    this.writeCaps();
  }

  raise(S: Uint8Array): boolean {
    const { topology, loads, members } = this;
    members.length = 0;
    for (let g = 0; g < topology.gpus; g++) if (S[g]) members.push(g);
    const n = insideLoad(topology, loads.units, loads.alone, 0, S);
    const time = unitBound(loads, members, n, this.time);
    if (time <= this.time) return false;
    this.time = time;
    this.member.set(S);
    this.writeCaps();
    return true;
  }

  private writeCaps(): void {
    const { cap, loads, time } = this;
    if (loads.base === undefined && this.topology.equalSpeeds) cap.fill(unitsBy(loads, 0, time));
    else for (let g = 0; g < cap.length; g++) cap[g] = unitsBy(loads, g, time);
  }
}
