import { ArgumentError, LoadError, ShapeError } from "../common/errors.ts";
import { flat, type Numbers, type Rows } from "../common/numbers.ts";
import { requireObject } from "../common/objects.ts";
import { checkActive } from "../placement/active.ts";
import { checkDistance } from "../placement/distance.ts";
import { isPlacementLike, Placement } from "../placement/placement.ts";
import {
  isEdgeForm,
  type LoadBalanceProblem,
  problemFields,
  type ReplicaProblem,
  refuseInEdges,
  tokenModes,
} from "./problem.ts";
import type { EdgeSolution, ReplicaSolution } from "./solution.ts";
import { checkCost } from "./time/expert_cost.ts";

/** What a problem is of, in numbers. */
interface Sizes {
  batch: number;
  gpus: number;
  /** Values per LP of quota (P), or flow (edges). */
  served: number;
  /** Of a problem that tells whose tokens are whose. */
  sources?: number;
  experts?: number;
}

/**
 * Throws unless `solution` has the form of an answer to all LPs of `problem`: of something else nothing can be said, and of nothing
 * everything. Whether the answer is right is not looked at. Shares no code with the solvers.
 */
export function requireSolution(problem: LoadBalanceProblem, solution: ReplicaSolution | EdgeSolution): Sizes {
  const sizes = sizesOf(problem);
  const { batch, gpus, served, sources, experts } = sizes;
  if (typeof (solution as { then?: unknown } | undefined)?.then === "function") {
    throw new ArgumentError("solution", "what solve resolves to", solution, "Did you forget await?");
  }
  if (typeof solution !== "object" || solution === null) throw new ArgumentError("solution", "an object", solution);
  if (solution.batch !== batch)
    throw new ShapeError("solution.batch", `B = ${batch} as in the problem`, solution.batch);
  if (!tokenModes.includes(solution.tokens)) {
    throw new ArgumentError("solution.tokens", `"integer" or "fractional"`, solution.tokens);
  }
  const form = isEdgeForm(problem) ? (["flow", "edges"] as const) : (["quota", "P"] as const);
  const [name, width] = form;
  const answer = solution as Partial<ReplicaSolution & EdgeSolution>;
  requireLength(`solution.${name}`, answer[name], `B * ${width} = ${batch} * ${served}`, batch * served);
  for (const one of ["gpuLoad", "price"] as const) {
    requireLength(`solution.${one}`, solution[one], `B * gpus = ${batch} * ${gpus}`, batch * gpus);
  }
  if ((problem as ReplicaProblem).cost !== undefined) requireTimes(answer, batch, gpus);
  else if (answer.time !== undefined) {
    const remedy = "A cost that was an option belongs to the problem, too.";
    throw new ArgumentError("problem.cost", "the cost that the solution's times are of", undefined, remedy);
  }
  if (sources !== undefined) requireTraffic(answer, batch, { gpus, sources, slots: served, experts: experts! });
  else if (answer.traffic !== undefined) {
    const remedy = "What was given to solve belongs to the problem, too.";
    throw new ArgumentError("problem.sourceLoad", "what the solution's traffic is of", undefined, remedy);
  }
  if (name === "quota") {
    requireList("solution.lost", answer.lost, "experts");
    requireLength("solution.unserved", answer.unserved, "B", batch);
  }
  for (const one of ["status", "maxLoad", "lowerBound", "gap", "bottleneck"] as const) {
    requireLength(`solution.${one}`, solution[one], "B", batch);
  }
  for (let lp = 0; lp < batch; lp++) {
    requireList(`solution.bottleneck[${lp}]`, solution.bottleneck[lp], "GPUs");
  }
  return sizes;
}

function requireTimes(answer: Partial<ReplicaSolution>, batch: number, gpus: number): void {
  const remedy = "Was it solved with the cost?";
  if (answer.time === undefined)
    throw new ArgumentError("solution.time", "times, since the problem has a cost", undefined, remedy);
  requireLength("solution.time", answer.time, `B * gpus = ${batch} * ${gpus}`, batch * gpus);
  for (const one of ["maxTime", "timeBound", "timeGap", "timeProof"] as const) {
    requireLength(`solution.${one}`, answer[one], "B", batch);
  }
}

