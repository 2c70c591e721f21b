/**
 * Which layers of a model have experts. Within the command line a layer is a hidden layer, dense ones included, as in SGLang's recordings; those
 * without tokens are taken for dense ones. vLLM's rows are MoE layers alone, and --moe-layers says which these are.
 */
import { InvalidArgumentError, Option } from "commander";
import { ShapeError } from "../../common/errors.ts";
import type { LoadHistory } from "../files/load_file.ts";
import type { TopkHistory } from "../files/topk_file.ts";

export function moeLayersOption(): Option {
  return new Option(
    "--moe-layers <list>",
    "the model's layers with experts, counted from 0 with dense ones, as in 3-60 or 1,3,5; by default those with tokens",
  ).argParser(parseLayers);
}

const MOST = 10_000;

/** "3-60" or "1,3,5-7", ascending. */
export function parseLayers(text: string): number[] {
  const layers = text.split(",").flatMap((part) => {
    const [, first, last = first] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    const length = Number(last) - Number(first) + 1;
    return length >= 1 && Number(last) < MOST ? Array.from({ length }, (_, i) => Number(first) + i) : [Number.NaN];
  });
  if (layers.every((layer, i) => layer > (layers[i - 1] ?? -1))) return layers;
  throw new InvalidArgumentError("Expected ascending layer numbers, as in 3-60 or 1,3,5-7.");
}

/** The layers given, or those that have tokens. */
export function moeLayersOf(given: readonly number[] | undefined, withTokens: readonly number[][]): readonly number[] {
  return given ?? withTokens.flatMap((steps, layer) => (steps.length > 0 ? [layer] : []));
}

/** For each layer of the model its row in a recording, -1 for dense ones. @throws {ShapeError} The recording counts neither way. */
function rowOfLayer(source: string, rows: number, moe: readonly number[]): number[] {
  const layers = moe[moe.length - 1] + 1;
  if (rows !== moe.length && rows < layers) {
    const expected = `${moe.length} layers, those of --moe-layers, or ${layers} or more with the dense ones`;
    throw new ShapeError(source, expected, rows);
  }
  const own = new Array<number>(Math.max(layers, rows === moe.length ? 0 : rows)).fill(-1);
  for (const [i, layer] of moe.entries()) own[layer] = rows === moe.length ? i : layer;
  return own;
}

/** A recording with a row for each layer of the model, those of dense ones being zeros. */
export function loadsByLayer(history: LoadHistory, moe: readonly number[] | undefined): LoadHistory {
  if (moe === undefined) return history;
  const { source, steps, layers, experts, loads } = history;
  const rows = rowOfLayer(source, layers, moe);
  const size = steps * rows.length * experts;
  const spread = loads instanceof Int32Array ? new Int32Array(size) : new Float64Array(size);
  for (let step = 0; step < steps; step++) {
    for (const [layer, row] of rows.entries()) {
      if (row < 0) continue;
      const from = (step * layers + row) * experts;
      spread.set(loads.subarray(from, from + experts), (step * rows.length + layer) * experts);
    }
  }
  return { ...history, layers: rows.length, loads: spread };
}

/** As `loadsByLayer`; dense layers have -1 alone. */
export function topkByLayer(history: TopkHistory, moe: readonly number[] | undefined): TopkHistory {
  if (moe === undefined) return history;
  const rows = rowOfLayer(history.source, history.layers, moe);
  const idsOf = (step: number) => {
    const ids = history.idsOf(step);
    const perLayer = ids.length / history.layers;
    const spread = new Int32Array(rows.length * perLayer).fill(-1);
    for (const [layer, row] of rows.entries()) {
      if (row >= 0) spread.set(ids.subarray(row * perLayer, (row + 1) * perLayer), layer * perLayer);
    }
    return spread;
  };
  return { ...history, layers: rows.length, idsOf };
}

/** The layers in which any token has an expert. */
export function layersWithIds({ steps, layers, idsOf }: TopkHistory): number[] {
  const found = new Set<number>();
  for (let step = 0; step < steps && found.size < layers; step++) {
    const ids = idsOf(step);
    for (const [i, id] of ids.entries()) if (id >= 0) found.add(Math.floor((i * layers) / ids.length));
  }
  return [...found].sort((a, b) => a - b);
}
