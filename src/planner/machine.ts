import { ArgumentError, ShapeError } from "../common/errors.ts";
import type { Numbers } from "../common/numbers.ts";
import { toTopology } from "../lp/forms.ts";
import { requireCount } from "../placement/placement.ts";
import { type Machine, type Spread, spreads } from "./arrangement.ts";

export interface MachineOptions {
  /** G */
  gpus: number;
  /** Slots beyond one per expert: P = E + redundant are in use. */
  redundant: number;
  /** Nodes of equally many GPUs, 1 by default. */
  nodes?: number;
  /**
   * Where the replicas of an expert may lie: all of them "within-node", as by default where there are several nodes, so that tokens are balanced without
   * crossing between them; "across-nodes", no two on the same one, so that an expert with replicas outlives a node; or "anywhere".
   */
  replicas?: Spread;
  /**
   * The most slots that a GPU has: one number for all, or one each. (E + redundant) / gpus by default. With more room than P, slots stay unused,
   * wherever that serves best, and the placement's GPUs may hold unequally many.
   */
  slotsPerGpu?: number | Numbers;
  /** [gpus] tokens per unit of time, 1 by default. */
  speed?: Numbers;
}

/** @throws {ArgumentError | ShapeError} A count is none, or the counts do not fit each other. */
export function checkMachine(experts: number, options: MachineOptions): Machine {
  const gpus = requireCount("gpus", options.gpus);
  const { redundant } = options;
  if (typeof redundant !== "number" || !Number.isInteger(redundant) || redundant < 0) {
    throw new ArgumentError("redundant", "an integer >= 0", redundant);
  }
  const nodes = requireCount("nodes", options.nodes ?? 1);
  if (gpus % nodes !== 0) throw new ShapeError("gpus", `a multiple of nodes = ${nodes}`, gpus);
  const used = experts + redundant;
  const replicas = checkSpread(options.replicas, nodes);
  const own = replicas === "within-node" ? nodes : 1; // nodes that share no expert
  const most = experts * ((replicas === "across-nodes" ? nodes : gpus / own) - 1);
  if (redundant > most) {
    const every = replicas === "across-nodes" ? "node" : own === nodes ? "GPU of its node" : "GPU";
    throw new ShapeError("redundant", `at most ${most}, every expert on every ${every}`, redundant);
  }
  if (own > 1 && experts % nodes !== 0) throw new ShapeError("nodes", `a divisor of E = ${experts}`, nodes);
  if (used % own !== 0) throw new ShapeError("redundant", `equally many slots on ${nodes} nodes`, redundant);

  // More slots than experts to choose from would stay empty.
  const capacity = checkSlots(options.slotsPerGpu, gpus, experts, redundant).map((n) => Math.min(n, experts / own));
  const perNode = gpus / own;
  for (let node = 0; node < own; node++) {
    const slots = capacity.subarray(node * perNode, (node + 1) * perNode).reduce((a, b) => a + b);
    if (slots * own < used) {
      const where = own === 1 ? "" : ` on the GPUs of node ${node}`;
      throw new ShapeError("slotsPerGpu", `at least (E + redundant) / nodes = ${used / own} slots${where}`, slots);
    }
  }
  if (replicas === "across-nodes") trimNodes(capacity, nodes, experts, used);
  const { speed } = toTopology({ gpus, edges: [] }, options.speed);
  const mean = speed.reduce((a, b) => a + b) / gpus; // only ratios matter
  return { gpus, experts, used, nodes, replicas, capacity, speed: speed.map((v) => v / mean) };
}

/** Takes from each node, where it has most, the slots beyond one of each expert, which it has no use for. */
function trimNodes(capacity: Int32Array, nodes: number, experts: number, used: number): void {
  const perNode = capacity.length / nodes;
  for (let first = 0; first < capacity.length; first += perNode) {
    const own = capacity.subarray(first, first + perNode);
    for (let beyond = own.reduce((a, b) => a + b) - experts; beyond > 0; beyond--) {
      own[own.indexOf(own.reduce((a, b) => Math.max(a, b)))]--;
    }
  }
  const room = capacity.reduce((a, b) => a + b);
  if (room >= used) return;
  const expected = `room for E + redundant = ${used} slots, no expert twice on a node`;
  throw new ShapeError("slotsPerGpu", expected, room);
}

function checkSpread(replicas: Spread | undefined, nodes: number): Spread {
  if (replicas === undefined) return nodes > 1 ? "within-node" : "anywhere";
  if (!spreads.includes(replicas))
    throw new ArgumentError("replicas", `"within-node", "across-nodes" or "anywhere"`, replicas);
  if (nodes === 1 && replicas === "across-nodes")
    throw new ArgumentError("nodes", 'more than 1 with replicas "across-nodes"', nodes);
  return nodes === 1 ? "anywhere" : replicas;
}

function checkSlots(slots: MachineOptions["slotsPerGpu"], gpus: number, experts: number, redundant: number) {
  if (slots === undefined) {
    const each = (experts + redundant) / gpus;
    if (!Number.isInteger(each)) {
      const expected = `E + redundant = ${experts} + ${redundant} to be a multiple of gpus = ${gpus}`;
      const remedy = `Or give slotsPerGpu: ${Math.ceil(each)}, of which some stay unused.`;
      throw new ShapeError("redundant", expected, redundant, remedy);
    }
    return new Int32Array(gpus).fill(each);
  }
  if (typeof slots === "number") return new Int32Array(gpus).fill(requireCount("slotsPerGpu", slots));
  if (slots === null || typeof slots !== "object" || slots.length !== gpus) {
    throw new ShapeError("slotsPerGpu", `a number, or gpus = ${gpus} numbers`, slots?.length ?? slots);
  }
  return Int32Array.from({ length: gpus }, (_, g) => requireCount(`slotsPerGpu[${g}]`, slots[g]));
}
