/** Whose tokens a batch's are: of one rank, or, where one process has all of them, dealt to the sources in order. */
import { rowOf } from "../placement/per_layer.ts";
import { count } from "./twins/count.ts";

/** Of T tokens dealt to the sources in order, token t is of this one; */
export const dealtTo = (t: number, tokens: number, sources: number): number => Math.floor((t * sources) / tokens);

/** and source s's are those from here to where the next one's begin. */
export const dealtFrom = (s: number, tokens: number, sources: number): number => Math.ceil((s * tokens) / sources);

/** [L, S, E] tokens of each source per expert of ids [L, T, k] that are dealt to the sources in order. */
export function countBySource(
  ids: Int32Array | Uint32Array,
  layers: number,
  experts: number,
  topK: number,
  sources: number,
): Int32Array<ArrayBuffer> {
  const bySource = new Int32Array(layers * sources * experts);
  const tokens = ids.length / (layers * topK);
  for (let l = 0; l < layers; l++) {
    for (let s = 0; s < sources; s++) {
      const [first, end] = [s, s + 1].map((i) => (l * tokens + dealtFrom(i, tokens, sources)) * topK);
      rowOf(bySource, experts, l * sources + s).set(count(ids.subarray(first, end), 1, experts).counts);
    }
  }
  return bySource;
}
