import type { Machine } from "./arrangement.ts";

/** With so many GPUs at most, all sets are listed. */
const COMPLETE_GPUS = 8;
/** Sets that are kept where they cannot all be. */
const CAPACITY = 256;

/** The set of all GPUs, whose bound is the perfect balance. Always there. */
export const ALL = 0;

/** The sets S of GPUs by which arrangements are bounded: all of them, or those that were bottlenecks lately. */
export class CutSets {
  /** Whether every set is there. */
  readonly complete: boolean;
  readonly capacity: number;
  /** Sets there are. */
  count = 0;
  /** [capacity, G] 1 where the GPU is in the set. */
  readonly member: Uint8Array;
  /** [capacity] 1 / v(S) */
  readonly pace: Float64Array;
  private readonly known = new Set<string>();
  /** [capacity] when the set was last a bottleneck, in sets added since. */
  private readonly lastBinding: Float64Array;
  private clock = 0;

  constructor(private readonly machine: Machine) {
    const { gpus } = machine;
    this.complete = gpus <= COMPLETE_GPUS;
    this.capacity = this.complete ? 2 ** gpus - 1 : Math.max(CAPACITY, 4 * gpus);
    this.member = new Uint8Array(this.capacity * gpus);
    this.pace = new Float64Array(this.capacity);
    this.lastBinding = new Float64Array(this.capacity);
    const set = new Uint8Array(gpus);
    this.add(set.fill(1));
    if (this.complete) {
      for (let bits = 1; bits < 2 ** gpus - 1; bits++) this.add(set.map((_, g) => (bits >> g) & 1));
    } else {
      for (let g = 0; g < gpus; g++) this.add(set.fill(0).fill(1, g, g + 1));
    }
  }

  /** Takes a set in, if need be in the place of the one that has not been a bottleneck for longest; its number if it is new, or else -1. */
  add(set: Uint8Array): number {
    const { gpus, speed } = this.machine;
    const key = set.join("");
    if (this.known.has(key)) return -1;
    let cut = this.count;
    if (cut < this.capacity) this.count++;
    else {
      cut = this.lastBinding.indexOf(this.lastBinding.reduce((a, b) => Math.min(a, b)));
      this.known.delete(this.member.subarray(cut * gpus, (cut + 1) * gpus).join(""));
    }
    this.known.add(key);
    this.lastBinding[cut] = cut === ALL ? Infinity : ++this.clock;
    this.member.set(set, cut * gpus);
    let inside = 0;
    for (let g = 0; g < gpus; g++) if (set[g]) inside += speed[g];
    this.pace[cut] = 1 / inside;
    return cut;
  }

  /** Notes which sets are bottlenecks now. */
  touch(cuts: Int32Array): void {
    for (const cut of cuts) if (cut !== ALL) this.lastBinding[cut] = this.clock;
  }
}
