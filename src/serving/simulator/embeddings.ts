import { Contents } from "../caching/contents.ts";
import { encodeSeconds } from "../caching/encoder_time.ts";
import type { PromptImages } from "../trace/trace.ts";
import type { EmbeddingSettings } from "./embedding_options.ts";

/** Looks up the images of a request whose prefill begins; what is missing is encoded, and offered to the cache. @returns s that the encoder takes. */
export type Encode = (id: number, now: number) => number;

/** The workers' caches of embeddings, and what all of them have been asked for. */
export class Embeddings {
  /** Tokens of images, and those of them that were there. */
  asked = 0;
  found = 0;

  constructor(
    private readonly images: PromptImages,
    private readonly settings: EmbeddingSettings,
    private readonly seed: number,
  ) {}

  /** A worker's own. */
  of(worker: number): Encode {
    const { capacity, policy, encoder } = this.settings;
    const { start, id: ids, tokens } = this.images;
    const contents = new Contents<undefined>(policy, { capacity, seed: this.seed + worker });
    return (id, now) => {
      let seconds = 0;
      for (let j = start[id]; j < start[id + 1]; j++) {
        const size = tokens[ids[j]];
        this.asked += size;
        const place = contents.placeOf(ids[j]);
        if (place >= 0) {
          contents.hit(place, now);
          this.found += size;
          continue;
        }
        const cost = encodeSeconds(encoder, size);
        seconds += cost;
        contents.offer(ids[j], { size, cost, now }, undefined);
      }
      return seconds;
    };
  }
}
