import { ArgumentError, PlacementError, ShapeError } from "../common/errors.ts";
import { requireObject } from "../common/objects.ts";
import { Placement, type PlacementLike } from "../placement/placement.ts";
import { EMPTY, type Machine, nodeOf, type Rows, rowsOf } from "./arrangement.ts";

/** Placements that a search may not change at will. */
export interface UnchangedWeights {
  /** In force, one per layer. */
  placements: readonly PlacementLike[];
  /** The most slots of a layer that may hold an expert that their GPU did not hold. */
  slots: number;
}

/** The placements in force, or none, and how many slots may move. */
export function checkInForce(limit: UnchangedWeights | undefined, layers: number, machine: Machine) {
  if (limit === undefined) return { placements: undefined, movable: Infinity };
  requireObject("unchangedWeights", limit, { placements: true, slots: true });
  const { placements, slots } = limit;
  if (typeof slots !== "number" || !Number.isInteger(slots) || slots < 0) {
    throw new ArgumentError("unchangedWeights.slots", "an integer >= 0", slots);
  }
  const name = "unchangedWeights.placements";
  if (!Array.isArray(placements)) throw new ArgumentError(name, "an array with a Placement per layer", placements);
  if (placements.length !== layers) throw new ShapeError(name, `${layers}, one per layer`, placements.length);
  const inForce: Placement[] = [];
  for (const [layer, given] of (placements as readonly PlacementLike[]).entries()) {
    const one = `${name}[${layer}]`;
    const placement = Placement.of(one, given);
    inForce.push(placement);
    const { gpus, logicalExperts, physicalExperts, slotsPerGpu } = placement;
    if (gpus !== machine.gpus) throw new ShapeError(`${one}.gpus`, `gpus = ${machine.gpus}`, gpus);
    if (logicalExperts !== machine.experts) {
      throw new ShapeError(`${one}.logicalExperts`, `E = ${machine.experts} as in the history`, logicalExperts);
    }
    if (physicalExperts !== machine.used) {
      throw new ShapeError(`${one}.physicalExperts`, `E + redundant = ${machine.used}`, physicalExperts);
    }
    const full = slotsPerGpu.findIndex((count, g) => count > machine.capacity[g]);
    if (full >= 0) {
      throw new ShapeError(`${one}.slotsPerGpu[${full}]`, `at most ${machine.capacity[full]}`, slotsPerGpu[full]);
    }
    const empty = placement.physicalToLogical.indexOf(EMPTY);
    if (empty >= 0 && !isPlain(machine)) {
      const expected = "an expert in every slot, with nodes, speed or slotsPerGpu";
      throw new PlacementError(`${one}.physicalToLogical[${empty}]`, expected, EMPTY);
    }
    const lost = placement.replicaCount.indexOf(0);
    if (lost >= 0) throw new PlacementError(`${one}.physicalToLogical`, `a slot for expert ${lost}`, "none");
    const rows = rowsOf(placement);
    requireSpread(one, rows, machine);
    const needed = rows.reduce((sum, row) => sum + row.length - new Set(row).size, 0);
    if (needed > slots) {
      const expected = `at least ${needed}, as many as experts that sit twice on a GPU`;
      throw new PlacementError("unchangedWeights.slots", expected, slots);
    }
  }
  return { placements: inForce, movable: slots };
}

/** One node, equal speeds, and equally many slots on every GPU, which all are in use. */
function isPlain({ nodes, speed, capacity, used }: Machine): boolean {
  const total = capacity.reduce((a, b) => a + b);
  return nodes === 1 && total === used && [speed, capacity].every((all) => all.every((one) => one === all[0]));
}

function requireSpread(name: string, rows: Rows, machine: Machine): void {
  const { nodes, replicas } = machine;
  if (replicas === "anywhere") return;
  const homes = new Map<number, Set<number>>();
  for (const [g, row] of rows.entries()) {
    for (const e of new Set(row)) {
      const home = homes.get(e) ?? new Set();
      const there = home.has(nodeOf(machine, g));
      if (replicas === "within-node" && home.size > 0 && !there) {
        throw new PlacementError(name, `all replicas of expert ${e} on one of the ${nodes} nodes`, "several");
      }
      if (replicas === "across-nodes" && there) {
        throw new PlacementError(name, `no two replicas of expert ${e} on one of the ${nodes} nodes`, "two");
      }
      homes.set(e, home.add(nodeOf(machine, g)));
    }
  }
}
