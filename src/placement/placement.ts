import { ArgumentError, PlacementError, ShapeError } from "../common/errors.ts";
import { type FieldsOf, requireNoneMisspelt } from "../common/objects.ts";
import { redundantToOriginal } from "./redundant_to_original.ts";
import { type RedundantToOriginal, requireRedundantToOriginal } from "./topologies.ts";

/** What `Placement.fromPhysicalToLogical` makes a Placement of, in one object: taken wherever a Placement is, and whole after JSON or postMessage. */
export interface PlacementFields {
  /** G. */
  gpus: number;
  /** [P] the expert in each slot, -1 in an empty one. Read, never written or kept. */
  physicalToLogical: ArrayLike<number>;
  /** [G] slots on each GPU; equally many by default. */
  slotsPerGpu?: ArrayLike<number>;
  /** E, where experts may be without a slot. */
  logicalExperts?: number;
}

export type PlacementLike = Placement | PlacementFields;

const shapeFields = { gpus: true, slotsPerGpu: true, logicalExperts: true } as const;
/** A Placement that was posted has lost its class, not its fields; those that follow from others are not read. */
const ofPosted = {
  ...{ physicalExperts: true, replicaCount: true, maxReplicas: true, logicalToPhysical: true, gpuOf: true },
} as const;
const likeFields = { ...shapeFields, physicalToLogical: true } satisfies FieldsOf<PlacementFields>;

const isFields = (given: unknown): given is PlacementFields =>
  typeof given === "object" && given !== null && "physicalToLogical" in given;

/** Whether it may stand for a placement, whatever may be wrong with it. */
export const isPlacementLike = (given: unknown): given is PlacementLike =>
  given instanceof Placement || isFields(given);

/** What a map has in an empty slot. */
export const EMPTY = -1;

/**
 * Which expert each physical slot holds. GPU g holds the slots g P / G to (g + 1) P / G - 1, unless `slotsPerGpu` says otherwise. A slot
 * may be empty, and an expert lost, having no slot: then its tokens are served nowhere.
 *
 * Immutable; all arrays are owned by the placement and must not be written. An expert may sit twice on one GPU (EPLB does
 * that): its slots there count as one replica and share that replica's tokens evenly.
 */
