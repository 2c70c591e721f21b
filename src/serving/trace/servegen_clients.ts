/** Reads what ServeGen knows of clients, as parsed from JSON. */
import { ArgumentError } from "../../common/errors.ts";
import type { Random } from "../../common/random.ts";
import { firstAbove } from "./first_above.ts";
import { type Gaps, gammaGaps, MAX_SHAPE, MIN_GAMMA_SHAPE, MIN_WEIBULL_SHAPE, weibullGaps } from "./gaps.ts";
import type { Recurs } from "./recurring_images.ts";

/**
 * Clients as in ServeGen's data, its chunk-<client>-trace.csv and -dataset.json brought together. Fields that are not read may be there.
 */
export interface Servegen {
  /** s, of every window. */
  windowSeconds: number;
  clients: Record<string, { trace: readonly TraceRow[]; dataset: Record<string, Record<string, Distribution>> }>;
}

/**
 * A window: its beginning in s, requests per s, the gaps' coefficient of variation as measured, and the distribution fitted to them,
 * "Gamma" or "Weibull" with its shape and scale. As in ServeGen's own program the shape counts alone: the scale follows from the rate.
 * Windows are in ascending order; one without requests has rate 0 or is left out.
 */
export type TraceRow = readonly [
  begin: number,
  rate: number,
  cv: number,
  distribution: string,
  shape: number,
  scale: number,
];

/** The probability of each number of tokens, or of images; 1 in all, to within 1 % for their rounding. */
export type Distribution = Record<string, number>;

export interface ServegenClient {
  /** Its place in the object. */
  readonly index: number;
  /** For messages. */
  readonly name: string;
  /** Those with requests, ascending. */
  readonly windows: readonly ServegenWindow[];
}

export interface ServegenWindow {
  /** s from the day's beginning. */
  readonly begin: number;
  readonly end: number;
  /** Requests per s, > 0. */
  readonly rate: number;
  readonly gaps: Gaps;
  readonly lengths: DrawnLengths;
}

export interface DrawnLengths {
  /** @param image  what its images are where they recur. */
  input(random: Random, image?: Recurs): number;
  output(random: Random): number;
}

/**
 * @returns clients with requests; period, the last window's end, in s; meanRate, of all clients together over the period.
 * @throws {ArgumentError} with the client's name, the window's or dataset's time and the field.
 */
export function servegenClients(object: object): { clients: ServegenClient[]; period: number; meanRate: number } {
  const { windowSeconds, clients: given } = record("lengths.servegen", object) as Partial<Servegen>;
  if (!(typeof windowSeconds === "number" && windowSeconds >= 1 && windowSeconds < 2 ** 40))
    throw new ArgumentError("lengths.servegen.windowSeconds", "seconds >= 1", windowSeconds);
  const all = Object.entries(record("lengths.servegen.clients", given)).map(([id, client], index) => {
    const name = `lengths.servegen.clients.${id}`;
    const { trace, dataset } = record(name, client);
    const readers = datasets(`${name}.dataset`, dataset);
    return { index, name, windows: windows(`${name}.trace`, trace, windowSeconds, readers) };
  });
  const clients = all.filter((client) => client.windows.length > 0);
  if (clients.length === 0) throw new ArgumentError("lengths.servegen.clients", "a client with requests", given);
  let expected = 0;
  let period = 0;
  for (const { windows } of clients) {
    for (const { rate, end } of windows) {
      expected += rate * windowSeconds;
      period = Math.max(period, end);
    }
  }
  return { clients, period, meanRate: expected / period };
}

function windows(name: string, rows: unknown, seconds: number, lengthsAt: LengthsAt): ServegenWindow[] {
  if (!Array.isArray(rows)) throw new ArgumentError(name, "an array of windows", rows);
  const kept: ServegenWindow[] = [];
  let free = 0;
  rows.forEach((row: unknown, i) => {
    const at = `${name}[${i}]`;
    if (!Array.isArray(row)) throw new ArgumentError(at, "[begin, rate, cv, distribution, shape, scale]", row);
    const [begin, rate, , distribution, shape] = row as unknown as Partial<TraceRow>;
    if (!(typeof begin === "number" && begin >= free && begin < 2 ** 40))
      throw new ArgumentError(`${at}[0]`, `the beginning of a window, ${free} s or later`, begin);
    free = begin + seconds;
    if (!(typeof rate === "number" && (rate === 0 || (rate >= MIN_RATE && rate <= MAX_RATE))))
      throw new ArgumentError(`${at}[1]`, `0, or requests per s from ${MIN_RATE} to ${MAX_RATE}`, rate);
    if (rate === 0) return;
    const gaps = gapsOf(at, distribution, shape);
    kept.push({ begin, end: free, rate, gaps, lengths: lengthsAt(begin, at) });
  });
  return kept;
}

