import { ArgumentError, PlacementError, ShapeError } from "../errors.ts";
import { requireNoneMisspelt } from "../objects.ts";
import { type RedundantToOriginal, requireRedundantToOriginal } from "./topologies.ts";

/**
 * Which expert each physical slot holds. GPU g holds the slots g P / G to (g + 1) P / G - 1, unless `slotsPerGpu` says otherwise.
 *
 * Immutable; all arrays are owned by the placement and must not be written. An expert may sit twice on one GPU (EPLB does
 * that): its slots there count as one replica and share that replica's tokens evenly.
 */
export class Placement {
  /** G. */
  readonly gpus: number;
  /** E. */
  readonly logicalExperts: number;
  /** P = E + redundant. */
  readonly physicalExperts: number;
  /** [P] the expert in each slot. */
  readonly physicalToLogical: Int32Array;
  /** [E] slots per expert. */
  readonly replicaCount: Int32Array;
  /** Columns of `logicalToPhysical`: the largest replica count. */
  readonly maxReplicas: number;
  /** [E, maxReplicas] slots of each expert in ascending order, padded with -1. */
  readonly logicalToPhysical: Int32Array;
  /** [P] the GPU of each slot, ascending. */
  readonly gpuOf: Int32Array;
  /** [G] slots on each GPU: equally many, unless the placement was made with other numbers. */
  readonly slotsPerGpu: Int32Array;

  private constructor(
    physicalToLogical: Int32Array,
    gpus: number,
    logicalExperts: number,
    slotsPerGpu: Int32Array = new Int32Array(gpus).fill(physicalToLogical.length / gpus),
  ) {
    const physicalExperts = physicalToLogical.length;
    this.gpus = gpus;
    this.logicalExperts = logicalExperts;
    this.physicalExperts = physicalExperts;
    this.physicalToLogical = physicalToLogical;
    this.replicaCount = new Int32Array(logicalExperts);
    for (const expert of physicalToLogical) this.replicaCount[expert]++;
    this.maxReplicas = this.replicaCount.reduce((a, b) => Math.max(a, b), 0);
    this.logicalToPhysical = new Int32Array(logicalExperts * this.maxReplicas).fill(-1);
    this.slotsPerGpu = slotsPerGpu;
    this.gpuOf = Int32Array.from([...slotsPerGpu].flatMap((slots, gpu) => new Array<number>(slots).fill(gpu)));
    const filled = new Int32Array(logicalExperts);
    for (let slot = 0; slot < physicalExperts; slot++) {
      const expert = physicalToLogical[slot];
      this.logicalToPhysical[expert * this.maxReplicas + filled[expert]++] = slot;
    }
  }

  /**
   * From a physical-to-logical map (vLLM, SGLang, EPLB's phy2log): one row of P entries.
   *
   * @param map  [P] the expert in each slot; every expert from 0 to the largest must occur. Copied.
   * @param shape.gpus  G; must divide P, unless slotsPerGpu is given.
   * @param shape.slotsPerGpu  [G] how many slots each GPU holds, 0 or more, P in all; equally many by default. Copied. Serving systems
   * count equally many, so this is for machines of one's own.
   * @throws {PlacementError} An entry is not an expert id, or an expert in between has no slot.
   */
  static fromPhysicalToLogical(
    map: ArrayLike<number>,
    shape: { gpus: number; slotsPerGpu?: ArrayLike<number> },
  ): Placement {
    if (map === null || typeof map !== "object" || !(map.length > 0)) {
      throw new PlacementError("map", "a non-empty array of expert ids, one per physical slot", map);
    }
    requireNoneMisspelt("shape", shape, { gpus: true, slotsPerGpu: true });
    const gpus = requireCount("gpus", shape?.gpus);
    const slots = map.length;
    const slotsPerGpu = shape.slotsPerGpu && checkSlotsPerGpu(shape.slotsPerGpu, gpus, slots);
    if (!slotsPerGpu && slots % gpus !== 0) {
      throw new ShapeError("map", `a multiple of gpus = ${gpus} slots`, slots, "Every GPU holds equally many slots.");
    }
    let logicalExperts = 0;
    for (let slot = 0; slot < slots; slot++) {
      const expert = map[slot];
      if (!Number.isInteger(expert) || expert < 0 || expert > MAX_EXPERT_ID) {
        throw new PlacementError(`map[${slot}]`, "an expert id, an integer >= 0", expert);
      }
      logicalExperts = Math.max(logicalExperts, expert + 1);
    }
    const placement =
      logicalExperts <= slots ? new Placement(Int32Array.from(map), gpus, logicalExperts, slotsPerGpu) : undefined;
    const hole = placement ? placement.replicaCount.indexOf(0) : firstMissing(map);
    if (!placement || hole >= 0) {
      const remedy = `Experts 0 to ${logicalExperts - 1} must all be placed.`;
      throw new PlacementError("map", `a slot for expert ${hole}`, "none", remedy);
    }
    return placement;
  }

