import { ArgumentError, LoadError, PlacementError, ShapeError } from "../common/errors.ts";
import { type Flat, flat, type Numbers, type Rows, requireNumbers } from "../common/numbers.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";
import { Pauses } from "../common/pauses.ts";
import { type Active, type Activity, checkActive, refuseActive } from "../placement/active.ts";
import { isPlacementLike, Placement, type PlacementLike } from "../placement/placement.ts";
import { ofLiving, type Topology, topologyOfEdges, topologyOfPlacement } from "./topology.ts";

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

/** Loads of the replica form, for B batches; each flat or in B rows. */
export interface ReplicaLoads {
  /** [B, E] tokens per logical expert, finite and >= 0. */
  expertLoad: Rows;
  /** [B, gpus] what each GPU does besides, finite, of any sign; 0 by default. A fixed time a_g is the base load v_g a_g. */
  baseLoad?: Rows;
}

export interface Speed {
  /** [gpus] tokens per unit of time, finite and > 0; 1 by default. */
  speed?: Numbers;
}

export type EdgeProblem = Graph & EdgeLoads & Speed;
export type ReplicaProblem = { placement: PlacementLike } & ReplicaLoads & Speed & Activity;

/** B load-balancing LPs on one topology, in either form. */
export type LoadBalanceProblem = EdgeProblem | ReplicaProblem;

/** All fields of each form. */
export const problemFields = {
  edge: { gpus: true, edges: true, load: true, capacity: true, speed: true } satisfies FieldsOf<EdgeProblem>,
  replica: {
    ...{ placement: true, expertLoad: true, baseLoad: true, speed: true, active: true },
  } satisfies FieldsOf<ReplicaProblem>,
};

export const tokenModes = ["integer", "fractional"] as const;
/** Whole tokens, or the LP's own fractions. */
export type TokenMode = (typeof tokenModes)[number];

/** Checked loads in replica form. Int32Array for whole tokens, Float64Array for fractions. */
export interface Loads {
  readonly batch: number;
  readonly tokens: TokenMode;
  /** [B, E] */
  readonly expertLoad: Int32Array | Float64Array;
  /** [B, A] of the living GPUs, or none where every base load is 0. */
  readonly baseLoad: Int32Array | Float64Array | undefined;
}

/** Whole tokens are counted in i32: the loads of one LP may add up to this much. */
export const MAX_TOKENS = 2 ** 31 - 1;
/** Fractions: even the slowest GPU serves this much in a time that f64 can hold. */
const MAX_TOTAL = 1e270;

/** Of a graph: far more than anyone has, and few enough for the arrays of a topology. */
const MAX_GPUS = 2 ** 16;

/** What a solver is made for: a Placement of what stands for one, or the graph as it is. */
export function toForm(given: PlacementLike | Graph, argument = "placement"): Placement | Graph {
  return isPlacementLike(given) ? Placement.of(argument, given) : given;
}

export function isEdgeForm<R, E extends { edges: unknown }>(form: R | E): form is E {
  return typeof form === "object" && form !== null && "edges" in form;
}

export function isReplicaProblem(form: PlacementLike | Graph | LoadBalanceProblem): form is ReplicaProblem {
  return typeof form === "object" && form !== null && "placement" in form && !("edges" in form);
}

