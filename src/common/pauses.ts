/** Long work hands the event loop back this often, so that timers, progress and Ctrl-C get through. */
const MOST_MS = 40;
/** Values that are worked on between two looks at the clock, which take as long as a hundred values do. */
const PIECE = 4096;

/** The pauses of a call: a short one takes none, and calls that wait for each other share them. */
export class Pauses {
  private readonly clock: { resumed: number /** Values since. */; unseen: number; pause?: Promise<void> };

  /** @param others  of a call that is still under way. */
  constructor(
    readonly signal?: AbortSignal,
    others?: Pauses,
  ) {
    this.clock = others?.clock ?? { resumed: performance.now(), unseen: 0 };
  }

  /** Whether it is time for one. */
  get due(): boolean {
    return performance.now() - this.clock.resumed >= MOST_MS;
  }

  /** Lets others run.  @throws the signal's reason. */
  async take(): Promise<void> {
    this.clock.pause ??= new Promise((resume) => {
      setTimeout(() => {
        this.clock.pause = undefined;
        this.rested();
        resume();
      });
    });
    await this.clock.pause;
    this.signal?.throwIfAborted();
  }

  /** Others have run, as they do while a GPU is waited for. */
  rested(): void {
    this.clock.resumed = performance.now();
  }

  /** Works on rows of `width` values, a few rows at a time; without a promise where no pause is due.  @throws the signal's reason. */
  inPieces(rows: number, width: number, work: (first: number, end: number) => void): Promise<void> | undefined {
    const most = rowsOfPiece(width);
    for (let first = 0; first < rows; first += most) {
      const end = Math.min(rows, first + most);
      if (this.dueFor((end - first) * width)) return this.inPiecesFrom(first, rows, width, work);
      work(first, end);
    }
    return undefined;
  }

  /** From a pause on. */
  private async inPiecesFrom(
    first: number,
    rows: number,
    width: number,
    work: (first: number, end: number) => void,
  ): Promise<void> {
    const most = rowsOfPiece(width);
    while (first < rows) {
      await this.take();
      do {
        work(first, Math.min(rows, first + most));
        first += most;
      } while (first < rows && !this.dueFor(most * width));
    }
  }

  /** Whether to pause before so many values more. */
  private dueFor(values: number): boolean {
    const { clock } = this;
    const looks = clock.unseen + values > PIECE;
    clock.unseen = looks ? values : clock.unseen + values;
    return looks && this.due;
  }
}

const rowsOfPiece = (width: number): number => Math.max(1, Math.floor(PIECE / width));

/** How long calls may follow each other before what goes on in the background gets a turn. */
const MOST_WITHOUT_MS = 10;

/** Turns for the background: short calls that follow each other at once take no pauses, and what is made meanwhile would never get done. */
export class Turns {
  private last = performance.now();

  /** Gives one where it is time for it and `isBusy`. */
  async give(isBusy: boolean): Promise<void> {
    if (!isBusy || performance.now() - this.last < MOST_WITHOUT_MS) return;
    await new Promise((resume) => setTimeout(resume));
    this.last = performance.now();
  }
}