function requireTraffic(
  answer: Partial<ReplicaSolution>,
  batch: number,
  { gpus, sources, slots, experts }: Record<"gpus" | "sources" | "slots" | "experts", number>,
): void {
  const { traffic, potential, sourceQuota } = answer;
  if (traffic === undefined) {
    const remedy = "Was it solved with the sourceLoad?";
    throw new ArgumentError("solution.traffic", "traffic, since the problem has a sourceLoad", undefined, remedy);
  }
  for (const one of ["traffic", "trafficBound", "loadLimit"] as const) {
    requireLength(`solution.${one}`, answer[one], "B", batch);
  }
  const [ofSlots, ofExperts] = [slots, experts].map((width) => sources * width);
  requireLength("solution.sourceQuota", sourceQuota, `B * S * P = ${batch} * ${sources} * ${slots}`, batch * ofSlots);
  requireLength("solution.potential.gpu", potential?.gpu, `B * gpus = ${batch} * ${gpus}`, batch * gpus);
  const formula = `B * S * E = ${batch} * ${sources} * ${experts}`;
  requireLength("solution.potential.source", potential?.source, formula, batch * ofExperts);
}

function sizesOf(problem: LoadBalanceProblem): Sizes {
  if (isEdgeForm<unknown, { edges: unknown }>(problem)) {
    refuseInEdges(problem);
    requireObject("problem", problem, problemFields.edge);
    const { gpus, edges, load, capacity, speed } = problem;
    if (!Number.isInteger(gpus) || gpus < 1) throw new ArgumentError("problem.gpus", "an integer >= 1", gpus);
    requireList("problem.edges", edges, "[from, to] pairs");
    for (const [e, edge] of edges.entries()) {
      if (edge?.length === 2 && edge.every((g) => Number.isInteger(g) && g >= 0 && g < gpus)) continue;
      throw new ArgumentError(`problem.edges[${e}]`, `a pair of GPUs in 0..${gpus - 1}`, edge);
    }
    const batch = batchOf("problem.load", load, gpus, "gpus");
    requireRows("problem.capacity", capacity, "edges", edges.length, batch);
    requireSpeed(speed, gpus);
    return { batch, gpus, served: edges.length };
  }
  requireObject("problem", problem, problemFields.replica);
  const { placement, baseLoad, speed, active, cost } = problem;
  if (!isPlacementLike(placement)) {
    throw new ArgumentError("problem.placement", "a Placement, or the fields of a graph instead", placement);
  }
  const { gpus, logicalExperts, physicalExperts } = Placement.of("problem.placement", placement);
  const alive = checkActive(active, gpus, "problem.active");
  const sources = sourcesOf(problem, gpus, logicalExperts);
  const batch = sources?.batch ?? batchOf("problem.expertLoad", problem.expertLoad!, logicalExperts, "E");
  if (baseLoad !== undefined) {
    requireRows("problem.baseLoad", baseLoad, "gpus", gpus, batch, alive);
  }
  requireSpeed(speed, gpus);
  if (cost !== undefined) checkCost(cost, "problem.cost");
  return { batch, gpus, served: physicalExperts, sources: sources?.count, experts: logicalExperts };
}

/** Of a problem that tells whose tokens are whose: how many sources there are, and how many LPs. */
function sourcesOf(problem: ReplicaProblem, gpus: number, experts: number) {
  const distance = checkDistance(problem, gpus, "problem.");
  if (problem.sourceLoad === undefined) return undefined;
  if (!distance) throw new ArgumentError("problem.distance", "distances, since it has a sourceLoad", undefined);
  const { values } = flat("problem.sourceLoad", problem.sourceLoad, { S: distance.sources, E: experts });
  const batch = batchOf("problem.sourceLoad", values, distance.sources * experts, "S * E");
  for (let i = 0; i < values.length; i++) {
    if (!Number.isInteger(values[i]) || values[i] < 0) {
      throw new LoadError(`problem.sourceLoad[${i}]`, "an integer >= 0", values[i]);
    }
  }
  if (problem.expertLoad !== undefined) requireRows("problem.expertLoad", problem.expertLoad, "E", experts, batch);
  return { batch, count: distance.sources };
}

