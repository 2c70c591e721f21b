import { ArgumentError, PlacementError, ShapeError } from "../common/errors.ts";
import { flat, MAX_TOKENS, type Numbers } from "../common/numbers.ts";
import { requireObject } from "../common/objects.ts";
import type { Pauses } from "../common/pauses.ts";
import { checkValues, copyOf, ofMode, whyWhole } from "./check_loads.ts";
import type { Form } from "./form.ts";
import {
  checkSpeed,
  type EdgeLoads,
  type Graph,
  type Loads,
  problemFields,
  refuseInEdges,
  type TokenMode,
} from "./problem.ts";
import type { EdgeAnswer } from "./solution.ts";
import { type Topology, topologyOfEdges } from "./topology.ts";

export type EdgeForm = Form<EdgeLoads, EdgeAnswer> & { readonly name: "edge" };

/** Far more than anyone has, and few enough for the arrays of a topology. */
const MAX_GPUS = 2 ** 16;

/**
 * GPUs that may take over tokens from others. A whole problem may stand for its graph.
 *
 * @throws {ArgumentError | PlacementError | ShapeError} The graph or a speed is not as it should be.
 */
export function edgeForm(graph: Graph, speed?: Numbers): EdgeForm {
  refuseInEdges(graph);
  requireObject("graph", graph, problemFields.edge);
  requireGraph(graph);
  const { gpus, edges } = graph;
  const topology = topologyOfEdges(gpus, edges, checkSpeed(speed, gpus));
  return {
    name: "edge",
    of: graph,
    topology,
    fields: problemFields.edge,
    check: (given, tokens, pauses) => checkEdgeLoads(topology, given, tokens, pauses),
    answer: async ({ quota }, _, pauses) => ({ flow: await flowOf(quota, pauses) }),
  };
}

function requireGraph({ gpus, edges }: Graph): void {
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
  const loads = await checkValues(checkedLoad, 0, whyWhole(mode), pauses);
  const capacities = await checkValues(checkedCapacity, 0, whyWhole(mode), pauses);
  const [load, capacity] = [checkedLoad.values, checkedCapacity.values];
  const tokens = mode ?? (loads.whole && capacities.whole ? "integer" : "fractional");
  const most = gpus * loads.most + 2 * edges * capacities.most; // what an edge may take is missing from its GPU
  const own = load instanceof Int32Array && most <= MAX_TOKENS; // the copy will do
  const baseLoad = own ? load : new Float64Array(load.length);
  await pauses.inPieces(batch, gpus + edges, (first, end) => {
    if (!own) for (let i = first * gpus; i < end * gpus; i++) baseLoad[i] = load[i];
    for (let p = first; p < end; p++) {
      // Replica 2e is the original of edge e.
      for (let e = 0; e < edges; e++) baseLoad[p * gpus + replicaGpu[2 * e]] -= capacity[p * edges + e];
    }
  });
  return ofMode(topology, "load and capacity", tokens, batch, capacity, baseLoad, most, pauses);
}

/** The tokens on the replica of each edge; those that stayed on the original are the slot before. */
async function flowOf(quota: Int32Array | Float64Array, pauses: Pauses): Promise<Int32Array | Float64Array> {
  const length = quota.length / 2;
  const flow = quota instanceof Int32Array ? new Int32Array(length) : new Float64Array(length);
  await pauses.inPieces(length, 1, (first, end) => {
    for (let edge = first; edge < end; edge++) flow[edge] = quota[2 * edge + 1];
  });
  return flow;
}
