import { Pauses } from "../common/pauses.ts";

/** The time that a search may take, in parts; and its ear for the caller's signal. */
export class Pacer {
  private readonly pauses: Pauses;
  private readonly deadline: number;
  private partEnds: number;
  /** Whether a part ended for lack of time: what was found depends on the machine's speed. */
  ranOut = false;

  constructor(budgetMs: number, signal: AbortSignal | undefined) {
    signal?.throwIfAborted();
    this.pauses = new Pauses(signal);
    this.deadline = performance.now() + budgetMs;
    this.partEnds = this.deadline;
  }

  /** Begins one of so many equal parts of the time that is left. */
  allot(parts: number): void {
    const now = performance.now();
    this.partEnds = now + Math.max(0, this.deadline - now) / parts;
  }

  /** Whether the time of this part has run out. */
  get isOver(): boolean {
    const over = performance.now() >= this.partEnds;
    this.ranOut ||= over;
    return over;
  }

  /** Hands the event loop back if it has waited long enough.  @throws the signal's reason. */
  async breathe(): Promise<void> {
    if (this.pauses.due) await this.pauses.take();
  }
}