  /**
   * From LPLB's r2o. The experts lie contiguously on the ranks; slot d of rank g copies expert d of rank r2o[g][d]. LPLB orders the
   * experts of a rank by weight first, so that "expert d" is its d-th heaviest: relabel your experts likewise.
   *
   * @param r2o  [ranks per group][D]; when epSize is a multiple of its length, each block of that many ranks is a group of its own.
   * @param shape.redundantsPerRank  slots per rank, D by default; with more, slot d uses column d mod D.
   */
  static fromRedundantToOriginal(
    r2o: RedundantToOriginal,
    shape: { logicalExperts: number; epSize: number; redundantsPerRank?: number },
  ): Placement {
    requireRedundantToOriginal(r2o);
    const ranks = r2o.length;
    const columns = r2o[0].length;
    requireNoneMisspelt("shape", shape, { logicalExperts: true, epSize: true, redundantsPerRank: true });
    const logicalExperts = requireCount("logicalExperts", shape?.logicalExperts);
    const epSize = requireCount("epSize", shape.epSize);
    const redundants = requireCount("redundantsPerRank", shape.redundantsPerRank ?? columns);
    if (epSize % ranks !== 0) throw new ShapeError("epSize", `a multiple of the ${ranks} ranks of r2o`, epSize);
    if (logicalExperts % epSize !== 0) {
      throw new ShapeError("logicalExperts", `a multiple of epSize = ${epSize}`, logicalExperts);
    }
    const perRank = logicalExperts / epSize;
    if (redundants > perRank) {
      throw new ShapeError("redundantsPerRank", `at most the ${perRank} experts that a rank holds`, redundants);
    }
    const map: number[] = [];
    for (let g = 0; g < epSize; g++) {
      for (let i = 0; i < perRank; i++) map.push(g * perRank + i);
      const group = g - (g % ranks);
      for (let d = 0; d < redundants; d++) map.push((group + r2o[g % ranks][d % columns]) * perRank + d);
    }
    return new Placement(Int32Array.from(map), epSize, logicalExperts);
  }

  /**
   * LPLB's r2o, of a placement of its shape: the first E / G slots of each GPU hold its own experts, in any order, and redundant slot d
   * holds expert d of another GPU. The inverse of `fromRedundantToOriginal`.
   *
   * @returns [ranks per group][D], a column per redundant slot; the groups are the smallest equal blocks of GPUs with the same graph.
   * @throws {PlacementError} The placement is not of that shape.
   */
  toRedundantToOriginal(): number[][] {
    return redundantToOriginal(this, "physicalToLogical");
  }
}

const lplbShape = "LPLB copies expert d of every GPU once, into redundant slot d of another GPU.";

