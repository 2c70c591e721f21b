import { ArgumentError, ShapeError } from "../common/errors.ts";
import { type Numbers, type Rows, requireNumbers } from "../common/numbers.ts";
import type { FieldsOf } from "../common/objects.ts";
import { type Activity, refuseActive } from "../placement/active.ts";
import { type Distanced, refuseDistance } from "../placement/distance.ts";
import type { PlacementLike } from "../placement/placement.ts";
import { type Costed, refuseCost } from "./time/expert_cost.ts";
import type { Topology } from "./topology.ts";

/** Replica graph of the edge form: edge [i, j] lets GPU j take over tokens of an expert whose original sits on GPU i. */
export interface Graph {
  gpus: number;
  /** Pairs [i, j]. */
  edges: readonly (readonly number[])[];
}

/** Loads of the edge form, for B batches; each flat or in B rows. */
export interface EdgeLoads {
  /** [B, gpus] tokens per GPU, each expert counted at its original; finite and >= 0. */
  load: Rows;
  /** [B, edges] the most tokens that may move along each edge; finite and >= 0. */
  capacity: Rows;
}

/** Tokens of the replica form, for B batches; each flat or in B rows. */
export interface ExpertLoads {
  /** [B, E] tokens per logical expert, finite and >= 0. */
  expertLoad: Rows;
  /** [B, S, E] whose they are, where there are distances: whole tokens per source, which over the sources add up to expertLoad. */
  sourceLoad?: Rows;
}

/** The same from the sources alone. */
export interface SourceLoads {
  /** [B, E] the sums of sourceLoad over the sources, which need not be given. */
  expertLoad?: Rows;
  /** [B, S, E] whole tokens per source and logical expert; S is that of the distances. */
  sourceLoad: Rows;
}

/** Loads of the replica form, for B batches; each flat or in B rows. */
export type ReplicaLoads = (ExpertLoads | SourceLoads) & {
  /** [B, gpus] what each GPU does besides, finite, of any sign; 0 by default. A fixed time a_g is the base load v_g a_g. With a cost in its time. */
  baseLoad?: Rows;
};

export interface Speed {
  /** [gpus] tokens per unit of time, finite and > 0; 1 by default. */
  speed?: Numbers;
}

export type EdgeProblem = Graph & EdgeLoads & Speed;
export type ReplicaProblem = { placement: PlacementLike } & ReplicaLoads & Speed & Activity & Costed & Distanced;

/** B load-balancing LPs on one topology, in either form. */
export type LoadBalanceProblem = EdgeProblem | ReplicaProblem;

/** All fields of each form. */
export const problemFields = {
  edge: { gpus: true, edges: true, load: true, capacity: true, speed: true } satisfies FieldsOf<EdgeProblem>,
  replica: {
    ...{ placement: true, expertLoad: true, sourceLoad: true, baseLoad: true, speed: true, active: true, cost: true },
    ...{ distance: true, nodes: true },
  } satisfies FieldsOf<ReplicaProblem>,
};

export const tokenModes = ["integer", "fractional"] as const;
/** Whole tokens, or the LP's own fractions. @useDeclaredType */
export type TokenMode = (typeof tokenModes)[number];

/** Throws where a graph has what only the replica form can have. */
export function refuseInEdges(graph: object): void {
  refuseActive(graph);
  refuseCost(graph);
  refuseDistance(graph);
}

/** Checked loads in replica form. Int32Array for whole tokens, Float64Array for fractions and times. */
export interface Loads {
  readonly batch: number;
  readonly tokens: TokenMode;
  /** [B, E] */
  readonly expertLoad: Int32Array | Float64Array;
  /** [B, A] of the living GPUs, or none where every base load is 0. */
  readonly baseLoad: Int32Array | Float64Array | undefined;
  /** [B, S, E] whose tokens they are, if that was told. */
  readonly sourceLoad?: Int32Array;
}

export function isEdgeForm<R, E extends { edges: unknown }>(form: R | E): form is E {
  return typeof form === "object" && form !== null && "edges" in form;
}

export function isReplicaProblem(form: PlacementLike | Graph | LoadBalanceProblem): form is ReplicaProblem {
  return typeof form === "object" && form !== null && "placement" in form && !("edges" in form);
}

/** The speeds given with a problem or graph, or as an option: in both places only if they are the same. */
export function oneSpeed(given: Numbers | undefined, option: Numbers | undefined): Numbers | undefined {
  if (given === undefined) return option;
  if (option === undefined) return given;
  requireNumbers("speed", given);
  requireNumbers("options.speed", option);
  if (given.length !== option.length || Array.from(given).some((v, g) => v !== option[g])) {
    throw new ArgumentError("options.speed", "none, or the same speeds as with the problem", "others");
  }
  return given;
}

/** [gpus] 1 by default.  @throws {ArgumentError | ShapeError} A speed is not as it should be. */
export function checkSpeed(speed: Numbers | undefined, gpus: number): Float64Array {
  if (speed === undefined) return new Float64Array(gpus).fill(1);
  requireNumbers("speed", speed);
  if (speed.length !== gpus) throw new ShapeError("speed", `gpus = ${gpus} values`, speed.length);
  for (let g = 0; g < gpus; g++) {
    if (typeof speed[g] !== "number" || !(speed[g] >= MIN_SPEED && speed[g] <= MAX_SPEED)) {
      throw new ArgumentError(`speed[${g}]`, `a number > 0, within ${MIN_SPEED} to ${MAX_SPEED}`, speed[g]);
    }
  }
  return Float64Array.from(speed);
}

/** Generous, and far enough from the ends of f64 that products with loads stay finite. */
const MIN_SPEED = 1e-30;
const MAX_SPEED = 1e30;

/** LPs first to first + count - 1, as views. */
export function rowsOf({ experts, gpus }: Topology, loads: Loads, first: number, count: number): Loads {
  const rows = <T extends Loads["expertLoad"]>(values: T, width: number) =>
    values.subarray(first * width, (first + count) * width) as T;
  const { tokens, expertLoad, baseLoad } = loads;
  return { batch: count, tokens, expertLoad: rows(expertLoad, experts), baseLoad: baseLoad && rows(baseLoad, gpus) };
}

/** The LPs over and over, `batch` in all. */
export function tiled({ experts, gpus }: Topology, loads: Loads, batch: number): Loads {
  const rows = <T extends Loads["expertLoad"]>(values: T, width: number) => {
    const many = (values instanceof Int32Array ? new Int32Array(batch * width) : new Float64Array(batch * width)) as T;
    for (let i = 0; i < many.length; i++) many[i] = values[i % values.length];
    return many;
  };
  const { tokens, expertLoad, baseLoad } = loads;
  return { batch, tokens, expertLoad: rows(expertLoad, experts), baseLoad: baseLoad && rows(baseLoad, gpus) };
}
