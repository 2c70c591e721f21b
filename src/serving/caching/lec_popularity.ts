/** Requests for each cached key after which one counts half, of each estimate; the first never counts less. */
const HALF_LIVES = [Number.POSITIVE_INFINITY, 20, 2];
/** Nats by which another estimate must have foretold the requests better than the one that is gone by. */
const MARGIN = 10;
/** Requests between two looks at that, or as many as there are cached keys. */
const LEAST_BETWEEN = 64;

/**
 * How often each key, by its number, is asked for: by all requests alike, and with those long past counting less. What is gone by is the
 * estimate that has foretold the requests best, by likelihood; all alike until another is clearly better, as where what is popular changes.
 */
export class Popularity {
  private readonly estimates = HALF_LIVES.map((halfLife) => new Frequencies(halfLife));
  private best = this.estimates[0];
  /** Requests until the next look. */
  private left = LEAST_BETWEEN;

  /** In a unit that is the same for all keys until `ask` says otherwise. */
  of(i: number): number {
    return this.best.of(i);
  }

  /** For a number that is used, or used again. */
  clear(i: number): void {
    for (const estimate of this.estimates) estimate.clear(i);
  }

  /**
   * It is asked for once more.
   *
   * @param known  how many keys are.
   * @param cached  how many are there.
   * @returns whether `of` has changed, for other keys, too.
   */
  ask(i: number, known: number, cached: number): boolean {
    let changed = false;
    for (const estimate of this.estimates) {
      estimate.judge(i, known);
      if (estimate.ask(i, cached) && estimate === this.best) changed = true;
    }
    if (--this.left > 0) return changed;
    this.left = Math.max(LEAST_BETWEEN, cached);
    return this.choose() || changed;
  }

  private choose(): boolean {
    const { evidence } = this.best;
    for (const estimate of this.estimates) if (estimate.evidence > this.best.evidence + MARGIN) this.best = estimate;
    return this.best.evidence !== evidence;
  }
}

/** What of a probability is by frequency; the rest is the same for all keys, so that a surprise has its bounds. */
const BY_FREQUENCY = 0.99;
/** Weights grow instead of counts shrinking, and both are scaled back when they have grown by so much. */
const MOST = 2 ** 400;

/** One estimate of the probabilities. */
class Frequencies {
  /** Log-likelihood of the requests, each as foretold before it came. */
  evidence = 0;
  private readonly counts: number[] = [];
  private total = 0;
  private weight = 1;
  private growth = 1;
  private cached = 0;

  constructor(private readonly halfLife: number) {}

  of(i: number): number {
    return this.counts[i];
  }

  clear(i: number): void {
    this.counts[i] = 0;
  }

  /** How likely it was. What has never been asked for is as unlikely by all estimates. */
  judge(i: number, known: number): void {
    if (this.counts[i] === 0) return;
    this.evidence += Math.log((BY_FREQUENCY * this.counts[i]) / this.total + (1 - BY_FREQUENCY) / known);
  }

  /** @returns whether all counts have been scaled back. */
  ask(i: number, cached: number): boolean {
    if (cached !== this.cached) {
      this.cached = cached;
      this.growth = 2 ** (1 / (this.halfLife * Math.max(1, cached)));
    }
    this.weight *= this.growth;
    this.counts[i] += this.weight;
    this.total += this.weight;
    if (this.weight < MOST) return false;
    for (let k = 0; k < this.counts.length; k++) this.counts[k] /= MOST;
    this.total /= MOST;
    this.weight /= MOST;
    return true;
  }
}