/** The tokens of each expert, and where it was told, of each source. */
export function tokensOf({ placement, expertLoad, sourceLoad, distance, nodes }: ReplicaProblem, experts: number) {
  if (sourceLoad === undefined) return { of: reader(expertLoad!, experts), from: () => 0 };
  const far = checkDistance({ distance, nodes }, placement.gpus)!;
  const { values } = flat("problem.sourceLoad", sourceLoad, { S: far.sources, E: experts });
  const from = (lp: number, s: number, e: number) => values[(lp * far.sources + s) * experts + e];
  const sum = (lp: number, e: number) => {
    let tokens = 0;
    for (let s = 0; s < far.sources; s++) tokens += from(lp, s, e);
    return tokens;
  };
  return { of: expertLoad === undefined ? sum : reader(expertLoad, experts), from, distance: far };
}

const isList = (values: unknown): values is ArrayLike<unknown> =>
  Array.isArray(values) || (ArrayBuffer.isView(values) && "length" in values);

/** Value i of row `lp`, of numbers that lie flat or in rows. */
export function reader(values: Rows, width: number): (lp: number, i: number) => number {
  if (isList(values[0])) return (lp, i) => (values as readonly Numbers[])[lp][i];
  return (lp, i) => (values as Numbers)[lp * width + i];
}

function batchOf(argument: string, values: Rows, width: number, name: string): number {
  requireList(argument, values, "numbers");
  const batch = isList(values[0]) ? values.length : values.length / width;
  if (!Number.isInteger(batch) || batch < 1) {
    throw new ShapeError(argument, `B * ${name} values with ${name} = ${width} and B >= 1`, values.length);
  }
  requireRows(argument, values, name, width, batch);
  return batch;
}

/** Throws unless they are [batch, width] finite numbers, flat or in rows. */
/** @param alive  [width] whose values count. */
function requireRows(
  argument: string,
  values: Rows,
  name: string,
  width: number,
  batch: number,
  alive?: Uint8Array,
): void {
  requireList(argument, values, "numbers");
  if (!isList(values[0])) {
    requireNumbers(argument, values as Numbers, `B * ${name} = ${batch} * ${width}`, batch * width, alive);
    return;
  }
  if (values.length !== batch) throw new ShapeError(argument, `B = ${batch} rows`, values.length);
  for (let lp = 0; lp < batch; lp++) {
    requireNumbers(`${argument}[${lp}]`, values[lp] as Numbers, name, width, alive);
  }
}

function requireSpeed(speed: Numbers | undefined, gpus: number): void {
  if (speed === undefined) return;
  requireNumbers("problem.speed", speed, "gpus", gpus);
  for (let g = 0; g < gpus; g++) {
    if (!(speed[g] > 0)) throw new ArgumentError(`problem.speed[${g}]`, "a number > 0", speed[g]);
  }
}

/** @param alive  [G] whose values count, where they are [B, G] or a row of it. */
function requireNumbers(argument: string, values: Numbers, formula: string, length: number, alive?: Uint8Array): void {
  requireLength(argument, values, formula, length);
  for (let i = 0; i < length; i++) {
    if (alive?.[i % alive.length] === 0) continue;
    if (!Number.isFinite(values[i])) throw new LoadError(`${argument}[${i}]`, "a finite number", values[i]);
  }
}

function requireLength(argument: string, values: ArrayLike<unknown> | undefined, formula: string, length: number) {
  requireList(argument, values, "values");
  if (values.length === length) return;
  throw new ShapeError(argument, `${formula} = ${length} values`, values.length);
}

function requireList(argument: string, values: unknown, of: string): asserts values is ArrayLike<unknown> {
  if (isList(values)) return;
  throw new ArgumentError(argument, `an array of ${of}`, values);
}
