/** Solutions as `solve --json` writes them and `certify` reads them: arrays of B rows as such, so that they need no shapes to be read, and a line per LP. */
import { ArgumentError, LoadError, ShapeError } from "../../common/errors.ts";
import { isEdgeForm, type LoadBalanceProblem, type ReplicaProblem } from "../../lp/problem.ts";
import type { EdgeSolution, ReplicaSolution } from "../../lp/solution.ts";
import { checkDistance } from "../../placement/distance.ts";
import { type Elements, elements } from "./json_lines.ts";

/** Fields of B rows; other arrays have a value per LP. */
const rowFields: readonly string[] = ["gpuLoad", "price", "time", "flow", "quota"];
/** Of these, the rows of a value per GPU. */
const perGpu: readonly string[] = ["gpuLoad", "price", "time"];
const plainArrays: readonly string[] = ["status", "bottleneck", "timeProof"];
/** Values per LP that `certify` reads besides. */
const perLp: readonly string[] = [
  ...["maxLoad", "lowerBound", "gap", "unserved", "maxTime", "timeBound", "timeGap"],
  ...["traffic", "trafficBound", "loadLimit"],
];

/** What whoever writes it as lines needs. Whose tokens go where is [B][S][P], and their potentials are [B] of { gpu: [G], source: [S][E] }. */
export function inRows(solution: ReplicaSolution | EdgeSolution): Record<string, unknown> {
  const { batch } = solution;
  const fields = Object.entries(solution).map(([name, value]) => {
    if (name === "sourceQuota") return [name, sourceRows(solution as ReplicaSolution)];
    if (name === "potential") return [name, potentials(solution as ReplicaSolution)];
    if (!ArrayBuffer.isView(value) && !plainArrays.includes(name)) return [name, value];
    const values = value as ArrayLike<unknown>;
    return [name, elements(values, batch, rowFields.includes(name) ? values.length / batch : undefined)];
  });
  return Object.fromEntries(fields);
}

function* sourceRows({ batch, quota, sourceQuota }: ReplicaSolution): Elements {
  const slots = quota.length / batch;
  const perLp = sourceQuota!.length / batch;
  for (let lp = 0; lp < batch; lp++) {
    yield JSON.stringify(rowsOf(sourceQuota!.subarray(lp * perLp, (lp + 1) * perLp), slots));
  }
}

function* potentials({ batch, quota, sourceQuota, potential }: ReplicaSolution): Elements {
  const { gpu, source } = potential!;
  const sources = sourceQuota!.length / quota.length;
  for (let lp = 0; lp < batch; lp++) {
    const row = (values: Float64Array) =>
      values.subarray((lp * values.length) / batch, ((lp + 1) * values.length) / batch);
    const ofSources = row(source);
    yield JSON.stringify({ gpu: [...row(gpu)], source: rowsOf(ofSources, ofSources.length / sources) });
  }
}

function rowsOf(values: Int32Array | Float64Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, i) => [...values.subarray(i * width, (i + 1) * width)]);
}

/** Brings the rows of a solution back to arrays [B, columns]; what is not like that is left to `certify` to refuse. */
export function asSolution(problem: LoadBalanceProblem, json: unknown): ReplicaSolution & EdgeSolution {
  if (typeof json !== "object" || json === null) return json as ReplicaSolution & EdgeSolution;
  const { gpus, served } = isEdgeForm<unknown, { edges: unknown }>(problem)
    ? { gpus: problem.gpus, served: problem.edges.length }
    : { gpus: problem.placement.gpus, served: problem.placement.physicalToLogical.length };
  if ("maxTime" in json && !("cost" in problem)) {
    const remedy = "--cost says what it was solved with.";
    throw new ArgumentError("solution.maxTime", "none, since the problem has no cost", json.maxTime, remedy);
  }
  const sources = "sourceLoad" in problem ? checkDistance(problem, gpus)?.sources : undefined;
  const fields = Object.entries(json).map(([name, value]) => {
    if (!Array.isArray(value)) return [name, value];
    if (perLp.includes(name)) return [name, numbers(`solution.${name}`, value)];
    if (sources !== undefined) {
      if (name === "sourceQuota") return [name, tables(`solution.${name}`, value, sources, served)];
      if (name === "potential")
        return [name, asPotentials(`solution.${name}`, value, problem as ReplicaProblem, sources)];
    }
    if (!rowFields.includes(name)) return [name, value];
    return [name, rows(`solution.${name}`, value, perGpu.includes(name) ? gpus : served)];
  });
  return Object.fromEntries(fields);
}

function asPotentials(name: string, value: readonly unknown[], { placement }: ReplicaProblem, sources: number) {
  const experts = placement.logicalExperts!; // a Placement's, as readProblem makes it
  const parts = value.map((one, lp) => {
    const path = `${name}[${lp}]`;
    const { gpu, source } = (typeof one === "object" && one !== null ? one : {}) as Record<string, unknown>;
    if (!Array.isArray(gpu) || !Array.isArray(source)) throw new ArgumentError(path, "{ gpu, source }", one);
    return { gpu: row(`${path}.gpu`, gpu, placement.gpus), source: table(`${path}.source`, source, sources, experts) };
  });
  return { gpu: parts.flatMap(({ gpu }) => gpu), source: parts.flatMap(({ source }) => source) };
}

function tables(name: string, value: readonly unknown[], sources: number, columns: number): number[] {
  return value.flatMap((one, lp) => table(`${name}[${lp}]`, one, sources, columns));
}

/** A row per source. */
function table(name: string, value: unknown, sources: number, columns: number): number[] {
  if (!Array.isArray(value)) throw new ArgumentError(name, "a row per source", value);
  if (value.length !== sources) throw new ShapeError(name, `${sources} rows as there are sources`, value.length);
  return rows(name, value, columns);
}

function rows(name: string, value: readonly unknown[], columns: number): number[] {
  return value.flatMap((one, lp) => row(`${name}[${lp}]`, one, columns));
}

function row(name: string, value: unknown, columns: number): number[] {
  if (!Array.isArray(value)) throw new ArgumentError(name, "a row of numbers", value);
  if (value.length !== columns) throw new ShapeError(name, `${columns} values as in the problem`, value.length);
  return numbers(name, value);
}

function numbers(name: string, value: readonly unknown[]): number[] {
  const stray = value.findIndex((one) => typeof one !== "number");
  if (stray >= 0) throw new LoadError(`${name}[${stray}]`, "a number", value[stray]);
  return value as number[];
}
