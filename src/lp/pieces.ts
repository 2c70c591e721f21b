/** A batch in pieces, which the threads of a process take one by one. */

/**
 * LPs that a thread takes at a time: few enough that no thread has much left when the others are done, and that their rows are still in a cache when
 * they are judged; enough that taking them is no work.
 */
export const PIECE = 64;

/** LPs first to end - 1. */
export interface Piece {
  readonly index: number;
  readonly first: number;
  readonly end: number;
}

/** What the threads of a batch tell each other, in a control word each. */
const TAKEN = 0; // pieces asked for; those beyond the last are not given
const FROM_BACK = 1; // of these, given to workers
const STOP = 2; // 1: give no more
const ENDED = 3; // workers that are done with the batch's memory
export const CONTROL_WORDS = 4;

/** The pieces of a batch. This thread takes the first that is left, so that what it writes lies side by side; workers take the last. */
export class Pieces {
  readonly count: number;
  private front = 0;

  constructor(
    private readonly batch: number,
    private control: Int32Array = new Int32Array(CONTROL_WORDS),
  ) {
    this.count = Math.ceil(batch / PIECE);
  }

  at(index: number): Piece {
    return { index, first: index * PIECE, end: Math.min(this.batch, (index + 1) * PIECE) };
  }

  takeFirst(): Piece | undefined {
    return this.take() ? this.at(this.front++) : undefined;
  }

  takeLast(): Piece | undefined {
    return this.take() ? this.at(this.count - 1 - Atomics.add(this.control, FROM_BACK, 1)) : undefined;
  }

  private take(): boolean {
    return Atomics.load(this.control, STOP) === 0 && Atomics.add(this.control, TAKEN, 1) < this.count;
  }

  stop(): void {
    Atomics.store(this.control, STOP, 1);
  }

  resume(): void {
    Atomics.store(this.control, STOP, 0);
  }

  /** Counts workers from the first again. */
  welcome(): void {
    Atomics.store(this.control, ENDED, 0);
  }

  /** Goes on by other control words. */
  moveTo(control: Int32Array): void {
    control.set(this.control);
    this.control = control;
  }

  get allTaken(): boolean {
    return Atomics.load(this.control, TAKEN) >= this.count;
  }

  /** A worker's last word. */
  leave(): void {
    Atomics.add(this.control, ENDED, 1);
  }

  /** Of LPs. */
  get given(): number {
    const { first, end } = this.left;
    return this.batch - PIECE * Math.max(0, end - first);
  }

  /** Pieces first to end - 1 were not given. */
  get left(): { first: number; end: number } {
    return { first: this.front, end: this.count - Atomics.load(this.control, FROM_BACK) };
  }
}

/** How many workers have left. */
export const endedBy = (control: Int32Array): number => Atomics.load(control, ENDED);
