import { findTokens, type TokenSteps } from "./step_split.ts";
import type { TopkHistory } from "./topk_file.ts";

/** Finds the steps with tokens, those with ids of experts from 0 to experts - 1.  @throws {LoadError} There are none. */
export function surveyTopk(history: TopkHistory, experts: number): TokenSteps {
  const { steps, layers } = history;
  const hasTokens = new Uint8Array(steps * layers);
  for (let step = 0; step < steps; step++) {
    const ids = history.idsOf(step);
    const perLayer = ids.length / layers;
    for (const [i, id] of ids.entries()) {
      if (id >= 0 && id < experts) hasTokens[step * layers + Math.floor(i / perLayer)] = 1;
    }
  }
  return findTokens(history, (step, layer) => hasTokens[step * layers + layer] === 1);
}

/** [L][E] how often the router chose each expert of a layer in the layer's steps. */
export function countIds(history: TopkHistory, steps: readonly number[][], experts: number): Float64Array[] {
  const chosen = steps.map((own) => new Set(own));
  const counts = steps.map(() => new Float64Array(experts));
  for (let step = 0; step < history.steps; step++) {
    if (!chosen.some((own) => own.has(step))) continue;
    const ids = history.idsOf(step);
    const perLayer = ids.length / history.layers;
    for (const [i, id] of ids.entries()) {
      const layer = Math.floor(i / perLayer);
      if (id >= 0 && id < experts && chosen[layer].has(step)) counts[layer][id]++;
    }
  }
  return counts;
}
