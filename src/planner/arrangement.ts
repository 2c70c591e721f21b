import { PlacementError } from "../common/errors.ts";
import { EMPTY, Placement } from "../placement/placement.ts";

/** What the search may fill: the same for all layers. */
export interface Machine {
  /** G */
  readonly gpus: number;
  /** E */
  readonly experts: number;
  /** P = E + redundant, slots in use. */
  readonly used: number;
  /** Replicas of an expert stay within one of so many nodes of equally many GPUs. */
  readonly nodes: number;
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

  /** The first GPU that holds the expert. */
  gpuWith(expert: number): number {
    const { gpus, experts } = this.machine;
    let gpu = 0;
    while (gpu < gpus - 1 && !this.held[gpu * experts + expert]) gpu++;
    return gpu;
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
 * Gives each slot whose expert sits on the same GPU already to the expert, of those of the same node that the GPU lacks, with the largest load per
 * copy. The optimum of no batch gets worse: the slot was of no use, and another replica only adds ways.
 */
export function withoutDuplicates(machine: Machine, rows: Rows, weight: ArrayLike<number>): number[][] {
  const { experts } = machine;
  const node = new Int32Array(experts);
  const copies = new Int32Array(experts);
  for (const [g, row] of rows.entries()) {
    for (const e of row) {
      node[e] = nodeOf(machine, g);
      copies[e]++;
    }
  }
  return rows.map((row, g) => {
    const kept = [...row];
    for (const [i, e] of row.entries()) {
      if (row.indexOf(e) === i) continue;
      let heaviest = EMPTY;
      for (let other = 0; other < experts; other++) {
        if (kept.includes(other) || node[other] !== nodeOf(machine, g)) continue;
        if (heaviest === EMPTY || weight[other] / copies[other] > weight[heaviest] / copies[heaviest]) heaviest = other;
      }
      if (heaviest === EMPTY) {
        throw new PlacementError(
          `GPU ${g}`,
          "an expert that it does not hold yet",
          `all of its node's, and ${e} twice`,
        );
      }
      copies[e]--;
      copies[heaviest]++;
      kept[i] = heaviest;
    }
    return kept;
  });
}
