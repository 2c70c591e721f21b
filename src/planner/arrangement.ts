import { PlacementError } from "../common/errors.ts";
import { EMPTY, Placement } from "../placement/placement.ts";

export const spreads = ["within-node", "across-nodes", "anywhere"] as const;
/** Where the replicas of an expert may lie: all on one node, no two on the same node, or on any GPUs. @useDeclaredType */
export type Spread = (typeof spreads)[number];

/** What the search may fill: the same for all layers. */
export interface Machine {
  /** G */
  readonly gpus: number;
  /** E */
  readonly experts: number;
  /** P = E + redundant, slots in use. */
  readonly used: number;
  /** Nodes, of equally many GPUs each, */
  readonly nodes: number;
  /** and what they mean for the replicas of an expert: "anywhere" where there is only one. */
  readonly replicas: Spread;
  /** [G] slots that each GPU has; in all, at least P. */
  readonly capacity: Int32Array;
  /** [G] tokens per unit of time. */
  readonly speed: Float64Array;
}

export { EMPTY };

export function nodeOf({ gpus, nodes }: Machine, gpu: number): number {
  return Math.floor((gpu * nodes) / gpus);
}

/**
 * Which expert sits in which slot while a placement is being sought. Never two slots of one expert on a GPU.
 */
export class Arrangement {
  /** [slots] the GPU of each slot, ascending. */
  readonly gpuOf: Int32Array;
  /** [slots] the expert in each slot, or EMPTY. */
  readonly slot: Int32Array;
  /** [E] slots per expert. */
  readonly copies: Int32Array;
  /** [G, E] 1 where the GPU holds the expert. */
  private readonly held: Uint8Array;
  /** [G, E] 1 where it did in the placement in force; none where there is no limit on what may move. */
  private readonly before: Uint8Array | undefined;
  /** Slots whose expert their GPU did not hold before. */
  moved = 0;

  /** @param rows  The experts of each GPU, without repetition, at most its capacity. */
  constructor(
    readonly machine: Machine,
    rows: Rows,
    before?: Uint8Array,
  ) {
    const { gpus, experts, capacity } = machine;
    const slots = capacity.reduce((a, b) => a + b);
    this.gpuOf = new Int32Array(slots);
    this.slot = new Int32Array(slots).fill(EMPTY);
    this.copies = new Int32Array(experts);
    this.held = new Uint8Array(gpus * experts);
    this.before = before;
    let first = 0;
    for (let g = 0; g < gpus; g++) {
      this.gpuOf.fill(g, first, first + capacity[g]);
      for (const [i, e] of rows[g].entries()) this.put(first + i, e);
      first += capacity[g];
    }
  }

  holds(gpu: number, expert: number): boolean {
    return this.held[gpu * this.machine.experts + expert] === 1;
  }

  /**
   * Whether a GPU may get an expert: it does not hold it, and the machine lets the expert's replicas lie so.
   *
   * @param leaving  A slot of the expert's that it leaves for this one.
   */
  mayTake(gpu: number, expert: number, leaving?: number): boolean {
    if (this.holds(gpu, expert)) return false;
    const { machine, copies, gpuOf } = this;
    if (machine.replicas === "anywhere") return true;
    const perNode = machine.gpus / machine.nodes;
    const first = nodeOf(machine, gpu) * perNode;
    let here = 0;
    for (let g = first; g < first + perNode; g++) if (this.holds(g, expert)) here++;
    let others = copies[expert];
    if (leaving !== undefined) {
      others--;
      if (nodeOf(machine, gpuOf[leaving]) === nodeOf(machine, gpu)) here--;
    }
    return machine.replicas === "within-node" ? here === others : here === 0;
  }

  /** Experts that the GPU held before and does not now. */
  missing(gpu: number): number[] {
    const { before, machine } = this;
    if (!before) return [];
    const missing: number[] = [];
    for (let e = 0; e < machine.experts; e++) {
      if (before[gpu * machine.experts + e] && !this.holds(gpu, e)) missing.push(e);
    }
    return missing;
  }

  /** Whether the slot's expert is one that its GPU did not hold before. */
  hasMoved(slot: number): boolean {
    const e = this.slot[slot];
    return e !== EMPTY && this.before !== undefined && !this.before[this.gpuOf[slot] * this.machine.experts + e];
  }

  /** How many more slots would have moved after a change of their experts. */
  movedBy(changes: readonly { slot: number; expert: number }[]): number {
    if (!this.before) return 0;
    let more = 0;
    for (const { slot, expert } of changes) {
      const at = this.gpuOf[slot] * this.machine.experts;
      const old = this.slot[slot];
      if (old !== EMPTY && !this.before[at + old]) more--;
      if (expert !== EMPTY && !this.before[at + expert]) more++;
    }
    return more;
  }

