import type { Stepping } from "./meter.ts";
import type { Series } from "./simulated.ts";

const MOST_SAMPLES = 2048;
/** s, of a clock in seconds; with rounds every round is looked at first. */
const FIRST_INTERVAL = 2 ** -10;

/** Takes samples at equal distances, and every second one of them out when there are too many: the distance doubles. */
export class SeriesRecorder {
  private interval: number;
  private nextSample = 0;
  private readonly time: number[] = [];
  private readonly queue: number[] = [];
  private readonly load: Float64Array;
  private readonly running: Int32Array;

  constructor(
    private readonly groups: readonly Stepping[],
    private readonly workers: number,
    rounds: boolean,
  ) {
    this.interval = rounds ? 1 : FIRST_INTERVAL;
    this.load = new Float64Array(MOST_SAMPLES * workers);
    this.running = new Int32Array(MOST_SAMPLES * workers);
  }

  /** Nothing but steps happens before `now`. */
  sampleUntil(now: number, waiting: number): void {
    while (this.nextSample < now) {
      if (this.time.length === MOST_SAMPLES) this.halve();
      else this.sample(waiting);
      this.nextSample = this.time.length * this.interval;
    }
  }

  private sample(waiting: number): void {
    const row = this.time.length * this.workers;
    const time = this.nextSample;
    this.time.push(time);
    this.queue.push(waiting);
    for (const group of this.groups) {
      const done = group.done(time);
      for (const worker of group.workers) {
        this.load[row + worker.index] = worker.held + done * worker.decoding;
        this.running[row + worker.index] = worker.running;
      }
    }
  }

  private halve(): void {
    const { time, queue, load, running, workers } = this;
    const kept = MOST_SAMPLES / 2;
    for (let t = 1; t < kept; t++) {
      time[t] = time[2 * t];
      queue[t] = queue[2 * t];
      load.copyWithin(t * workers, 2 * t * workers, (2 * t + 1) * workers);
      running.copyWithin(t * workers, 2 * t * workers, (2 * t + 1) * workers);
    }
    time.length = kept;
    queue.length = kept;
    this.interval *= 2;
  }

  series(): Series {
    const values = this.time.length * this.workers;
    return {
      time: Float64Array.from(this.time),
      queue: Float64Array.from(this.queue),
      load: this.load.slice(0, values),
      running: this.running.slice(0, values),
    };
  }
}
