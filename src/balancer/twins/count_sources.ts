import { rowOf } from "../../placement/per_layer.ts";
import { dealtFrom } from "../sources.ts";
import { count } from "./count.ts";

/** Twin of shaders/balancer/count_sources.wgsl: [L, S, E] tokens of each source per expert of ids [L, T, k] that are dealt to the sources in order. */
export function countSources(
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
