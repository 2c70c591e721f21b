import { ArgumentError, ShapeError } from "../common/errors.ts";
import { flat, type Numbers, type Rows } from "../common/numbers.ts";
import type { Pauses } from "../common/pauses.ts";
import { type Active, checkActive } from "../placement/active.ts";
import { type Distance, LOADS_ALONE } from "../placement/distance.ts";
import type { Placement } from "../placement/placement.ts";
import { checkValues, copyOf, FINITE, ofMode, whyWhole } from "./check_loads.ts";
import type { Form } from "./form.ts";
import {
  checkSpeed,
  type ExpertLoads,
  type Loads,
  problemFields,
  type ReplicaLoads,
  type TokenMode,
} from "./problem.ts";
import { type ReplicaAnswer, survivorsOf } from "./solution.ts";
import { checkCost, type ExpertCost } from "./time/expert_cost.ts";
import { ofLiving, type Topology, topologyOfPlacement } from "./topology.ts";
import { checkSourceLoad, requireSums } from "./traffic/source_loads.ts";

export type ReplicaForm = Form<ReplicaLoads, ReplicaAnswer> & { readonly name: "replica" };

/** Experts with slots on GPUs.  @throws {ArgumentError | ShapeError} A speed, `active` or a cost is not as it should be. */
export function replicaForm(
  placement: Placement,
  speed?: Numbers,
  active?: Active,
  cost?: ExpertCost,
  distance?: Distance,
): ReplicaForm {
  const { gpus } = placement;
  const curve = cost === undefined ? undefined : checkCost(cost);
  if (curve && distance) throw new ArgumentError("cost", "none with distances", cost, LOADS_ALONE);
  const topology = topologyOfPlacement(placement, checkSpeed(speed, gpus), checkActive(active, gpus), curve);
  return {
    name: "replica",
    of: placement,
    ...{ topology, distance },
    fields: problemFields.replica,
    check: (given, tokens, pauses) =>
      given.sourceLoad === undefined
        ? checkReplicaLoads(topology, given as ExpertLoads, tokens, pauses)
        : checkSources(topology, distance, given, tokens, pauses),
    answer: async ({ quota }, { expertLoad }) => ({ quota, ...survivorsOf(topology, expertLoad) }),
  };
}

/** Loads with their sources. */
async function checkSources(
  topology: Topology,
  distance: Distance | undefined,
  given: ReplicaLoads & { sourceLoad?: Rows },
  mode: TokenMode | undefined,
  pauses: Pauses,
): Promise<Loads> {
  if (mode === "fractional") {
    throw new ArgumentError("tokens", `"integer" with sourceLoad`, mode, "Traffic is of whole tokens.");
  }
  const sources = await checkSourceLoad(topology, distance, given.sourceLoad!, pauses);
  const loads = await checkReplicaLoads(topology, { ...given, expertLoad: sources.expertLoad }, "integer", pauses);
  if (given.expertLoad === undefined) return { ...loads, sourceLoad: sources.sourceLoad };
  const own = await checkReplicaLoads(topology, { expertLoad: given.expertLoad }, "integer", pauses);
  requireSums(own, loads);
  return { ...loads, sourceLoad: sources.sourceLoad };
}

async function checkReplicaLoads(
  topology: Topology,
  given: Pick<ReplicaLoads, "baseLoad"> & { expertLoad: Rows },
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
  const { cost } = topology;
  let { whole, most } = await checkValues(expertLoad, 0, cost ? "cost is of whole tokens" : whyWhole(mode), pauses);
  if (baseLoad) {
    const { length } = baseLoad.values;
    if (length !== batch * allGpus) {
      throw new ShapeError("baseLoad", `B * gpus = ${batch} * ${allGpus} = ${batch * allGpus} values`, length);
    }
    const because = cost ? undefined : whyWhole(mode); // a time is any number
    const base = await checkValues(baseLoad, FINITE, because, pauses, topology);
    whole = base.whole && whole;
    most += base.most;
  }
  const tokens = mode ?? (whole || cost ? "integer" : "fractional");
  const living = baseLoad && ofLiving(topology, baseLoad.values);
  return ofMode(topology, "expertLoad", tokens, batch, expertLoad.values, living, experts * most, pauses);
}
