import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";
import { seeded } from "../../common/random.ts";
import { ints } from "./column.ts";
import { firstAbove } from "./first_above.ts";
import type { PromptImages } from "./trace.ts";

/** How images recur: each client has a catalogue of its own, whose r-th image, from 1, is sent with a probability that goes with r^-power. */
export interface ImageCatalogue {
  /** Images of a client, from 1 to 2^24. */
  distinct: number;
  /** From 0, all alike, on. */
  power: number;
}

const fields = { distinct: true, power: true } as const satisfies FieldsOf<ImageCatalogue>;

/** @throws {ArgumentError} It is none. */
export function requireCatalogue(argument: string, catalogue: ImageCatalogue): void {
  requireObject(argument, catalogue, fields);
  const { distinct, power } = catalogue;
  if (!(Number.isInteger(distinct) && distinct >= 1 && distinct <= 2 ** 24))
    throw new ArgumentError(`${argument}.distinct`, "an integer from 1 to 2^24", distinct);
  if (!(Number.isFinite(power) && power >= 0)) throw new ArgumentError(`${argument}.power`, "a number >= 0", power);
}

/** The tokens of the image that takes the place of one of so many, drawn as if none ever came again. */
export type Recurs = (tokens: number) => number;

/** The images of a trace's requests as clients send them, request by request. */
export class RecurringImages {
  private readonly start = ints();
  private readonly id = ints();
  private readonly tokens = ints();
  /** Up to each rank, the sum of the weights. */
  private readonly below: Float64Array;

  constructor({ distinct, power }: ImageCatalogue) {
    this.below = new Float64Array(distinct);
    let sum = 0;
    for (let rank = 0; rank < distinct; rank++) this.below[rank] = sum += (rank + 1) ** -power;
    this.start.push(0);
  }

  /**
   * A client's catalogue.
   *
   * @returns draws an image of the next request: its tokens, which are those that are given if it is the first time. One of 0 tokens is none.
   */
  catalogue(seed: number): Recurs {
    const random = seeded(seed);
    const ids = new Map<number, number>();
    const total = this.below[this.below.length - 1];
    return (tokens) => {
      if (tokens === 0) return 0;
      const rank = firstAbove(this.below, random.next() * total);
      const known = ids.get(rank);
      if (known !== undefined) return this.attach(known);
      ids.set(rank, this.tokens.length);
      this.tokens.push(tokens);
      return this.attach(this.tokens.length - 1);
    };
  }

  private attach(image: number): number {
    this.id.push(image);
    return this.tokens.at(image);
  }

  /** The request has all its images. */
  next(): void {
    this.start.push(this.id.length);
  }

  toImages(): PromptImages {
    return { start: this.start.toArray(), id: this.id.toArray(), tokens: this.tokens.toArray() };
  }
}
