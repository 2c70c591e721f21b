import { ArgumentError, ShapeError } from "../errors.ts";
import { Placement } from "../placement/placement.ts";
import type { LoadBalanceProblem, Numbers, ReplicaProblem } from "../problem.ts";
import { nameOf, readJson } from "./json_file.ts";

type Fields = Record<string, unknown>;

const forms = {
  replica: { required: ["placement", "expertLoad"], optional: ["baseLoad", "speed"] },
  edge: { required: ["gpus", "edges", "load", "capacity"], optional: ["speed"] },
};

/**
 * Reads a problem in either form, with the fields that `solveLoadBalanceLP` takes. A placement is `{ gpus, physicalToLogical: [P] }`; the
 * loads are a row for a single batch, or [B] rows.
 *
 * @throws {ArgumentError} The file cannot be read, is neither form, or has a field besides: a misspelt one would change the problem.
 */
export async function readProblem(file: string): Promise<LoadBalanceProblem> {
  const json = await readJson(file);
  const fields = (typeof json === "object" && json !== null ? json : {}) as Fields;
  const { required, optional } = "edges" in fields ? forms.edge : forms.replica;
  const missing = required.find((name) => fields[name] === undefined);
  if (missing !== undefined) {
    const expected = `{ ${forms.replica.required.join(", ")} } or { ${forms.edge.required.join(", ")} }`;
    throw new ArgumentError(nameOf(file), expected, `no ${missing}`);
  }
  const stray = Object.keys(fields).find((name) => !required.includes(name) && !optional.includes(name));
  if (stray !== undefined) {
    throw new ArgumentError(nameOf(file), `no fields but ${[...required, ...optional].join(", ")}`, stray);
  }
  return "edges" in fields ? edgeProblem(fields) : replicaProblem(fields);
}

function replicaProblem({ placement, expertLoad, baseLoad, speed }: Fields): ReplicaProblem {
  const { gpus, physicalToLogical } = (placement ?? {}) as { gpus: number; physicalToLogical: number[] };
  if (!Array.isArray(physicalToLogical)) {
    throw new ArgumentError("placement", "{ gpus, physicalToLogical: [the expert in each slot] }", placement);
  }
  const placed = Placement.fromPhysicalToLogical(physicalToLogical, { gpus });
  return {
    placement: placed,
    expertLoad: rows("expertLoad", expertLoad, placed.logicalExperts, "experts"),
    ...(baseLoad === undefined ? {} : { baseLoad: rows("baseLoad", baseLoad, gpus, "GPUs") }),
    ...(speed === undefined ? {} : { speed: speed as Numbers }),
  };
}

function edgeProblem({ gpus, edges, load, capacity, speed }: Fields): LoadBalanceProblem {
  if (!Number.isInteger(gpus)) throw new ArgumentError("gpus", "an integer >= 1", gpus);
  if (!Array.isArray(edges)) throw new ArgumentError("edges", "an array of [from, to] pairs", edges);
  return {
    gpus: gpus as number,
    edges,
    load: rows("load", load, gpus as number, "GPUs"),
    capacity: rows("capacity", capacity, edges.length, "edges"),
    ...(speed === undefined ? {} : { speed: speed as Numbers }),
  };
}

/** Brings [B] rows, or the row of a single batch, to one array; what is in it is left to the solver to check. */
function rows(name: string, value: unknown, columns: number, what: string): number[] {
  if (!Array.isArray(value)) throw new ArgumentError(name, "an array with a row per batch, or a single row", value);
  if (value.length === 0 && columns > 0) throw new ShapeError(name, "at least one row", 0); // with none, it is the single row
  const nested = value.some(Array.isArray);
  for (const [i, row] of (nested ? value : [value]).entries()) {
    const path = nested ? `${name}[${i}]` : name;
    if (!Array.isArray(row)) throw new ArgumentError(path, "a row of numbers", row);
    if (row.length !== columns) throw new ShapeError(path, `a value for each of the ${columns} ${what}`, row.length);
  }
  return nested ? value.flat() : value;
}
