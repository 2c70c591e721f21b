/**
 * Twin of shaders/serving/replay.wgsl: a scenario from its first arrival to its last finish, in f64 that hold whole numbers. At a time first steps end, then requests
 * come, then the router sends them, then workers let them in and begin their next steps, as in simulator/simulation.ts.
 */
import { prepare } from "./replay_admission.ts";
import { fill, route } from "./replay_router.ts";
import { IDLE, NONE, Replayed, type ReplaySetting, type Scenario, STEPPING, WOKEN } from "./replay_state.ts";
import { catchUp, finishSteps, planSteps } from "./replay_steps.ts";

export class Replay {
  readonly replayed: Replayed;
  /** Requests that have come. */
  private come = 0;

  constructor(setting: ReplaySetting, scenario: Scenario) {
    this.replayed = new Replayed(setting, scenario);
  }

  /** @param events  at most.  @returns whether it is at its end. */
  run(events: number): boolean {
    for (let done = 0; done < events; done++) {
      const now = this.next();
      if (now === Number.POSITIVE_INFINITY) return true;
      this.happen(now);
    }
    return false;
  }

  private next(): number {
    const { workers, scenario } = this.replayed;
    let least = this.come < scenario.arrival.length ? scenario.arrival[this.come] : Number.POSITIVE_INFINITY;
    for (const { end } of workers) if (end < least) least = end;
    return least;
  }

  private happen(now: number): void {
    const { replayed } = this;
    const { workers, scenario } = replayed;
    replayed.starts = false;
    for (const w of workers) {
      if (w.state !== STEPPING) continue;
      catchUp(replayed, w, now);
      if (w.end <= now) finishSteps(replayed, w, now);
    }
    while (this.come < scenario.arrival.length && scenario.arrival[this.come] <= now) {
      route(replayed, this.come++, now);
    }
    if (replayed.ask && replayed.firstAtRouter !== NONE) fill(replayed, now);
    for (const w of workers) {
      if (w.state !== WOKEN || w.end > now) continue;
      prepare(replayed, w, now);
      if (w.running > 0) {
        planSteps(replayed, w, now);
      } else {
        w.state = IDLE;
        w.end = Number.POSITIVE_INFINITY;
      }
    }
    if (replayed.starts) this.markSpan(now);
  }

  /** What had added up by the last start so far. */
  private markSpan(now: number): void {
    const { counts, workers } = this.replayed;
    let stepping = 0;
    for (const w of workers) if (w.state === STEPPING) stepping++;
    counts.spanTime = now;
    counts.spanServed = counts.served;
    counts.spanGood = counts.good;
    counts.spanTokens = counts.tokens;
    counts.spanBusy = counts.busy + stepping * now;
  }
}
