import { ArgumentError } from "../../common/errors.ts";
import type { Numbers, Rows } from "../../common/numbers.ts";
import type { LoadBalanceProblem, ReplicaProblem } from "../../lp/problem.ts";
import { checkCost, type ExpertCost, requireSameCost } from "../../lp/time/expert_cost.ts";
import { type Active, oneActive } from "../../placement/active.ts";
import { Placement, type PlacementLike } from "../../placement/placement.ts";
import { activeOf } from "../living_gpus.ts";
import { type Content, jsonOf } from "./content.ts";
import type { CostFile } from "./cost_file.ts";

type Fields = Record<string, unknown>;

const forms = {
  replica: {
    required: ["placement", "expertLoad"],
    optional: ["baseLoad", "speed", "active", "cost", "distance", "nodes", "sourceLoad"],
  },
  edge: { required: ["gpus", "edges", "load", "capacity"], optional: ["speed"] },
};

export const problemArgument =
  "JSON or .json.gz, - for standard input: { placement: { gpus, physicalToLogical }, expertLoad, baseLoad?, speed?, active?, cost?, " +
  "distance?, nodes?, sourceLoad? } or { gpus, edges, load, capacity, speed? }";

/**
 * A problem in either form, with the fields that `solveLoadBalanceLP` takes and checks. A placement is `{ gpus, physicalToLogical: [P] }`.
 *
 * @param dead  GPUs that died, besides or instead of `active` in the file, with which it must agree.
 * @param cost  likewise instead of `cost` in the file, or the same.
 * @throws {ArgumentError} It is neither form, or has a field besides: a misspelt one would change the problem.
 */
export function parseProblem(content: Content, dead?: readonly number[], cost?: CostFile): LoadBalanceProblem {
  const json = jsonOf(content);
  const fields = (typeof json === "object" && json !== null ? json : {}) as Fields;
  const { required, optional } = "edges" in fields ? forms.edge : forms.replica;
  const isTold = (name: string) => fields[name] !== undefined;
  // Sources' loads add up to the experts'.
  const missing = required.find((name) => !isTold(name) && !(name === "expertLoad" && isTold("sourceLoad")));
  if (missing !== undefined) {
    const expected = `{ ${forms.replica.required.join(", ")} } or { ${forms.edge.required.join(", ")} }`;
    throw new ArgumentError(content.name, expected, `no ${missing}`);
  }
  const stray = Object.keys(fields).find((name) => !required.includes(name) && !optional.includes(name));
  if (stray !== undefined) {
    throw new ArgumentError(content.name, `no fields but ${[...required, ...optional].join(", ")}`, stray);
  }
  if (!("edges" in fields)) return replicaProblem(fields, dead, cost?.cost);
  if (dead) throw new ArgumentError("--dead", "none in the edge form", dead.join(","));
  if (cost) throw new ArgumentError("--cost", "none in the edge form", cost.source);
  return edgeProblem(fields);
}

function replicaProblem(
  { placement, expertLoad, sourceLoad, distance, nodes, baseLoad, speed, active, cost }: Fields,
  dead?: readonly number[],
  asked?: ExpertCost,
) {
  if (!Array.isArray((placement as Partial<PlacementLike> | undefined)?.physicalToLogical)) {
    throw new ArgumentError("placement", "{ gpus, physicalToLogical: [the expert in each slot] }", placement);
  }
  const placed = Placement.of("placement", placement as PlacementLike);
  const alive = dead && activeOf(dead, placed.gpus);
  const given = cost as ExpertCost | undefined;
  const known = given === undefined ? undefined : checkCost(given);
  if (known && asked) requireSameCost(asked, known, "--cost", "in the file");
  const problem = {
    placement: placed,
    ...(expertLoad === undefined ? {} : { expertLoad: expertLoad as Rows }),
    ...(sourceLoad === undefined ? {} : { sourceLoad: sourceLoad as Rows }),
    ...(distance === undefined ? {} : { distance: distance as Rows }),
    ...(nodes === undefined ? {} : { nodes: nodes as number }),
    ...(baseLoad === undefined ? {} : { baseLoad: baseLoad as Rows }),
    ...(speed === undefined ? {} : { speed: speed as Numbers }),
    ...(active === undefined && alive === undefined ? {} : { active: oneActive(active as Active, alive, "--dead") }),
    ...(given === undefined && asked === undefined ? {} : { cost: given === undefined ? asked : given }),
  };
  return problem as ReplicaProblem; // parseProblem has seen to it that there are loads
}

function edgeProblem({ gpus, edges, load, capacity, speed }: Fields): LoadBalanceProblem {
  if (!Number.isInteger(gpus)) throw new ArgumentError("gpus", "an integer >= 1", gpus);
  if (!Array.isArray(edges)) throw new ArgumentError("edges", "an array of [from, to] pairs", edges);
  return {
    gpus: gpus as number,
    edges,
    load: load as Rows,
    capacity: capacity as Rows,
    ...(speed === undefined ? {} : { speed: speed as Numbers }),
  };
}