const MIN_RATE = 1e-12;
const MAX_RATE = 1e12;

function gapsOf(at: string, distribution: unknown, shape: unknown): Gaps {
  if (distribution !== "Gamma" && distribution !== "Weibull")
    throw new ArgumentError(`${at}[3]`, '"Gamma" or "Weibull"', distribution);
  const least = distribution === "Gamma" ? MIN_GAMMA_SHAPE : MIN_WEIBULL_SHAPE;
  if (!(typeof shape === "number" && shape >= least && shape <= MAX_SHAPE))
    throw new ArgumentError(
      `${at}[4]`,
      `the shape of a ${distribution} distribution, from ${least} to ${MAX_SHAPE}`,
      shape,
    );
  return distribution === "Gamma" ? gammaGaps(shape) : weibullGaps(shape);
}

/** The lengths of the window that begins then. */
type LengthsAt = (begin: number, at: string) => DrawnLengths;

/** A dataset holds from its time to the next one's; an empty one leaves it to the one before, as in ServeGen. */
function datasets(name: string, given: unknown): LengthsAt {
  const known = Object.entries(record(name, given))
    .map(([time, fields]) => {
      const at = `${name}.${time}`;
      if (!/^\d+$/.test(time)) throw new ArgumentError(name, "times in whole seconds as names", time);
      return { time: Number(time), lengths: drawnLengths(at, record(at, fields)) };
    })
    .filter((dataset): dataset is { time: number; lengths: DrawnLengths } => dataset.lengths !== undefined)
    .sort((a, b) => b.time - a.time);
  return (begin, at) => {
    const found = known.find(({ time }) => time <= begin);
    if (found) return found.lengths;
    throw new ArgumentError(name, `distributions of lengths at ${begin} s or before, for ${at}`, given);
  };
}

/** Undefined where one that is needed is empty. */
function drawnLengths(at: string, fields: Record<string, unknown>): DrawnLengths | undefined {
  const output = distribution(`${at}.output_tokens`, fields.output_tokens);
  if (fields.input_tokens !== undefined) {
    const input = distribution(`${at}.input_tokens`, fields.input_tokens);
    return input && output && { input, output };
  }
  const text = distribution(`${at}.text_tokens`, fields.text_tokens);
  const attached = ["image", "audio", "video"]
    .filter((kind) => fields[`${kind}_tokens`] !== undefined || fields[`${kind}_count`] !== undefined)
    .map((kind) => ({
      kind,
      count: distribution(`${at}.${kind}_count`, fields[`${kind}_count`], MAX_COUNT),
      tokens: distribution(`${at}.${kind}_tokens`, fields[`${kind}_tokens`]),
    }));
  if (!text || !output || attached.some(({ count, tokens }) => !count || !tokens)) return undefined;
  return {
    output,
    input: (random, image) =>
      attached.reduce((sum, { kind, count, tokens }) => {
        const recurs = kind === "image" ? image : undefined;
        for (let left = count!(random); left > 0; left--) {
          const drawn = tokens!(random);
          sum += recurs ? recurs(drawn) : drawn;
        }
        return sum;
      }, text(random)),
  };
}

/** Images of a prompt: each is drawn. */
const MAX_COUNT = 1e4;

type Draw = (random: Random) => number;

/** By binary search in the distribution function; undefined where there is nothing in it. */
function distribution(name: string, given: unknown, most = 2 ** 31 - 1): Draw | undefined {
  const entries = Object.entries(record(name, given));
  if (entries.length === 0) return undefined;
  const values = new Float64Array(entries.length);
  const below = new Float64Array(entries.length);
  let sum = 0;
  entries.forEach(([value, probability], i) => {
    if (!/^\d{1,10}$/.test(value) || Number(value) > most)
      throw new ArgumentError(name, `integers from 0 to ${most} as names`, value);
    if (!(typeof probability === "number" && probability >= 0 && probability <= 1 + ROUNDING))
      throw new ArgumentError(`${name}.${value}`, "a probability", probability);
    values[i] = Number(value);
    sum += probability;
    below[i] = sum;
  });
  if (!(Math.abs(sum - 1) <= ROUNDING))
    throw new ArgumentError(name, `probabilities that add up to 1, to within ${ROUNDING}`, sum);
  return (random) => values[firstAbove(below, random.next() * sum)];
}

/** What rounding each probability may do to the sum. */
const ROUNDING = 0.01;

function record(name: string, value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new ArgumentError(name, "an object", value);
}
