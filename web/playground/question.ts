/** From what the page shows to what is solved. */
import { ArgumentError, ShapeError } from "../../src/common/errors.ts";
import {
  type ModelCost,
  Placement,
  type PlacementFields,
  rebalanceExperts,
  replicateHeaviest,
} from "../../src/index.ts";
import { type Batches, generated } from "./generator.ts";
import { graphs, MOST, type State } from "./state.ts";

export interface Question {
  placement: Placement;
  /** [E] tokens. */
  expertLoad: Int32Array;
  /** [G] */
  speed: Float64Array;
  /** [G] 1 where a GPU is alive; undefined where all are. */
  active: Uint8Array | undefined;
  /** In us. */
  cost: ModelCost;
  backend: State["backend"];
}

/** @throws {ArgumentError} The numbers do not fit each other. */
export function questionOf(state: State): Question {
  const { expected, batch } = batchesOf(state);
  const placement = placementOf(state, expected);
  const { gpus } = placement;
  const { perExpert, perToken, speed, dead, backend } = state;
  if (speed.length > 0 && speed.length !== gpus) throw new ShapeError("speed", `gpus = ${gpus} values`, speed.length);
  const stray = dead.find((g) => g >= gpus);
  if (stray !== undefined) throw new ArgumentError("dead", `GPUs in 0..${gpus - 1}`, stray);
  if (new Set(dead).size === gpus) throw new ArgumentError("dead", `fewer than all ${gpus} GPUs`, gpus);
  return {
    placement,
    expertLoad: batch,
    speed: Float64Array.from({ length: gpus }, (_, g) => speed[g] ?? 1),
    active: dead.length === 0 ? undefined : Uint8Array.from({ length: gpus }, (_, g) => (dead.includes(g) ? 0 : 1)),
    cost: { model: "roofline", perExpert, perToken },
    backend,
  };
}

/** What is expected, what came before, and the batch.  @throws {ShapeError} Lists of a link are not of its experts. */
export function batchesOf(state: State): Batches {
  const { loads, experts, expected, batch } = state;
  const needed = { ...(batch.length > 0 && { batch }), ...(loads === "file" && { expected, batch }) };
  for (const [name, { length }] of Object.entries(needed)) {
    if (length !== experts) throw new ShapeError(name, `experts = ${experts} values`, length);
  }
  if (loads === "file") {
    const history = Int32Array.from(expected, Math.round);
    return { expected: Float64Array.from(expected), batch: Int32Array.from(batch), history, steps: 1 };
  }
  const drawn = generated(state);
  return batch.length === 0 ? drawn : { ...drawn, batch: Int32Array.from(batch) };
}

/** @param expected  [E] */
function placementOf(state: State, expected: Float64Array): Placement {
  const { place, topology, gpus, experts, redundant, map, slots } = state;
  if (experts + redundant > MOST.slots && place !== "file") {
    throw new ArgumentError("experts + redundant", `at most ${MOST.slots} slots`, experts + redundant);
  }
  if (place === "topology") {
    const { r2o } = graphs[topology];
    return replicateHeaviest([expected], r2o, { epSize: r2o.length })[0];
  }
  if (place === "file") {
    const shape: Omit<PlacementFields, "physicalToLogical"> = { gpus, logicalExperts: experts };
    return Placement.fromPhysicalToLogical(map, slots.length === 0 ? shape : { ...shape, slotsPerGpu: slots });
  }
  if (place === "planner" && map.length > 0)
    return Placement.fromPhysicalToLogical(map, { gpus, logicalExperts: experts });
  const { physicalToLogical } = rebalanceExperts([expected], { replicas: experts + redundant, gpus });
  return Placement.fromPhysicalToLogical(physicalToLogical[0], { gpus });
}