export class Placement {
  /** G. */
  readonly gpus: number;
  /** E. */
  readonly logicalExperts: number;
  /** P: all slots, empty ones too. */
  readonly physicalExperts: number;
  /** [P] the expert in each slot, -1 in an empty one. */
  readonly physicalToLogical: Int32Array;
  /** [E] slots per expert; 0 for a lost one. */
  readonly replicaCount: Int32Array;
  /** Columns of `logicalToPhysical`: the largest replica count, at least 1. */
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
    for (const expert of physicalToLogical) if (expert !== EMPTY) this.replicaCount[expert]++;
    this.maxReplicas = this.replicaCount.reduce((a, b) => Math.max(a, b), 1);
    this.logicalToPhysical = new Int32Array(logicalExperts * this.maxReplicas).fill(-1);
    this.slotsPerGpu = slotsPerGpu;
    this.gpuOf = Int32Array.from([...slotsPerGpu].flatMap((slots, gpu) => new Array<number>(slots).fill(gpu)));
    const filled = new Int32Array(logicalExperts);
    for (let slot = 0; slot < physicalExperts; slot++) {
      const expert = physicalToLogical[slot];
      if (expert !== EMPTY) this.logicalToPhysical[expert * this.maxReplicas + filled[expert]++] = slot;
    }
  }

  /**
   * From a physical-to-logical map (vLLM, SGLang, EPLB's phy2log): one row of P entries.
   *
   * @param map  [P] the expert in each slot, or -1: an empty slot, which keeps its number. Copied.
   * @param shape.gpus  G; must divide P, unless slotsPerGpu is given.
   * @param shape.slotsPerGpu  [G] how many slots each GPU holds, 0 or more, P in all; equally many by default. Copied. Serving systems
   * count equally many, so this is for machines of one's own.
   * @param shape.logicalExperts  E. Without it every expert from 0 to the largest must have a slot; with it those that have none are lost.
   * @throws {PlacementError} An entry is not an expert id or -1, or an expert has no slot where E is not given.
   */
  static fromPhysicalToLogical(
    map: ArrayLike<number>,
    shape: { gpus: number; slotsPerGpu?: ArrayLike<number>; logicalExperts?: number },
  ): Placement {
    requireNoneMisspelt("shape", shape, shapeFields);
    return Placement.checked(map, shape, (field) => (field === "physicalToLogical" ? "map" : field));
  }

  /** A Placement as it is, or the fields of one. @param argument  what it is called in a message. @internal */
  static of(argument: string, given: PlacementLike): Placement {
    if (given instanceof Placement) return given;
    const fields: unknown = given;
    if (!isFields(fields)) {
      const listed = typeof fields !== "object" || fields === null || Array.isArray(fields);
      throw new ArgumentError(argument, listed ? "a Placement" : "a Placement, or { gpus, physicalToLogical }", given);
    }
    const posted = Object.keys(ofPosted).every((name) => Object.hasOwn(fields, name));
    requireNoneMisspelt(argument, fields, posted ? { ...likeFields, ...ofPosted } : likeFields);
    return Placement.checked(fields.physicalToLogical, fields, (field) => `${argument}.${field}`);
  }

  /** What JSON keeps of it: the fields that make it again. */
  toJSON(): PlacementFields {
    const { gpus, physicalToLogical, slotsPerGpu, logicalExperts } = this;
    return { gpus, physicalToLogical: [...physicalToLogical], slotsPerGpu: [...slotsPerGpu], logicalExperts };
  }

  private static checked(
    map: ArrayLike<number>,
    shape: Omit<PlacementFields, "physicalToLogical">,
    nameOf: (field: keyof PlacementFields) => string,
  ): Placement {
    const name = nameOf("physicalToLogical");
    if (map === null || typeof map !== "object" || !(map.length > 0)) {
      throw new PlacementError(name, "a non-empty array of expert ids, one per physical slot", map);
    }
    const gpus = requireCount(nameOf("gpus"), shape?.gpus);
    const slots = map.length;
    const slotsPerGpu = shape.slotsPerGpu && checkSlotsPerGpu(nameOf("slotsPerGpu"), shape.slotsPerGpu, gpus, slots);
    if (!slotsPerGpu && slots % gpus !== 0) {
      throw new ShapeError(name, `a multiple of gpus = ${gpus} slots`, slots, "Every GPU holds equally many slots.");
    }
    const { logicalExperts: given } = shape;
    if (given !== undefined) requireCount(nameOf("logicalExperts"), given);
    const experts = requireExperts(name, map, given);
    return new Placement(Int32Array.from(map), gpus, experts, slotsPerGpu);
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

/** Ids beyond this would overflow the i32 arithmetic of the kernels long before memory ran out. */
const MAX_EXPERT_ID = 2 ** 24;

/** Checks that there is a placement per layer, all of the same sizes, so that their maps are tensors. */
export function requireLayers(placements: readonly PlacementLike[]): Placement[] {
  if (!Array.isArray(placements) || placements.length === 0) {
    throw new ArgumentError("placements", "an array with a Placement per layer", placements);
  }
  return sameSizes("placements", placements);
}

/** A placement of each, all of the same sizes. @param argument  what they are called in a message. */
export function sameSizes(argument: string, given: readonly PlacementLike[]): Placement[] {
  const placements = given.map((one, layer) => Placement.of(`${argument}[${layer}]`, one));
  for (const [layer, placement] of placements.entries()) {
    for (const size of ["gpus", "logicalExperts", "physicalExperts"] as const) {
      const first = placements[0][size];
      if (placement[size] !== first) {
        throw new ShapeError(`${argument}[${layer}].${size}`, `${first} as in the first`, placement[size]);
      }
    }
  }
  return placements;
}

/** Checks the entries of a map, and returns E: as given, or one more than the largest, and then every expert must have a slot. */
function requireExperts(name: string, map: ArrayLike<number>, given: number | undefined): number {
  const most = given === undefined ? MAX_EXPERT_ID : given - 1;
  let experts = given ?? 0;
  for (let slot = 0; slot < map.length; slot++) {
    const expert = map[slot];
    if (!Number.isInteger(expert) || expert < EMPTY || expert > most) {
      const ids = given === undefined ? "an integer >= 0" : `an integer from 0 to logicalExperts - 1 = ${most}`;
      throw new PlacementError(`${name}[${slot}]`, `an expert id, ${ids}, or -1 for an empty slot`, expert);
    }
    experts = Math.max(experts, expert + 1);
  }
  if (given !== undefined) return given;
  const hole = firstMissing(map);
  if (hole < Math.max(1, experts)) {
    const remedy = experts === 0 ? "" : `Experts 0 to ${experts - 1} must all be placed. `;
    throw new PlacementError(name, `a slot for expert ${hole}`, "none", `${remedy}${LOST}`);
  }
  return experts;
}

/** What makes lost experts of those without a slot. */
export const LOST = "Where experts are lost, give logicalExperts.";

function checkSlotsPerGpu(name: string, slotsPerGpu: ArrayLike<number>, gpus: number, slots: number): Int32Array {
  if (slotsPerGpu.length !== gpus) {
    throw new ShapeError(name, `gpus = ${gpus} numbers`, slotsPerGpu.length ?? slotsPerGpu);
  }
  let total = 0;
  for (let g = 0; g < gpus; g++) {
    const count = slotsPerGpu[g];
    if (!Number.isInteger(count) || count < 0) throw new ArgumentError(`${name}[${g}]`, "an integer >= 0", count);
    total += count;
  }
  if (total !== slots) throw new ShapeError(name, `the ${slots} slots of map in all`, total);
  return Int32Array.from(slotsPerGpu);
}

/** A number of GPUs, experts or slots. */
export function requireCount(argument: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > 2 ** 24) {
    throw new ArgumentError(argument, "an integer >= 1", value);
  }
  return value;
}

/** The least expert without a slot. */
export function firstMissing(map: ArrayLike<number>): number {
  const present = new Set(Array.from(map));
  let expert = 0;
  while (present.has(expert)) expert++;
  return expert;
}
