const LEAST_ROUNDS = 1024;

/**
 * KV tokens and slots that are taken on each worker in each round, by requests of which the starts are known. A request that starts at k holds
 * input + (t - k) tokens in the rounds t = k + 1 .. k + output.
 */
export class RoundUsage {
  /** [rounds + 1] by worker. Nothing is taken in later rounds. */
  private tokens: Int32Array[];
  /** The same where slots are limited. */
  private running: Int32Array[];
  private rounds = LEAST_ROUNDS;

  constructor(
    workers: number,
    private readonly kvTokens: number,
    private readonly slots: number,
  ) {
    const perRound = () => new Int32Array(LEAST_ROUNDS + 1);
    this.tokens = Array.from({ length: workers }, perRound);
    this.running = slots === Number.POSITIVE_INFINITY ? [] : Array.from({ length: workers }, perRound);
  }

  /** KV tokens that are taken on a worker in a round. */
  tokensIn(worker: number, round: number): number {
    return round <= this.rounds ? this.tokens[worker][round] : 0;
  }

  /** One that fits. */
  add(worker: number, input: number, output: number, start: number): void {
    if (start + output > this.rounds) this.grow(start + output);
    this.change(worker, input, output, start, 1);
  }

  /** One that was added so. */
  remove(worker: number, input: number, output: number, start: number): void {
    this.change(worker, input, output, start, -1);
  }

  fits(worker: number, input: number, output: number, start: number): boolean {
    return this.earliest(worker, input, output, start, start + 1) === start;
  }

  /**
   * The first start in from .. before - 1 at which it fits with all that are there; `before` if there is none. Each round is looked at once: what fits in
   * a round for one start does for every later one, of which it holds less then.
   */
  earliest(worker: number, input: number, output: number, from: number, before: number): number {
    const tokens = this.tokens[worker];
    const running = this.running[worker];
    const { rounds, slots } = this;
    const room = this.kvTokens - input;
    let start = from;
    let end = Math.min(start + output, rounds);
    for (let t = start + 1; t <= end; t++) {
      const excess = tokens[t] + t - start - room;
      const full = running !== undefined && running[t] >= slots;
      if (excess <= 0 && !full) continue;
      start = full ? t : Math.min(t, start + excess);
      if (start >= before) return before;
      end = Math.min(start + output, rounds);
    }
    return start;
  }

  private change(worker: number, input: number, output: number, start: number, sign: 1 | -1): void {
    const tokens = this.tokens[worker];
    for (let j = 1; j <= output; j++) tokens[start + j] += sign * (input + j);
    const running = this.running[worker];
    if (running !== undefined) for (let j = 1; j <= output; j++) running[start + j] += sign;
  }

  private grow(least: number): void {
    this.rounds = Math.max(least, 2 * this.rounds);
    const grown = (old: Int32Array) => {
      const rounds = new Int32Array(this.rounds + 1);
      rounds.set(old);
      return rounds;
    };
    this.tokens = this.tokens.map(grown);
    this.running = this.running.map(grown);
  }
}
