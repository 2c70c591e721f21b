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
  /** Requests x time that have waited until each sample. */
  private readonly waited: number[] = [];
  /** The same until `now`. */
  private area = 0;
  private now = 0;
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
    this.area += (now - this.now) * waiting;
    this.now = now;
  }

  private sample(waiting: number): void {
    const row = this.time.length * this.workers;
    const time = this.nextSample;
    this.time.push(time);
    this.waited.push(this.area + (time - this.now) * waiting);
    for (const group of this.groups) {
      const done = group.done(time);
      for (const worker of group.workers) {
        this.load[row + worker.index] = worker.held + done * worker.decoding;
        this.running[row + worker.index] = worker.running;
      }
    }
  }

  private halve(): void {
    const { time, waited, load, running, workers } = this;
    const kept = MOST_SAMPLES / 2;
    for (let t = 1; t < kept; t++) {
      time[t] = time[2 * t];
      waited[t] = waited[2 * t];
      load.copyWithin(t * workers, 2 * t * workers, (2 * t + 1) * workers);
      running.copyWithin(t * workers, 2 * t * workers, (2 * t + 1) * workers);
    }
    time.length = kept;
    waited.length = kept;
    this.interval *= 2;
  }

  series(): Series {
    const { time, waited } = this;
    const values = time.length * this.workers;
    const end = (t: number) => (t + 1 < time.length ? [time[t + 1], waited[t + 1]] : [this.now, this.area]);
    return {
      time: Float64Array.from(time),
      queue: Float64Array.from(time, (at, t) => (end(t)[1] - waited[t]) / (end(t)[0] - at)),
      load: this.load.slice(0, values),
      running: this.running.slice(0, values),
    };
  }
}
