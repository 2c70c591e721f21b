import { type CanonicalForm, canonicalForm } from "../../lp/kernels/canonical.ts";
import { labelTable } from "../../lp/kernels/specialised.ts";
import { topologyOfPlacement } from "../../lp/topology.ts";
import { widestReplica } from "../../placement/per_layer.ts";
import { type Placement, requireLayers } from "../../placement/placement.ts";

/** Layers by their number, and what the text has of them once: forms, and tables that some share. */
export interface ExportedLayers {
  readonly gpus: number;
  readonly experts: number;
  readonly slots: number;
  /** X, the most slots of any expert. */
  readonly copies: number;
  /** Ascending. */
  readonly layers: readonly ExportedLayer[];
  /** Topologies up to labels. */
  readonly forms: readonly CanonicalForm[];
  /** Labels, as src/lp/kernels/canonical.ts lays them out. */
  readonly labels: readonly (readonly number[])[];
  /** [E, X] slots of each expert in ascending order, padded with -1. */
  readonly slotsOf: readonly (readonly number[])[];
}

export interface ExportedLayer {
  readonly number: number;
  readonly placement: Placement;
  /** Which of `forms`, `labels` and `slotsOf` are its. */
  readonly form: number;
  readonly label: number;
  readonly slots: number;
}

/** @throws {ArgumentError} There is none, or they are of different sizes. */
export function exportedLayers(placements: ReadonlyMap<number, Placement>): ExportedLayers {
  const [first, ...others] = requireLayers([...placements.values()]);
  const copies = widestReplica([first, ...others]);
  const forms = new Pool<CanonicalForm>();
  const labels = new Pool<readonly number[]>();
  const slotsOf = new Pool<readonly number[]>();
  const formOf = new Map<Placement, CanonicalForm>(); // of one object for many layers, only once
  const layers = [...placements].map(([number, placement]) => {
    const speed = new Float64Array(placement.gpus).fill(1);
    const form = formOf.get(placement) ?? canonicalForm(topologyOfPlacement(placement, speed));
    formOf.set(placement, form);
    const own = [...labelTable(form)];
    const slots = paddedSlots(placement, copies);
    return {
      ...{ number, placement, form: forms.index(form.key, form), label: labels.index(own.join(), own) },
      slots: slotsOf.index(slots.join(), slots),
    };
  });
  return {
    ...{ gpus: first.gpus, experts: first.logicalExperts, slots: first.physicalExperts, copies },
    layers: layers.sort((a, b) => a.number - b.number),
    ...{ forms: forms.all, labels: labels.all, slotsOf: slotsOf.all },
  };
}

function paddedSlots({ logicalExperts, maxReplicas, logicalToPhysical }: Placement, width: number): number[] {
  return Array.from({ length: logicalExperts * width }, (_, i) => {
    const copy = i % width;
    return copy < maxReplicas ? logicalToPhysical[Math.floor(i / width) * maxReplicas + copy] : -1;
  });
}

/** What is equal, once. */
class Pool<T> {
  readonly all: T[] = [];
  private readonly known = new Map<string, number>();

  index(key: string, value: T): number {
    const known = this.known.get(key);
    if (known !== undefined) return known;
    this.known.set(key, this.all.length);
    return this.all.push(value) - 1;
  }
}
