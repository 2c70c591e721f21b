import { PlacementError } from "../common/errors.ts";

const lplbShape = "LPLB copies expert d of every GPU once, into redundant slot d of another GPU.";

/** What is read of a Placement, which is not named: it has this function for a method. */
interface Placed {
  readonly gpus: number;
  readonly logicalExperts: number;
  readonly physicalExperts: number;
  readonly physicalToLogical: Int32Array;
  readonly slotsPerGpu: Int32Array;
}

/** `Placement.toRedundantToOriginal`; `path` is what the map is called in a message. */
export function redundantToOriginal(placement: Placed, path: string): number[][] {
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
  const empty = physicalToLogical.findIndex((expert) => expert < 0);
  if (empty >= 0) {
    throw new PlacementError(`${path}[${empty}]`, "an expert in every slot", physicalToLogical[empty], lplbShape);
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
