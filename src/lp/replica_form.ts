import { ArgumentError, ShapeError } from "../common/errors.ts";
import { type Flat, flat, type Numbers, type Rows } from "../common/numbers.ts";
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
import { copySourceLoad, requireSums } from "./traffic/source_loads.ts";

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
  const { sourceLoad, sums } = copySourceLoad(topology, distance, given.sourceLoad!);
  const told = given.expertLoad && copyLoads(topology, "expertLoad", given.expertLoad, undefined);
  const path = (i: number) => `sourceLoad, LP ${Math.floor(i / topology.experts)}`;
  const expertLoad = { values: new Float64Array(sums.length), path };
  const copied = { ...copyLoads(topology, "sourceLoad", expertLoad.values, given.baseLoad), expertLoad };
  await pauses.inPieces(sums.batch, sums.width, (first, end) => sums.add(expertLoad.values, first, end));
  const loads = await checkCopied(topology, "sourceLoad", copied, "integer", SOURCED, pauses);
  if (told)
    requireSums((await checkCopied(topology, "expertLoad", told, "integer", SOURCED, pauses)).expertLoad, loads);
  return { ...loads, sourceLoad };
}

const SOURCED = "sourceLoad is of whole tokens";

/** Copies, before the first pause. */
interface CopiedLoads {
  batch: number;
  expertLoad: Flat;
  baseLoad: Flat | undefined;
}

/** @throws {ArgumentError | ShapeError} They are no B rows. */
function copyLoads(
  { experts, allGpus }: Topology,
  argument: string,
  expertLoad: Rows,
  baseLoad: Rows | undefined,
): CopiedLoads {
  const loads = flat(argument, expertLoad, { E: experts });
  const batch = loads.values.length / experts;
  if (!Number.isInteger(batch) || batch < 1) {
    throw new ShapeError(argument, `B * E values with E = ${experts} and B >= 1`, loads.values.length);
  }
  const base = baseLoad === undefined ? undefined : flat("baseLoad", baseLoad, { gpus: allGpus });
  return { batch, expertLoad: copyOf(loads, expertLoad), baseLoad: base && copyOf(base, baseLoad!) };
}

async function checkReplicaLoads(
  topology: Topology,
  { expertLoad, baseLoad }: Pick<ReplicaLoads, "baseLoad"> & { expertLoad: Rows },
  mode: TokenMode | undefined,
  pauses: Pauses,
): Promise<Loads> {
  const copied = copyLoads(topology, "expertLoad", expertLoad, baseLoad);
  return checkCopied(topology, "expertLoad", copied, mode, whyWhole(mode), pauses);
}

/** @param because  Why tokens must be whole, if they must. */
async function checkCopied(
  topology: Topology,
  argument: string,
  { batch, expertLoad, baseLoad }: CopiedLoads,
  mode: TokenMode | undefined,
  because: string | undefined,
  pauses: Pauses,
): Promise<Loads> {
  const { experts, allGpus, cost } = topology;
  let { whole, most } = await checkValues(expertLoad, 0, cost ? "cost is of whole tokens" : because, pauses);
  if (baseLoad) {
    const { length } = baseLoad.values;
    if (length !== batch * allGpus) {
      throw new ShapeError("baseLoad", `B * gpus = ${batch} * ${allGpus} = ${batch * allGpus} values`, length);
    }
    const base = await checkValues(baseLoad, FINITE, cost ? undefined : because, pauses, topology); // a time is any number
    whole = base.whole && whole;
    most += base.most;
  }
  const tokens = mode ?? (whole || cost ? "integer" : "fractional");
  const living = baseLoad && ofLiving(topology, baseLoad.values);
  return ofMode(topology, argument, tokens, batch, expertLoad.values, living, experts * most, pauses);
}