  /** Puts an expert, or EMPTY, into a slot instead of what is there. */
  put(slot: number, expert: number): void {
    const { experts } = this.machine;
    const at = this.gpuOf[slot] * experts;
    const old = this.slot[slot];
    if (old !== EMPTY) {
      this.held[at + old] = 0;
      this.copies[old]--;
      if (this.before && !this.before[at + old]) this.moved--;
    }
    this.slot[slot] = expert;
    if (expert === EMPTY) return;
    this.held[at + expert] = 1;
    this.copies[expert]++;
    if (this.before && !this.before[at + expert]) this.moved++;
  }

  /** The experts of each GPU in the order of their slots, now or as `slots` were once. */
  rows(slots = this.slot): number[][] {
    const rows: number[][] = Array.from({ length: this.machine.gpus }, () => []);
    for (const [slot, e] of slots.entries()) if (e !== EMPTY) rows[this.gpuOf[slot]].push(e);
    return rows;
  }
}

/** The experts of each GPU. */
export type Rows = readonly (readonly number[])[];

export function placementOf(rows: Rows): Placement {
  const slotsPerGpu = rows.map((row) => row.length);
  return Placement.fromPhysicalToLogical(rows.flat(), { gpus: rows.length, slotsPerGpu });
}

/** [G, E] 1 where the GPU holds the expert. */
export function heldBy(rows: Rows, experts: number): Uint8Array {
  const held = new Uint8Array(rows.length * experts);
  for (const [g, row] of rows.entries()) for (const e of row) held[g * experts + e] = 1;
  return held;
}

/** Slots whose GPU must load the weights of an expert that it did not hold before. */
export function slotsMoved(before: Rows, after: Rows): number {
  return after.reduce((sum, row, g) => sum + row.filter((e) => !before[g].includes(e)).length, 0);
}

/** The same experts on each GPU, those that were there before in the slots where they were. */
export function inOrderOf(before: Rows, after: Rows): number[][] {
  return after.map((row, g) => {
    const kept = before[g].map((e, i) => (row.includes(e) && before[g].indexOf(e) === i ? e : EMPTY));
    const ordered = Array.from(row, (_, i) => kept[i] ?? EMPTY);
    const rest = row.filter((e) => !ordered.includes(e));
    return ordered.map((e) => (e === EMPTY ? rest.shift()! : e));
  });
}

/** The experts of each GPU of a placement, duplicates and all. */
export function rowsOf({ gpus, gpuOf, physicalToLogical }: Placement): number[][] {
  const rows: number[][] = Array.from({ length: gpus }, () => []);
  for (const [p, e] of physicalToLogical.entries()) rows[gpuOf[p]].push(e);
  return rows;
}

/**
 * Gives each slot whose expert the machine does not let lie there (twice on a GPU; for "across-nodes", twice on a node) to the expert, of those that may
 * lie there, with the largest load per copy. Where it was twice on a GPU the optimum of no batch gets worse: the slot was of no use, and another
 * replica only adds ways.
 */
export function withoutDuplicates(machine: Machine, rows: Rows, weight: ArrayLike<number>): number[][] {
  const { experts, replicas } = machine;
  const node = new Int32Array(experts).fill(EMPTY);
  const copies = new Int32Array(experts);
  const onNode = new Uint8Array(machine.nodes * experts);
  const kept: number[][] = rows.map(() => []);
  const idle: number[] = []; // the GPU of each such slot
  for (const [g, row] of rows.entries()) {
    const n = nodeOf(machine, g);
    for (const e of row) {
      if (kept[g].includes(e) || (replicas === "across-nodes" && onNode[n * experts + e])) {
        idle.push(g);
        kept[g].push(EMPTY);
        continue;
      }
      kept[g].push(e);
      node[e] = n;
      onNode[n * experts + e] = 1;
      copies[e]++;
    }
  }
  for (const g of idle) {
    const n = nodeOf(machine, g);
    let heaviest = EMPTY;
    for (let e = 0; e < experts; e++) {
      if (kept[g].includes(e) || (replicas === "within-node" && node[e] !== n)) continue;
      if (replicas === "across-nodes" && onNode[n * experts + e]) continue;
      if (heaviest === EMPTY || weight[e] / copies[e] > weight[heaviest] / copies[heaviest]) heaviest = e;
    }
    if (heaviest === EMPTY) {
      throw new PlacementError(`GPU ${g}`, "an expert that it may hold and does not yet", "none");
    }
    copies[heaviest]++;
    onNode[n * experts + heaviest] = 1;
    kept[g][kept[g].indexOf(EMPTY)] = heaviest;
  }
  return kept;
}
