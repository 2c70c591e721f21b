/** The event loop gets its turn this often, so that timers, progress and Ctrl-C get through. */
const YIELD_EVERY_MS = 40;

/** The time that a search may take, in parts; and its ear for the caller's signal. */
export class Pacer {
  private resumed = performance.now();
  private readonly deadline: number;
  private partEnds: number;
  /** Whether a part ended for lack of time: what was found depends on the machine's speed. */
  ranOut = false;

  constructor(
    budgetMs: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    signal?.throwIfAborted();
    this.deadline = this.resumed + budgetMs;
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
    if (performance.now() - this.resumed < YIELD_EVERY_MS) return;
    await new Promise((resume) => setTimeout(resume));
    this.signal?.throwIfAborted();
    this.resumed = performance.now();
  }
}
