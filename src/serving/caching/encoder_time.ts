import { ArgumentError } from "../../common/errors.ts";
import { type FieldsOf, requireObject } from "../../common/objects.ts";

/** How long a worker's encoder takes for an image, in seconds: base + perToken x its tokens. */
export interface EncoderTime {
  /** s per image. */
  base: number;
  /** s per token. */
  perToken: number;
}

const fields = { base: true, perToken: true } as const satisfies FieldsOf<EncoderTime>;

export const encodeSeconds = ({ base, perToken }: EncoderTime, tokens: number): number => base + perToken * tokens;

/** @throws {ArgumentError} It is none: a time is missing, not finite or below 0. */
export function requireEncoder(argument: string, encoder: EncoderTime): void {
  requireObject(argument, encoder, fields);
  for (const name of Object.keys(fields) as (keyof EncoderTime)[]) {
    const time = encoder[name];
    if (!(Number.isFinite(time) && time >= 0)) throw new ArgumentError(`${argument}.${name}`, "a number >= 0", time);
  }
}
