/** The caches of embeddings of the plain simulator. */
import type { Trace } from "../../../src/serving/trace/trace.ts";
import type { Running } from "./plain_simulator.ts";

export interface PlainEmbeddings {
  capacity: number;
  encoder: { base: number; perToken: number };
}

/** Looks up the images of those of whose prompts the next step prefills the first part. @returns their tokens, and those that were found. */
export function encode(
  { images }: Trace,
  embeddings: PlainEmbeddings | undefined,
  worker: { running: Running[]; images: number[] },
  prefill: readonly number[],
): { asked: number; found: number } {
  const count = { asked: 0, found: 0 };
  if (!embeddings || !images) return count;
  const { capacity, encoder } = embeddings;
  const { start, id, tokens } = images;
  const sum = (some: readonly number[]) => some.reduce((total, image) => total + tokens[image], 0);
  for (const [i, one] of worker.running.entries()) {
    if (one.encoding !== undefined) one.encoding = 0; // it has been encoded before
    if (one.encoding !== undefined || prefill[i] === 0) continue;
    one.encoding = 0;
    for (const image of id.subarray(start[one.id], start[one.id + 1])) {
      const there = worker.images.includes(image);
      count.asked += tokens[image];
      if (there) count.found += tokens[image];
      else one.encoding += encoder.base + encoder.perToken * tokens[image];
      worker.images = worker.images.filter((other) => other !== image);
      if (tokens[image] <= capacity) worker.images.push(image);
      while (sum(worker.images) > capacity) worker.images.shift();
    }
  }
  return count;
}
