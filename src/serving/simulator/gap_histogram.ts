import type { Jump } from "./jump.ts";
import type { Spread } from "./simulated.ts";

/** Bins grow by so much, so that a percentile is off by at most half of it. */
const GROWTH = Math.log(1.01);

/** Times between two tokens: too many to be kept, so their sum and how many fall in bins whose edges grow by 1 %. */
export class GapHistogram {
  private readonly counts = new Map<number, number>();
  private sum = 0;
  private total = 0;

  add(gap: number, count: number): void {
    if (count === 0) return;
    this.sum += gap * count;
    this.total += count;
    const bin = Math.floor(Math.log(gap) / GROWTH);
    this.counts.set(bin, (this.counts.get(bin) ?? 0) + count);
  }

  /** A gap per step and request. */
  addSteps({ first, growth, steps }: Jump, requests: number): void {
    let j = 0;
    while (j < steps) {
      const shortest = first + j * growth;
      const edge = Math.exp((Math.floor(Math.log(shortest) / GROWTH) + 1) * GROWTH);
      const within = growth === 0 ? steps - j : Math.ceil((edge - shortest) / growth);
      const count = Math.max(1, Math.min(steps - j, within));
      this.add(shortest + ((count - 1) * growth) / 2, count * requests);
      j += count;
    }
  }

  spread(): Spread {
    const bins = [...this.counts.keys()].sort((a, b) => a - b);
    const at = (share: number): number => {
      let left = share * this.total;
      for (const bin of bins) {
        left -= this.counts.get(bin)!;
        if (left <= 0) return Math.exp((bin + 0.5) * GROWTH);
      }
      return Number.NaN;
    };
    const mean = this.sum / this.total;
    return { mean, p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), halfWidth: Number.NaN };
  }
}
