import { ArgumentError, ShapeError } from "../../common/errors.ts";
import { type Numbers, requireNumbers } from "../../common/numbers.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { type Random, seeded } from "../../common/random.ts";
import { exponentialGaps, gammaGaps, MAX_SHAPE, MIN_GAMMA_SHAPE } from "./gaps.ts";
import { type ImageCatalogue, requireCatalogue } from "./recurring_images.ts";
import { servegenTrace } from "./servegen.ts";
import { type Trace, traceFields } from "./trace.ts";

/**
 * Where lengths come from. Prompts and outputs that belong together: request i of a recorded trace has input[i] and output[i]; pairs are
 * drawn with replacement. Or the clients of ServeGen, as parsed from its files, whose arrivals come with them: see `Servegen`.
 */
export type Lengths = { input: Numbers; output: Numbers } | { servegen: object };

export interface GenerateOptions {
  /** n. */
  requests: number;
  /** An integer. */
  seed: number;
  /** Requests per s, or per round, on average; from 1e-6 to 1e9. A burst has none, and ignores it. */
  rate?: number;
  /** "poisson" by default. With ServeGen's clients: undefined. */
  arrivals?: "poisson" | "burst" | { cv: number };
  lengths: Lengths;
  /** With ServeGen's clients: their images recur, and the trace says which is which. Without it none is told from another. */
  images?: ImageCatalogue;
}

const optionFields = {
  requests: true,
  seed: true,
  rate: true,
  arrivals: true,
  lengths: true,
  images: true,
} as const satisfies FieldsOf<GenerateOptions>;

/** A trace may be given as it is. */
export const lengthFields = { ...traceFields, servegen: true } as const;

const MIN_CV = MAX_SHAPE ** -0.5;
const MAX_CV = MIN_GAMMA_SHAPE ** -0.5;
const MIN_RATE = 1e-6;
const MAX_RATE = 1e9;

/**
 * Makes up a trace: a renewal process, one gap before each request, the first included.
 *
 * - "poisson": exponential gaps of mean 1 / rate.
 * - { cv }: Gamma gaps of mean 1 / rate and coefficient of variation cv, shape 1 / cv^2: 1 is Poisson, 0 a request every 1 / rate,
 *   more is burstier. 0, or from 1e-6 to 1000.
 * - "burst": all at 0.
 *
 * The same seed gives the same trace on every machine, to what its Math.log and ** may differ in the last bit. Lengths and arrivals have
 * random numbers of their own: with the same seed, another process of arrivals or another rate brings the same requests.
 *
 * @returns {Trace} arrival in s, or rounds; class with ServeGen's clients: a request's client, by its place in the object; images if asked for.
 * @throws {ArgumentError} Something is out of range; of ServeGen's object the message names client and field.
 * @throws {ShapeError} lengths.input and lengths.output are not equally long.
 */
export function generateTrace(options: GenerateOptions): Trace {
  requireObject("options", options, optionFields);
  const { requests, seed, rate: given, lengths, arrivals = "poisson", images } = options;
  if (!Number.isInteger(requests) || requests < 0 || requests >= 2 ** 31)
    throw new ArgumentError("requests", "an integer from 0 to 2^31 - 1", requests);
  if (!Number.isInteger(seed)) throw new ArgumentError("seed", "an integer", seed);
  requireObject("lengths", lengths, lengthFields);
  if (images !== undefined) requireCatalogue("images", images);
  if ("servegen" in lengths && lengths.servegen !== undefined) {
    checkAlone(options);
    const rate = rateOf(given);
    return servegenTrace(lengths.servegen, { requests, seed, rate, images });
  }
  if (images !== undefined) throw new ArgumentError("images", "undefined: only ServeGen's clients send images", images);
  const { input, output } = lengths as { input: Numbers; output: Numbers };
  checkLengths(input, output);
  const streams = streamsOf(seed);
  const arrival = drawArrivals(requests, arrivals, arrivals === "burst" ? 1 : rateOf(given), streams.arrivals);
  return { requests, arrival, ...drawPairs(requests, input, output, streams.lengths) };
}

