/** Worker threads beside the first: a large batch on the CPU is taken in pieces by whoever is free, answered, levelled, judged and finished. */
import { openThreads } from "#threads";
import type { Pauses } from "../common/pauses.ts";
import type { Threads } from "../common/threads.ts";
import type { CpuBackend } from "./backend_cpu.ts";
import type { BatchTasks } from "./batch_tasks.ts";
import { endedBy, type Piece, Pieces } from "./pieces.ts";
import type { Settlement } from "./settle.ts";
import { bytesOf, type Shape, SharedBatch, shapeOf } from "./shared_batch.ts";
import type { Compiled } from "./simd/simd_solver.ts";
import type { Judged } from "./solution.ts";
import type { Topology } from "./topology.ts";

/**
 * The way to a worker and back takes about 50 us, and what is shared is copied in and out. With two free cores two threads are even with one at 512
 * of the cheapest LPs, of half a microsecond each, and faster on all topologies tried from here on.
 */
export const LEAST_BATCH = 1024;

/**
 * Opening workers takes 30 to 100 ms of another core and some of this one. As with skis, one rents until the rent would have bought them: they are
 * opened after this much time on large batches, in the midst of one if it is that long.
 */
const RENT_MS = 50;

/** Asked after each pause whether that is enough: so many LPs, which one thread alone would have settled in so many ms. */
type Enough = (solved: number, settlingMs: number) => Promise<boolean>;

/** A batch under way. */
interface Run {
  batch: Settlement<Judged>;
  pieces: Pieces;
  pauses: Pauses;
  enough: Enough | undefined;
  shared: SharedBatch | undefined;
  /** Of this thread. */
  settled: number;
  settleMs: number;
}

export class CpuThreads {
  /** Why one thread works alone, if so. */
  why: string | undefined;
  /** Whether workers are being opened, which takes the event loop. */
  isOpening = false;
  private pool: Threads<BatchTasks> | undefined;
  private opening: Promise<void> | undefined;
  /** Of the latest batch. */
  private shared: SharedBatch | undefined;
  /** So many workers were given it. */
  private sharedBy = 0;
  /** Of theirs. */
  private reports: Promise<void> | undefined;
  private spentMs = 0;
  private closed = false;

  /** @param count  Threads, this one included. */
  constructor(
    private readonly topology: Topology,
    private readonly cpu: CpuBackend,
    private readonly count: number,
  ) {}

  /** Whether a batch is worth sharing. */
  areFor(batch: number): boolean {
    return batch >= LEAST_BATCH && this.why === undefined;
  }

  /** Resolves once there are workers, or it is known why there will be none; asking opens them. Never rejects. */
  ready(): Promise<void> {
    this.opening ??= this.open();
    return this.opening;
  }

  private async open(): Promise<void> {
    this.isOpening = true;
    try {
      const opened = await openThreads<BatchTasks>(this.count - 1);
      if ("reason" in opened) this.stayAlone(opened.reason);
      else if (this.closed) await opened.close();
      else this.pool = opened;
    } catch (error) {
      this.stayAlone((error as Error).message);
    } finally {
      this.isOpening = false;
    }
  }

  private stayAlone(why: string): void {
    if (this.closed) return;
    this.why = why;
    this.pool?.close();
    this.pool = undefined;
  }

  /**
   * Answers and settles a batch. What `enough` leaves is from batch.first to batch.end.
   *
   * @returns ms that one thread alone would have settled in.  @throws the signal's reason.
   */
  async solve(batch: Settlement<Judged>, pauses: Pauses, enough?: Enough): Promise<number> {
    const pieces = new Pieces(batch.loads.batch);
    const run: Run = { batch, pieces, pauses, enough, shared: undefined, settled: 0, settleMs: 0 };
    let isEnough = false;
    while (!isEnough && !pieces.allTaken) {
      await this.round(run);
      isEnough = !pieces.allTaken && ((await enough?.(pieces.given, settlingMs(run))) ?? false);
    }
    await this.collect(run, isEnough);
    return settlingMs(run);
  }

