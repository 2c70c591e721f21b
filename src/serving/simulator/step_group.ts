import type { ExpertTimes } from "../experts/expert_times.ts";
import { type StepWork, stepSeconds } from "../step_time.ts";
import type { BarrierStep } from "./barrier_step.ts";
import { Jump } from "./jump.ts";
import type { Meter } from "./meter.ts";
import type { Worker } from "./worker.ts";

/** Workers that step together: all of them behind a barrier, else each by itself. */
export class StepGroup {
  /** The steps under way. */
  jump: Jump | undefined;
  /** When they end, or when one that was idle begins; Infinity while it is idle. */
  end = Number.POSITIVE_INFINITY;
  steps = 0;
  /** s of the step under way that its MoE layers take. */
  private expertTime = 0;
  private readonly work: StepWork = { running: 0, held: 0, prefill: 0, context: 0, encoding: 0 };

  constructor(
    readonly workers: readonly Worker[],
    private readonly rounds: boolean,
    private readonly meter: Meter,
    private readonly experts: ExpertTimes | undefined,
    private readonly barrier: BarrierStep | undefined,
  ) {}

  get idle(): boolean {
    return this.end === Number.POSITIVE_INFINITY;
  }

  /** Something waits for one of its workers: it is let in before the next step, which for an idle one is the next unit of time. */
  wake(worker: Worker, now: number): void {
    if (this.jump === undefined) {
      this.end = Math.min(this.end, this.rounds ? Math.ceil(now) : now);
    } else if (this.jump.steps > 1 && worker.open) {
      this.jump.cutAfter(now);
      this.end = this.jump.end;
    }
  }

  /** Steps under way that have been done. */
  done(now: number): number {
    return this.jump === undefined ? 0 : this.jump.done(now);
  }

  /** What was under way has ended. */
  finish(now: number): void {
    const { jump } = this;
    this.end = Number.POSITIVE_INFINITY;
    if (jump === undefined) return; // it was idle
    this.jump = undefined;
    this.steps += jump.steps;
    if (this.isAlone) this.barrier?.alone(jump, this.work);
    this.meter.stepped(this.workers, jump, this.expertTime, this.barrier);
    for (const worker of this.workers) worker.advance(jump.steps, now);
    this.meter.measured(this.workers, jump);
  }

  /** Between two steps: lets requests in and plans the next steps, until something has to be decided. */
  begin(now: number): void {
    let steps = Number.POSITIVE_INFINITY;
    let busy = false;
    for (const worker of this.workers) {
      worker.prepare(now);
      if (worker.stepping > 0) busy = true;
      steps = Math.min(steps, worker.undisturbed);
    }
    if (!busy) return;
    this.jump = this.isAlone ? this.alone(now, steps) : this.together(now);
    this.end = this.jump.end;
  }

  /** Which of several is the longest changes from step to step, and so do the loads of experts. */
  private get isAlone(): boolean {
    return this.workers.length === 1 && !this.experts;
  }

  private alone(now: number, steps: number): Jump {
    const [worker] = this.workers;
    const first = this.secondsOf(worker);
    const growth = this.rounds ? 0 : worker.spec.stepTime!.perKvToken * worker.running;
    return new Jump(now, first, steps > 1 ? growth : 0, steps);
  }

  private together(now: number): Jump {
    let longest = 0;
    let tokens = 0;
    this.barrier?.begin(this.steps);
    for (const worker of this.workers) {
      if (worker.stepping === 0) continue;
      longest = Math.max(longest, this.secondsOf(worker));
      this.barrier?.adds(this.work);
      tokens += worker.generating + this.work.prefill;
    }
    this.expertTime = this.experts?.secondsOf(this.steps, tokens) ?? 0;
    this.barrier?.end(longest, this.expertTime);
    return new Jump(now, longest + this.expertTime, 0, 1);
  }

  private secondsOf(worker: Worker): number {
    worker.plan(this.work, this.barrier);
    return this.rounds ? 1 : stepSeconds(worker.spec.stepTime!, this.work);
  }
}