/** `Placement.toRedundantToOriginal`; `path` is what the map is called in a message. */
export function redundantToOriginal(placement: Placement, path: string): number[][] {
  const { gpus, logicalExperts, physicalExperts, physicalToLogical } = placement;
  const own = logicalExperts / gpus;
  const perGpu = physicalExperts / gpus;
  if (placement.slotsPerGpu.some((slots) => slots !== perGpu)) {
    throw new PlacementError("slotsPerGpu", `${perGpu} on every GPU`, placement.slotsPerGpu, lplbShape);
  }
  if (!Number.isInteger(own)) {
    throw new PlacementError("logicalExperts", `a multiple of gpus = ${gpus}`, logicalExperts, lplbShape);
  }
  if (perGpu === own || perGpu > 2 * own) {
    const expected = `1 to ${own} redundant slots per GPU: ${logicalExperts + gpus} to ${2 * logicalExperts}`;
    throw new PlacementError("physicalExperts", expected, physicalExperts, lplbShape);
  }
  const originalSlot = new Map<number, number>();
  for (let g = 0; g < gpus; g++) {
    for (let slot = g * perGpu; slot < g * perGpu + own; slot++) {
      const expert = physicalToLogical[slot];
      const other = originalSlot.get(expert);
      if (other !== undefined) {
        const expected = `an expert other than in slot ${other}, each being its GPU's own`;
        throw new PlacementError(`${path}[${slot}]`, expected, expert, lplbShape);
      }
      originalSlot.set(expert, slot);
    }
  }
  // G * own = E different experts: every one has its original.
  const copyOf = new Map<number, number>();
  const r2o = Array.from({ length: gpus }, (_, g) =>
    Array.from({ length: perGpu - own }, (_, d) => {
      const slot = g * perGpu + own + d;
      const expert = physicalToLogical[slot];
      const original = originalSlot.get(expert)!;
      const rank = Math.floor(original / perGpu);
      if (original % perGpu !== d || rank === g) {
        throw new PlacementError(`${path}[${slot}]`, `expert ${d} of another GPU`, expert, lplbShape);
      }
      const other = copyOf.get(expert);
      if (other !== undefined) {
        throw new PlacementError(`${path}[${slot}]`, `an expert that slot ${other} does not copy`, expert, lplbShape);
      }
      copyOf.set(expert, slot);
      return rank;
    }),
  );
  for (let ranks = 2; ranks < gpus; ranks++) {
    if (gpus % ranks !== 0) continue;
    const repeats = r2o.every((row, g) => row.every((rank, d) => rank === g - (g % ranks) + r2o[g % ranks][d]));
    if (repeats) return r2o.slice(0, ranks); // rows of the first block stay within it, or the others would not repeat them
  }
  return r2o;
}

/** Ids beyond this would overflow the i32 arithmetic of the kernels long before memory ran out. */
const MAX_EXPERT_ID = 2 ** 24;

/** Checks that there is a placement per layer, all of the same sizes, so that their maps are tensors. */
export function requireLayers(placements: readonly Placement[]): void {
  if (!Array.isArray(placements) || placements.length === 0) {
    throw new ArgumentError("placements", "an array with a Placement per layer", placements);
  }
  for (const [layer, placement] of placements.entries()) {
    if (!(placement instanceof Placement)) throw new ArgumentError(`placements[${layer}]`, "a Placement", placement);
    for (const size of ["gpus", "logicalExperts", "physicalExperts"] as const) {
      const first: number = placements[0][size];
      if (placement[size] !== first) {
        throw new ShapeError(`placements[${layer}].${size}`, `${first} as in the first`, placement[size]);
      }
    }
  }
}

function checkSlotsPerGpu(slotsPerGpu: ArrayLike<number>, gpus: number, slots: number): Int32Array {
  if (slotsPerGpu.length !== gpus) {
    throw new ShapeError("slotsPerGpu", `gpus = ${gpus} numbers`, slotsPerGpu.length ?? slotsPerGpu);
  }
  let total = 0;
  for (let g = 0; g < gpus; g++) {
    const count = slotsPerGpu[g];
    if (!Number.isInteger(count) || count < 0) throw new ArgumentError(`slotsPerGpu[${g}]`, "an integer >= 0", count);
    total += count;
  }
  if (total !== slots) throw new ShapeError("slotsPerGpu", `the ${slots} slots of map in all`, total);
  return Int32Array.from(slotsPerGpu);
}

/** A number of GPUs, experts or slots. */
export function requireCount(argument: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > 2 ** 24) {
    throw new ArgumentError(argument, "an integer >= 1", value);
  }
  return value;
}

function firstMissing(map: ArrayLike<number>): number {
  const present = new Set(Array.from(map));
  let expert = 0;
  while (present.has(expert)) expert++;
  return expert;
}