/** Random numbers of their own for arrivals and for lengths. */
function streamsOf(seed: number): { arrivals: Random; lengths: Random } {
  const streams = seeded(seed);
  return { arrivals: seeded(streams.below(2 ** 32)), lengths: seeded(streams.below(2 ** 32)) };
}

/** The arrivals alone of a trace that is generated with this seed.  @throws {ArgumentError} `arrivals` is no process. */
export function arrivalsBySeed(requests: number, arrivals: Process, rate: number, seed: number): Float64Array {
  return drawArrivals(requests, arrivals, rate, streamsOf(seed).arrivals);
}

function drawArrivals(requests: number, arrivals: Process, rate: number, random: Random): Float64Array {
  const next = nextArrival(arrivals, rate);
  const arrival = new Float64Array(requests);
  for (let i = 0; i < requests; i++) arrival[i] = next(i, i === 0 ? 0 : arrival[i - 1], random);
  return arrival;
}

/** @throws {ArgumentError} It is none that a trace may have. */
export function rateOf(rate: number | undefined): number {
  if (typeof rate === "number" && rate >= MIN_RATE && rate <= MAX_RATE) return rate;
  throw new ArgumentError("rate", `a number from ${MIN_RATE} to ${MAX_RATE}`, rate);
}

type Process = NonNullable<GenerateOptions["arrivals"]>;

/** When request i arrives, after the one before it. */
type NextArrival = (i: number, before: number, random: Random) => number;

function nextArrival(arrivals: Process, rate: number): NextArrival {
  if (arrivals === "burst") return () => 0;
  if (arrivals === "poisson") return (_, before, random) => before + exponentialGaps.next(random) / rate;
  if (typeof arrivals !== "object" || arrivals === null)
    throw new ArgumentError("arrivals", '"poisson", "burst" or { cv }', arrivals);
  requireObject("arrivals", arrivals, { cv: true });
  const { cv } = arrivals;
  if (cv === 0) return (i) => (i + 1) / rate; // a sum of equal gaps would drift
  if (!(typeof cv === "number" && cv >= MIN_CV && cv <= MAX_CV))
    throw new ArgumentError("arrivals.cv", `0, or a number from ${MIN_CV} to ${MAX_CV}`, cv);
  const gaps = gammaGaps(cv ** -2);
  return (_, before, random) => before + gaps.next(random) / rate;
}

function drawPairs(n: number, input: Numbers, output: Numbers, random: Random): Pick<Trace, "input" | "output"> {
  const drawn = { input: new Int32Array(n), output: new Int32Array(n) };
  for (let i = 0; i < n; i++) {
    const row = random.below(input.length);
    drawn.input[i] = input[row];
    drawn.output[i] = output[row];
  }
  return drawn;
}

/** @throws {ArgumentError} A length is no integer from 1 to 2^31 - 1.  @throws {ShapeError} They are none, or not equally many. */
export function checkLengths(input: Numbers, output: Numbers): void {
  for (const [name, values] of Object.entries({ input, output })) {
    requireNumbers(`lengths.${name}`, values);
    for (let i = 0; i < values.length; i++) {
      if (Number.isInteger(values[i]) && values[i] >= 1 && values[i] < 2 ** 31) continue;
      throw new ArgumentError(`lengths.${name}[${i}]`, "an integer from 1 to 2^31 - 1", values[i]);
    }
  }
  if (input.length === 0) throw new ShapeError("lengths.input", "1 value at least", 0);
  if (output.length !== input.length)
    throw new ShapeError("lengths.output", `${input.length} values, as lengths.input`, output.length);
}

/** ServeGen's clients bring lengths and arrivals. */
function checkAlone({ lengths, arrivals }: GenerateOptions): void {
  const { input, output } = lengths as Partial<Record<"input" | "output", Numbers>>;
  if (input !== undefined || output !== undefined)
    throw new ArgumentError("lengths", "either input and output or servegen", lengths);
  if (arrivals !== undefined)
    throw new ArgumentError("arrivals", "undefined: ServeGen's clients have arrivals of their own", arrivals);
}