  /** Until all is taken, or there is news: of workers, or of a program, which all threads take up together. */
  private async round(run: Run): Promise<void> {
    const { pool } = this;
    const program = this.cpu.program();
    if (this.isFree) await this.reports; // they are under way
    const shared = pool !== undefined && this.pool === pool && this.isFree;
    if (shared) this.reports = this.share(run, pool, program);
    try {
      await this.ownShare(run, () => this.pool !== pool || this.cpu.program() !== program);
    } finally {
      run.pieces.stop();
    }
    if (run.pieces.allTaken) return;
    await this.reports;
    run.pieces.resume();
  }

  /** Whether workers are done with the memory, even if no report has come yet. */
  private get isFree(): boolean {
    return !this.shared || this.sharedBy === 0 || endedBy(this.shared.control) >= this.sharedBy;
  }

  /** Lets all workers take pieces, until there are none. What one has not done in the end is done without it, so nobody waits for the reports. */
  private share(run: Run, pool: Threads<BatchTasks>, program: Compiled | undefined): Promise<void> {
    const { loads, leveller, first } = run.batch;
    if (!run.shared) {
      run.shared = this.sharedFor(shapeOf(loads));
      run.shared.read(loads, first);
      run.pieces.moveTo(run.shared.control);
    }
    const { cost, ...topology } = this.topology;
    const { shape, memory } = run.shared;
    const task = { topology, cost: cost?.given, shape, memory, level: leveller !== undefined, program };
    run.pieces.welcome();
    this.sharedBy = pool.count;
    const reports = Array.from({ length: pool.count }, async () => {
      try {
        this.cpu.spent(await pool.run("settleShare", task));
      } catch (error) {
        this.stayAlone(`A worker thread failed: ${(error as Error).message}`);
      }
    });
    return Promise.all(reports).then(() => {});
  }

  /** Memory that grows with the largest batch. */
  private sharedFor(shape: Shape): SharedBatch {
    const { batch, tokens, based } = this.shared?.shape ?? {};
    if (this.shared && shape.batch === batch && shape.tokens === tokens && shape.based === based) return this.shared;
    const bytes = bytesOf(this.topology, shape);
    const memory =
      this.shared && this.shared.memory.byteLength >= bytes ? this.shared.memory : new SharedArrayBuffer(bytes);
    this.shared = new SharedBatch(this.topology, shape, memory);
    return this.shared;
  }

  private async ownShare(run: Run, news: () => boolean): Promise<void> {
    const { batch, pieces, pauses, enough } = run;
    let begun = performance.now();
    const spend = () => {
      this.spentMs += performance.now() - begun;
      if (this.spentMs > RENT_MS) this.ready();
    };
    for (let piece = pieces.takeFirst(); piece; piece = pieces.takeFirst()) {
      this.settle(run, piece);
      batch.first = piece.end;
      if (!pauses.due) continue;
      spend();
      await pauses.take();
      begun = performance.now();
      if (enough || news()) return;
    }
    spend();
  }

  /** On this thread. */
  private settle(run: Run, { first, end }: Piece): void {
    const { batch } = run;
    this.cpu.spent(this.cpu.answer(batch.loads, first, end, batch.raw));
    const begun = performance.now();
    batch.settle(first, end, "cpu");
    run.settleMs += performance.now() - begun;
    run.settled += end - first;
  }

  /** Brings in what workers have done, the last they took last. What is not done yet is quicker done than waited for: a worker may lack a core. */
  private async collect(run: Run, isEnough: boolean): Promise<void> {
    const { batch, pieces, pauses, shared } = run;
    const { first, end } = pieces.left;
    for (let i = pieces.count - 1; i >= (isEnough ? end : first); i--) {
      const piece = pieces.at(i);
      if (!shared?.copyTo(batch, piece)) this.settle(run, piece);
      if (pauses.due) await pauses.take();
    }
    if (!isEnough) batch.first = batch.loads.batch;
    batch.end = isEnough && end < pieces.count ? pieces.at(end).first : batch.loads.batch;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.pool?.close();
    this.pool = undefined;
  }
}

/** By what this thread settled itself. */
const settlingMs = ({ settleMs, settled, pieces }: Run): number => (settleMs / settled) * pieces.given;

/** Threads that share large batches, where there are to be several: this one and others, which are opened on use. */
export function openCpuThreads(topology: Topology, cpu: CpuBackend, count: number): CpuThreads | undefined {
  return count > 1 ? new CpuThreads(topology, cpu, count) : undefined;
}
