import { MAX_EXPERTS } from "../../balancer/kernels/balance_params.ts";
import { ArgumentError, LoadError } from "../../common/errors.ts";
import type { LoadHistory } from "../files/load_file.ts";
import type { TopkHistory } from "../files/topk_file.ts";
import { warn } from "../print/warning.ts";
import { count, plural } from "../print/words.ts";
import { findTokens, type TokenSteps } from "./step_split.ts";

/** So large a part of the tokens may have an expert twice by an odd router or padding; of a wrong order of the axes it is much more. */
const FEW_SHARE = 0.01;
/** So few say nothing in a recording however short. */
const FEW = 2;

/**
 * Finds the steps with tokens, those with ids of experts from 0 to experts - 1. A router never gives a token an expert twice: where many
 * tokens have one twice, the axes are not what they were said to be, and where few have, there is a warning.
 *
 * @throws {ArgumentError} More than 1 % of the tokens, and more than 2, have an expert twice.  @throws {LoadError} There are no tokens.
 */
export function surveyTopk(history: TopkHistory, experts: number): TokenSteps {
  const { source, steps, layers, topK } = history;
  const hasTokens = new Uint8Array(steps * layers);
  let [tokens, twice] = [0, 0];
  for (let step = 0; step < steps; step++) {
    const ids = history.idsOf(step);
    const perLayer = ids.length / layers;
    for (let first = 0; first < ids.length; first += topK) {
      let [chosen, again] = [false, false];
      for (let i = first; i < first + topK; i++) {
        if (ids[i] < 0 || ids[i] >= experts) continue;
        chosen = true;
        for (let j = first; j < i; j++) if (ids[j] === ids[i]) again = true;
      }
      if (!chosen) continue;
      hasTokens[step * layers + Math.floor(first / perLayer)] = 1;
      tokens++;
      if (again) twice++;
    }
  }
  const found = findTokens(history, (step, layer) => hasTokens[step * layers + layer] === 1);
  const remedy = "Check the order of the axes; padding is -1, in raw bytes an id beyond --experts.";
  if (twice > FEW && twice > FEW_SHARE * tokens) {
    const expected = `an expert once in each of the ${count(tokens)} tokens`;
    throw new ArgumentError(source, expected, `${plural(twice, "token")} with one twice`, remedy);
  }
  if (twice > 0) warn(`${source}: ${plural(twice, "token")} of ${count(tokens)} with an expert twice. ${remedy}`);
  return found;
}

/**
 * E: as asked, or as the recording says, or the largest id + 1.
 *
 * @throws {LoadError} Nobody says it, and an id is beyond what can be an expert.
 */
export function expertsOf({ source, experts, largestId }: TopkHistory, asked: number | undefined): number {
  const known = asked ?? experts;
  if (known !== undefined || largestId < MAX_EXPERTS) return known ?? largestId + 1;
  const remedy = "--experts says how many there are; ids beyond go nowhere.";
  throw new LoadError(source, `ids of at most ${MAX_EXPERTS} experts`, largestId, remedy);
}

/** The loads of the experts that the ids make. */
export function loadsOfIds(history: TopkHistory, experts: number): LoadHistory {
  const { source, steps, layers } = history;
  const loads = new Int32Array(steps * layers * experts);
  for (let step = 0; step < steps; step++) {
    const ids = history.idsOf(step);
    const perLayer = ids.length / layers;
    for (const [i, id] of ids.entries()) {
      if (id >= 0 && id < experts) loads[(step * layers + Math.floor(i / perLayer)) * experts + id]++;
    }
  }
  return { source, steps, layers, experts, loads };
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