/** Checks a placement or graph, its speeds and which GPUs are alive, and brings both forms to one. */
export function toTopology(given: PlacementLike | Graph, speed: Numbers | undefined, active?: Active): Topology {
  const form = toForm(given);
  if (form instanceof Placement) {
    return topologyOfPlacement(form, checkSpeed(speed, form.gpus), checkActive(active, form.gpus));
  }
  if (!isEdgeForm<Placement, Graph>(form)) {
    throw new PlacementError("placement", "a Placement, or a graph { gpus, edges }", form);
  }
  refuseActive({ active });
  requireObject("graph", form, problemFields.edge); // a whole problem may stand for its graph
  const { gpus, edges } = form;
  if (!Number.isInteger(gpus) || gpus < 1 || gpus > MAX_GPUS) {
    throw new ArgumentError("gpus", `an integer from 1 to ${MAX_GPUS}`, gpus);
  }
  if (!Array.isArray(edges)) throw new PlacementError("edges", "an array of [from, to] pairs", edges);
  for (const [i, edge] of edges.entries()) {
    if (!Array.isArray(edge) || edge.length !== 2) throw new PlacementError(`edges[${i}]`, "a pair [from, to]", edge);
    for (const gpu of edge) {
      if (!Number.isInteger(gpu) || gpu < 0 || gpu >= gpus) {
        throw new PlacementError(`edges[${i}]`, `GPUs in 0..${gpus - 1}`, gpu);
      }
    }
    if (edge[0] === edge[1]) throw new PlacementError(`edges[${i}]`, "two different GPUs", edge[0]);
  }
  return topologyOfEdges(gpus, edges, checkSpeed(speed, gpus));
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

function checkSpeed(speed: Numbers | undefined, gpus: number): Float64Array {
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

/** A copy, whatever its type: the caller may reuse its arrays at once. Rows were copied to lie flat. */
function copyOf({ values, path }: Flat, given: Rows): Flat {
  if (values !== given) return { values, path };
  const ofTyped = Int32Array.prototype.slice; // every TypedArray has it
  return { values: Array.isArray(values) ? values.slice() : ofTyped.call(values), path };
}

/**
 * Checks values one by one; returns whether all of them are integers, as they must be where that is the mode.
 *
 * @param perGpu  Where values are [B, G]: whose dead GPUs may have any.
 */
async function checkValues(
  { values, path }: Flat,
  least: number,
  mode: TokenMode | undefined,
  pauses: Pauses,
  perGpu?: Topology,
): Promise<boolean> {
  const dead = perGpu && perGpu.gpus < perGpu.allGpus ? deadGpus(perGpu) : undefined;
  let whole = true;
  await pauses.inPieces(values.length, 1, (first, end) => {
    for (let i = first; i < end; i++) {
      if (dead?.[i % dead.length]) continue;
      const value = values[i];
      if (typeof value !== "number" || !(value >= least && value < Infinity)) {
        throw new LoadError(path(i), least === 0 ? "a finite number >= 0" : "a finite number", value);
      }
      if (!whole || Number.isInteger(value)) continue;
      if (mode === "integer") {
        throw new LoadError(path(i), `an integer, because tokens is "integer"`, value);
      }
      whole = false;
    }
  });
  return whole;
}

function deadGpus({ allGpus, label }: Topology): Uint8Array {
  const dead = new Uint8Array(allGpus).fill(1);
  for (const g of label) dead[g] = 0;
  return dead;
}

const FINITE = -Number.MAX_VALUE;

/** Checks the loads of the topology's form before anything is computed. They are copied before the first pause. */
export async function checkLoads(
  topology: Topology,
  graph: Graph | undefined,
  given: EdgeLoads | ReplicaLoads,
  mode?: TokenMode,
  pauses = new Pauses(),
): Promise<Loads> {
  if (mode !== undefined && !tokenModes.includes(mode)) {
    throw new ArgumentError("tokens", `"integer" or "fractional"`, mode);
  }
  if (typeof given !== "object" || given === null) throw new ArgumentError("loads", "an object", given);
  return graph
    ? checkEdgeLoads(topology, given as EdgeLoads, mode, pauses)
    : checkReplicaLoads(topology, given as ReplicaLoads, mode, pauses);
}

async function checkReplicaLoads(
  topology: Topology,
  given: ReplicaLoads,
  mode: TokenMode | undefined,
  pauses: Pauses,
): Promise<Loads> {
  const { experts, allGpus } = topology;
  const loads = flat("expertLoad", given.expertLoad, { E: experts });
  const batch = loads.values.length / experts;
  if (!Number.isInteger(batch) || batch < 1) {
    throw new ShapeError("expertLoad", `B * E values with E = ${experts} and B >= 1`, loads.values.length);
  }
  const base = given.baseLoad === undefined ? undefined : flat("baseLoad", given.baseLoad, { gpus: allGpus });
  const expertLoad = copyOf(loads, given.expertLoad);
  const baseLoad = base && copyOf(base, given.baseLoad!);
  let whole = await checkValues(expertLoad, 0, mode, pauses);
  if (baseLoad) {
    const { length } = baseLoad.values;
    if (length !== batch * allGpus) {
      throw new ShapeError("baseLoad", `B * gpus = ${batch} * ${allGpus} = ${batch * allGpus} values`, length);
    }
    whole = (await checkValues(baseLoad, FINITE, mode, pauses, topology)) && whole;
  }
  const tokens = mode ?? (whole ? "integer" : "fractional");
  const living = baseLoad && ofLiving(topology, baseLoad.values);
  return finish(topology, "expertLoad", tokens, batch, expertLoad.values, living, pauses);
}

async function checkEdgeLoads(
  topology: Topology,
  given: EdgeLoads,
  mode: TokenMode | undefined,
  pauses: Pauses,
): Promise<Loads> {
  const { gpus, experts: edges, replicaGpu } = topology;
  const flatLoad = flat("load", given.load, { gpus });
  const flatCapacity = flat("capacity", given.capacity, { edges });
  const batch = flatLoad.values.length / gpus;
  if (!Number.isInteger(batch) || batch < 1) {
    throw new ShapeError("load", `B * gpus values with gpus = ${gpus} and B >= 1`, flatLoad.values.length);
  }
  const { length } = flatCapacity.values;
  if (length !== batch * edges) {
    const expected = `B * edges = ${batch} * ${edges} = ${batch * edges} values`;
    throw new ShapeError("capacity", expected, length);
  }
  const checkedLoad = copyOf(flatLoad, given.load);
  const checkedCapacity = copyOf(flatCapacity, given.capacity);
  const wholeLoads = await checkValues(checkedLoad, 0, mode, pauses);
  const whole = (await checkValues(checkedCapacity, 0, mode, pauses)) && wholeLoads;
  const [load, capacity] = [checkedLoad.values, checkedCapacity.values];
  const tokens = mode ?? (whole ? "integer" : "fractional");
  const baseLoad = new Float64Array(load.length);
  await pauses.inPieces(batch, gpus + edges, (first, end) => {
    for (let i = first * gpus; i < end * gpus; i++) baseLoad[i] = load[i];
    for (let p = first; p < end; p++) {
      // Replica 2e is the original of edge e.
      for (let e = 0; e < edges; e++) baseLoad[p * gpus + replicaGpu[2 * e]] -= capacity[p * edges + e];
    }
  });
  return finish(topology, "load and capacity", tokens, batch, capacity, baseLoad, pauses);
}

/** Checks that each LP's total fits the arithmetic, and brings the loads into the array type of the mode. */
async function finish(
  topology: Topology,
  argument: string,
  tokens: TokenMode,
  batch: number,
  expertLoad: Numbers,
  baseLoad: Numbers | undefined,
  pauses: Pauses,
): Promise<Loads> {
  const { experts, gpus } = topology;
  const limit = tokens === "integer" ? MAX_TOKENS : MAX_TOTAL;
  const ofMode = tokens === "integer" ? Int32Array : Float64Array;
  const typed = (values: Numbers) => (values instanceof ofMode ? values : new ofMode(values.length));
  const loads = { batch, tokens, expertLoad: typed(expertLoad), baseLoad: baseLoad && typed(baseLoad) };
  await pauses.inPieces(batch, experts + gpus, (first, end) => {
    for (let p = first; p < end; p++) {
      let total = 0;
      for (let e = 0; e < experts; e++) total += expertLoad[p * experts + e];
      if (baseLoad) for (let g = 0; g < gpus; g++) total += Math.abs(baseLoad[p * gpus + g]);
      if (!(total <= limit)) {
        const remedy = tokens === "integer" ? `Solve in larger units, or with tokens: "fractional".` : undefined;
        const expected = `a total of at most ${limit} in LP ${p}, base loads included by magnitude`;
        throw new LoadError(argument, expected, total, remedy);
      }
    }
    for (let i = first * experts; i < end * experts; i++) loads.expertLoad[i] = expertLoad[i];
    if (baseLoad && loads.baseLoad) for (let i = first * gpus; i < end * gpus; i++) loads.baseLoad[i] = baseLoad[i];
  });
  return loads;
}

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
