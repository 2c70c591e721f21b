/** TensorRT-LLM's load balancer configuration (moe_config.load_balancer): which expert each slot begins with. */
import { ArgumentError, PlacementError, ShapeError } from "../common/errors.ts";
import { type Fields, type LayerMaps, readIntegers, requireList, slotsOfExperts } from "./maps.ts";
import { firstMissing, type Placement, requireCount } from "./placement.ts";

export interface LoadBalancerConfig {
  /** P */
  num_slots: number;
  /** By the number of the layer in the model, dense layers counted but left out: [P] the expert in each slot. */
  initial_global_assignments: Record<string, number[]>;
  /** 0: the placement stays as it is. */
  layer_updates_per_iter: number;
}

const field = "initial_global_assignments";

/** Layers are numbered from 0. */
export function loadBalancerConfig(placements: readonly Placement[]): LoadBalancerConfig {
  const rows = placements.map(({ physicalToLogical }, i) => [i, [...physicalToLogical]]);
  return {
    num_slots: placements[0].physicalExperts,
    [field]: Object.fromEntries(rows),
    layer_updates_per_iter: 0,
  };
}

/** The numbers of the layers that a configuration is for, ascending; none where the record is no configuration. */
export function layersOfConfig(record: Fields): number[] | undefined {
  const assignments = record[field];
  if (assignments === undefined) return undefined;
  if (typeof assignments !== "object" || assignments === null || Array.isArray(assignments)) {
    throw new ArgumentError(field, "lists of experts by layer number", assignments);
  }
  const names = Object.keys(assignments);
  const wrong = names.find((name) => !/^(0|[1-9]\d{0,5})$/.test(name));
  if (wrong !== undefined) throw new ArgumentError(field, "layer numbers, integers >= 0", wrong);
  if (names.length === 0) throw new ShapeError(field, "at least one layer", 0);
  return names.map(Number).sort((a, b) => a - b);
}

/**
 * The maps of a configuration, in the order of `layersOfConfig`.
 *
 * @param logicalExperts  E, where experts may be lost.
 * @throws {ArgumentError | ShapeError} A layer is no list of num_slots experts.  @throws {PlacementError} An entry is no expert, or one has no slot.
 */
export function readConfig(record: Fields, layers: readonly number[], logicalExperts?: number): LayerMaps {
  const rows = record[field] as Record<string, unknown>;
  const { num_slots } = record;
  if (num_slots !== undefined) requireCount("num_slots", num_slots);
  const slots = num_slots ?? requireList(`${field}[${layers[0]}]`, rows[layers[0]], "of integers").length;
  const physicalToLogical = layers.map((layer) => {
    const path = `${field}[${layer}]`;
    const most = logicalExperts === undefined ? undefined : logicalExperts - 1;
    const row = readIntegers(path, rows[layer], "an expert id", 0, most); // it has no empty slots
    if (row.length !== slots) throw new ShapeError(path, `num_slots = ${slots} experts`, row.length);
    return row;
  });
  const largest = physicalToLogical.reduce((most, row) => row.reduce((a, b) => Math.max(a, b), most), 0);
  const experts = logicalExperts ?? largest + 1;
  for (const [i, row] of logicalExperts === undefined ? physicalToLogical.entries() : []) {
    const hole = firstMissing(row);
    if (hole < experts) throw new PlacementError(`${field}[${layers[i]}]`, `a slot for expert ${hole}`, "none");
  }
  return { physicalToLogical, slotsOf: physicalToLogical.map((row) => slotsOfExperts(row, experts)) };
}
