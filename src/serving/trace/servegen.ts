import { ArgumentError } from "../../common/errors.ts";
import { type Random, seeded } from "../../common/random.ts";
import { MinHeap } from "../min_heap.ts";
import { type ImageCatalogue, RecurringImages, type Recurs } from "./recurring_images.ts";
import { type ServegenClient, type ServegenWindow, servegenClients } from "./servegen_clients.ts";
import type { Trace } from "./trace.ts";

interface ServegenOptions {
  requests: number;
  seed: number;
  rate: number;
  images: ImageCatalogue | undefined;
}

/**
 * A trace by ServeGen's clients (Y. Xiang et al., arXiv 2505.09999): each sends requests in windows of time with a rate and gaps of
 * its own, and with lengths by the hour of the day; together they are the workload.
 *
 * In a window a client's arrivals are a renewal process in equilibrium, so that on average there are as many as its rate says whatever
 * the gaps are. Rates are scaled by one factor, so that from 0 to the last window's end their mean is `rate`; the shape of the gaps
 * stays. What comes first is the beginning of the day: a short trace has its rate. After the last window the first follows again.
 *
 * Lengths: input_tokens; or text_tokens and, for as many images as image_count says, image_tokens each, audio and video likewise; and
 * output_tokens, reasoning included. Only their distributions are recorded, not which belong together, and they are drawn
 * independently. (ServeGen's own program draws all of a request's at one quantile, so that the longest prompts of a client have its
 * longest outputs; and it has a fixed number of requests in each window.) A length of 0 counts as 1.
 *
 * Which images are the same is not recorded, either: with `images` those of a client come from a catalogue of its own, by a power law, and
 * each keeps the tokens that were drawn when it first came, so that a client's mean is that of what it sends often. All else stays as it is
 * without: texts, numbers of images, outputs and arrivals.
 */
export function servegenTrace(object: object, o: ServegenOptions): Trace {
  const { clients, period, meanRate } = servegenClients(object);
  const { requests } = o;
  const trace = {
    requests,
    arrival: new Float64Array(requests),
    input: new Int32Array(requests),
    output: new Int32Array(requests),
    class: new Int32Array(requests),
  };
  const streams = seeded(o.seed);
  const events = clients.map((client) => new Events(client, streams, period, o.rate / meanRate));
  const images = o.images && new RecurringImages(o.images);
  if (images) for (const client of events) client.image = images.catalogue(streams.below(2 ** 32));
  const heap = new MinHeap(); // at equal times the client that is first in the object
  for (const [k, { now }] of events.entries()) heap.push(now, k);
  for (let i = 0; i < requests; ) {
    const k = heap.pop();
    const first = events[k];
    if (first.arrives) {
      const { input, output } = first.window.lengths;
      trace.arrival[i] = first.now;
      trace.input[i] = tokens(input(first.lengths, first.image), first, "input");
      images?.next();
      trace.output[i] = tokens(output(first.lengths), first, "output");
      trace.class[i] = first.client.index;
      i++;
    }
    first.advance();
    heap.push(first.now, k);
  }
  return images ? { ...trace, images: images.toImages() } : trace;
}

/** What a client does, one after the other: a request arrives, or a window opens. */
class Events {
  readonly client: ServegenClient;
  readonly lengths: Random;
  image: Recurs | undefined;
  window: ServegenWindow;
  /** When. */
  now: number;
  arrives = false;
  private readonly arrivals: Random;
  private readonly period: number;
  private readonly factor: number;
  private place = 0;
  /** When the day began. */
  private day = 0;

  /** @param factor  by which rates are multiplied. */
  constructor(client: ServegenClient, streams: Random, period: number, factor: number) {
    this.client = client;
    this.arrivals = seeded(streams.below(2 ** 32));
    this.lengths = seeded(streams.below(2 ** 32));
    this.period = period;
    this.factor = factor;
    this.window = client.windows[0];
    this.now = this.window.begin;
  }

  /** Where a window has no more arrivals, to the next one: a client that hardly ever sends costs its windows, not the search for its next request. */
  advance(): void {
    const { gaps, rate, end } = this.window;
    const gap = this.arrives ? gaps.next(this.arrivals) : gaps.residual(this.arrivals);
    this.now += gap / (rate * this.factor);
    this.arrives = this.now < this.day + end;
    if (!this.arrives) this.open();
  }

  private open(): void {
    const { windows } = this.client;
    this.place = (this.place + 1) % windows.length;
    if (this.place === 0) this.day += this.period;
    this.window = windows[this.place];
    this.now = this.day + this.window.begin;
  }
}

/** The parts of a prompt may add up to more than there is room for. */
function tokens(drawn: number, { client, window }: Events, what: string): number {
  if (drawn < 2 ** 31) return Math.max(1, drawn);
  throw new ArgumentError(`${client.name} at ${window.begin} s: ${what}`, "fewer than 2^31 tokens", drawn);
}
