import { EMPTY } from "./arrangement.ts";

/** The slots of a layer, and the GPUs that they are on. */
export interface LayerSlots {
  /** [P] the GPU of each slot, ascending. */
  readonly gpuOf: ArrayLike<number>;
  /** [P] the expert in each slot, or EMPTY. */
  readonly experts: ArrayLike<number>;
  /** [G] 1 where a GPU is alive; what is on the others counts for nothing. */
  readonly living: ArrayLike<number>;
}

/**
 * How well the living GPUs would be balanced if each expert's load were shared evenly by the GPUs that hold it:
 *
 *   sum over g of load_g^2,   load_g = sum over experts e on g of weight_e / (GPUs that hold e)
 *
 * A stand-in for the LP, and quick to update: what it thinks well of has its load spread, and the LP does no worse than the even split.
 */
export class EvenLoads {
  /** [P] as it stands. */
  readonly slot: Int32Array;
  /** [E] slots on living GPUs. */
  readonly copies: Int32Array;
  /** [G] 0 on those that are not alive. */
  readonly load: Float64Array;
  /** [E] the GPUs that hold the expert, one entry per slot. */
  private readonly hosts: number[][];

  /** @param weight  [E] */
  constructor(
    private readonly slots: LayerSlots,
    private readonly weight: ArrayLike<number>,
  ) {
    const { experts, gpuOf, living } = slots;
    this.slot = Int32Array.from(experts);
    this.copies = new Int32Array(weight.length);
    this.load = new Float64Array(living.length);
    this.hosts = Array.from({ length: weight.length }, () => []);
    for (const [p, e] of this.slot.entries()) if (e !== EMPTY && living[gpuOf[p]]) this.add(e, gpuOf[p]);
  }

  holds(gpu: number, expert: number): boolean {
    return this.hosts[expert].includes(gpu);
  }

  /** Whether the slot's expert lives elsewhere, too: then it may go. So may nothing. */
  isSpare(p: number): boolean {
    return this.slot[p] === EMPTY || this.copies[this.slot[p]] > 1;
  }

  /** Whether the GPU has the slot's expert in another slot, so that the slot is of no use. */
  isTwice(p: number): boolean {
    const gpu = this.slots.gpuOf[p];
    return this.slot[p] !== EMPTY && this.hosts[this.slot[p]].filter((g) => g === gpu).length > 1;
  }

  /** What the sum would be after a slot of a living GPU got another expert, or EMPTY. */
  ifPut(p: number, expert: number): number {
    const before = this.put(p, expert);
    const sum = this.sum();
    this.put(p, before);
    return sum;
  }

  sum(): number {
    return this.load.reduce((sum, load) => sum + load * load, 0);
  }

  /** Gives a slot of a living GPU to an expert, or EMPTY, and returns what was there. */
  put(p: number, expert: number): number {
    const before = this.slot[p];
    const gpu = this.slots.gpuOf[p];
    if (before !== EMPTY) this.remove(before, gpu);
    this.slot[p] = expert;
    if (expert !== EMPTY) this.add(expert, gpu);
    return before;
  }

  private add(expert: number, gpu: number): void {
    this.share(expert, -1);
    this.hosts[expert].push(gpu);
    this.copies[expert]++;
    this.share(expert, 1);
  }

  private remove(expert: number, gpu: number): void {
    this.share(expert, -1);
    this.hosts[expert].splice(this.hosts[expert].indexOf(gpu), 1);
    this.copies[expert]--;
    this.share(expert, 1);
  }

  /** Adds the expert's load to its GPUs, or takes it off. */
  private share(expert: number, sign: number): void {
    const gpus = new Set(this.hosts[expert]);
    for (const g of gpus) this.load[g] += (sign * this.weight[expert]) / gpus.size;
  }
}
