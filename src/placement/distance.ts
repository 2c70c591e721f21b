/** How far tokens travel: what the solvers, the balancer, `measureImbalance` and `certify` take as `distance` or `nodes`. */
import { ArgumentError, LoadError, ShapeError } from "../common/errors.ts";
import { flat, type Rows } from "../common/numbers.ts";

export interface Distanced {
  /**
   * [S, gpus] what it takes to send an assignment of each source (a rank, a host) to each GPU, finite and >= 0, in any unit; flat or in rows. Up to 0 is
   * a source's own GPU, up to 1 its own node, beyond that another. Of all splits with the least load, or time, one of least traffic is answered where
   * `sourceLoad` tells who has which tokens. In the replica form, for whole tokens.
   */
  distance?: Rows;
  /**
   * Instead of `distance`: the GPUs are so many nodes, equal blocks in order of their numbers, and each is the source of its rank's tokens: 0 to itself, 1
   * within its node, 9 to another. With one node no GPU is far from another: all distances are 0.
   */
  nodes?: number;
}

/** Why there is no cost with them. */
export const LOADS_ALONE = "The least traffic is of splits with the least load, not of those with the least time.";

/** Where an assignment goes. */
export const OWN_GPU = 0;
export const OWN_NODE = 1;
export const OTHER_NODE = 2;

/** Checked distances. */
export interface Distance {
  /** S */
  readonly sources: number;
  /** G, as the caller counts them. */
  readonly gpus: number;
  /** As given: number of nodes, or a copy of the matrix. */
  readonly given: Required<Pick<Distanced, "nodes">> | { readonly distance: Float64Array };
  /** [S, G] */
  readonly values: Float64Array;
  /** [S, G] OWN_GPU, OWN_NODE or OTHER_NODE. */
  readonly place: Uint8Array;
  /** [G] the node of each GPU: the GPUs that some source has within 1 are of one. */
  readonly nodeOf: Int32Array;
}

/** Between nodes; within one it is 1. */
const FAR = 9;
/** Far enough from the end of f64 that sums over all tokens stay finite. */
const MOST = 1e270;

/** Checked; undefined where none were given.  @throws {ArgumentError | ShapeError | LoadError} They are not as they should be. */
export function checkDistance({ distance, nodes }: Distanced, gpus: number, prefix = ""): Distance | undefined {
  if (distance !== undefined && nodes !== undefined) {
    throw new ArgumentError(`${prefix}nodes`, "either distance or nodes", "both");
  }
  if (nodes !== undefined) return ofNodes(nodes, gpus, `${prefix}nodes`);
  return distance === undefined ? undefined : ofMatrix(distance, gpus, `${prefix}distance`);
}

function ofNodes(nodes: number, gpus: number, argument: string): Distance {
  if (typeof nodes !== "number" || !Number.isInteger(nodes) || nodes < 1 || gpus % nodes !== 0) {
    throw new ArgumentError(argument, `an integer >= 1 that divides gpus = ${gpus}`, nodes);
  }
  const nodeOf = Int32Array.from({ length: gpus }, (_, g) => Math.floor((g * nodes) / gpus));
  const place = new Uint8Array(gpus * gpus);
  for (const i of place.keys()) {
    const [s, g] = [Math.floor(i / gpus), i % gpus];
    if (s !== g) place[i] = nodeOf[s] === nodeOf[g] ? OWN_NODE : OTHER_NODE;
  }
  const values = Float64Array.from(place, (where) => (nodes === 1 ? 0 : [0, 1, FAR][where]));
  return { sources: gpus, gpus, given: { nodes }, values, place, nodeOf };
}

function ofMatrix(distance: Rows, gpus: number, argument: string): Distance {
  const { values: found, path } = flat(argument, distance, { gpus });
  const sources = found.length / gpus;
  if (!Number.isInteger(sources) || sources < 1) {
    throw new ShapeError(argument, `S * gpus values with gpus = ${gpus} and S >= 1`, found.length);
  }
  for (let i = 0; i < found.length; i++) {
    const value: unknown = found[i];
    if (typeof value === "number" && value >= 0 && value <= MOST) continue;
    throw new LoadError(path(i), `a number from 0 to ${MOST}`, value);
  }
  const values = Float64Array.from(found);
  const place = Uint8Array.from(values, (value) => (value > 1 ? OTHER_NODE : value > 0 ? OWN_NODE : OWN_GPU));
  return { sources, gpus, given: { distance: values }, values, place, nodeOf: nodesOf(place, gpus) };
}

/** GPUs that a source has near are of one node, and so are those that are by way of others. */
function nodesOf(place: Uint8Array, gpus: number): Int32Array {
  const first = Int32Array.from({ length: gpus }, (_, g) => g);
  const rootOf = (g: number): number => (first[g] === g ? g : rootOf(first[g]));
  for (let row = 0; row < place.length; row += gpus) {
    let near = -1;
    for (let g = 0; g < gpus; g++) {
      if (place[row + g] === OTHER_NODE) continue;
      if (near >= 0) first[rootOf(g)] = rootOf(near);
      near = g;
    }
  }
  const roots = [...new Set(first.map(rootOf))];
  return Int32Array.from(first, (_, g) => roots.indexOf(rootOf(g)));
}

/** The distances given with a problem, or as options: in both places only if they are the same.  @throws {ArgumentError} They differ. */
export function oneDistance(given: Distanced | undefined, option: Distanced, gpus: number): Distance | undefined {
  const own = given && checkDistance(given, gpus);
  const chosen = checkDistance(option, gpus, own && "options.");
  if (own && chosen) requireSameDistance(chosen, own, "options", "with the problem");
  return own ?? chosen;
}

export function requireSameDistance(chosen: Distance, own: Distance | undefined, prefix: string, whose: string): void {
  if (own?.sources === chosen.sources && chosen.values.every((value, i) => value === own.values[i])) return;
  const name = "nodes" in chosen.given ? "nodes" : "distance";
  throw new ArgumentError(`${prefix}.${name}`, `none, or the same distances as ${whose}`, "others");
}

/** The edge form does not say whose tokens move.  @throws {ArgumentError} It has distances all the same. */
export function refuseDistance(graph: object): void {
  for (const name of ["distance", "nodes", "sourceLoad"] as const) {
    const value = (graph as Record<string, unknown>)[name];
    if (value !== undefined) throw new ArgumentError(name, "none in the edge form", value);
  }
}

/** Whether no source is nearer to one of these GPUs than to another: then there is nothing to choose by. */
export function isUniform({ sources, gpus, values }: Distance, label: Int32Array): boolean {
  for (let s = 0; s < sources; s++) {
    for (const g of label) if (values[s * gpus + g] !== values[s * gpus + label[0]]) return false;
  }
  return true;
}
