/** What `measureImbalance` takes, and the checks of it. */

import { ArgumentError, LoadError, ShapeError } from "../common/errors.ts";
import { flat, MAX_TOKENS, type Numbers, type Rows } from "../common/numbers.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";
import { checkSpeed } from "../lp/problem.ts";
import { type Costed, type Curve, checkCost } from "../lp/time/expert_cost.ts";
import { type Activity, checkActive } from "../placement/active.ts";
import type { Distanced } from "../placement/distance.ts";
import { livingSlots, type Slots } from "../placement/living_slots.ts";
import { ofLayer, widestReplica } from "../placement/per_layer.ts";
import { isPlacementLike, Placement, type PlacementLike } from "../placement/placement.ts";
import { checkSources, type SourcedIds } from "./imbalance_traffic.ts";
import { type TopkIds, toIds } from "./topk_ids.ts";
import { count } from "./twins/count.ts";

export interface ImbalanceInput extends Activity, Costed, Distanced {
  /** One placement for every layer, or one per layer, all of the same gpus, logicalExperts and physicalExperts; slotsPerGpu may differ. */
  placement: PlacementLike | readonly PlacementLike[];
  /** [L, E] tokens per expert, integers >= 0, flat or in rows as all numbers here. Or topkIds. */
  counts?: Rows;
  /** [L, T, k] expert ids; -1 is padding, ids out of range are counted and ignored. With topK. */
  topkIds?: TopkIds;
  /** k */
  topK?: number;
  /**
   * [T] with distances: the source of each token, an integer from 0 to S - 1. By default the tokens are dealt to the sources in order, token t of T to
   * floor(t S / T).
   */
  tokenSource?: Numbers;
  /** L; by default as many as counts has, or for topkIds the number of placements. */
  layers?: number;
  /**
   * [L, P] tokens per slot, each expert's adding up to its count, or to 0 if it is lost; 0 on dead GPUs and in empty slots. Without it, tokens are split
   * evenly over an expert's living slots.
   */
  quota?: Rows;
  /**
   * Instead of quota, [L, E, X] each expert's shares over its slots as in logicalToPhysical, X = the most slots of any expert, >= 0 and in any
   * unit (SGLang's and vLLM's dispatch shares). Every slot gets its share of the tokens, to within one; those of dead slots are left out.
   */
  shares?: Rows;
  /** [gpus] with a cost: of the times, as for a solver; 1 by default. Loads are tokens whatever the speeds. */
  speed?: Numbers;
}

const inputFields = {
  ...{
    placement: true,
    active: true,
    distance: true,
    nodes: true,
    tokenSource: true,
    counts: true,
    topkIds: true,
    topK: true,
    layers: true,
    quota: true,
    shares: true,
    cost: true,
    speed: true,
  },
} satisfies FieldsOf<ImbalanceInput>;

/** An input in whole tokens. */
export interface Checked {
  /** With the slots of dead GPUs empty. */
  placements: readonly Slots[];
  /** [G] 1 where a GPU is alive; undefined: all are. */
  active: Uint8Array | undefined;
  /** Of times, if they are to be told, and [G] speeds for them. */
  cost: Curve | undefined;
  speeds: Float64Array;
  layers: number;
  /** With distances. */
  sourced?: SourcedIds;
  /** Exactly one of ids, counts and quota decides the loads. */
  ids?: Int32Array | Uint32Array;
  counts?: Int32Array<ArrayBuffer>;
  quota?: Int32Array<ArrayBuffer>;
  outOfRange?: Int32Array;
}

export function checkInput(input: ImbalanceInput): Checked {
  requireObject("input", input, inputFields);
  const { placement, counts, topkIds, topK, layers, quota, shares } = input;
  const given = isPlacementLike(placement) ? [placement] : placement;
  if (!Array.isArray(given) || !given.every(isPlacementLike) || given.length === 0) {
    throw new ArgumentError("placement", "a Placement, or one per layer", placement);
  }
  const all = given.map((one, i) => Placement.of(given === placement ? `placement[${i}]` : "placement", one));
  const active = checkActive(input.active, all[0].gpus);
  const placements = all.map((one) => livingSlots(one, active));
  const { gpus, logicalExperts: experts, physicalExperts: slots } = placements[0];
  for (const [i, one] of placements.entries()) {
    if (one.gpus !== gpus || one.logicalExperts !== experts || one.physicalExperts !== slots) {
      throw new ShapeError(
        `placement[${i}]`,
        `${gpus} GPUs, ${experts} experts and ${slots} slots as the first`,
        one.physicalExperts,
      );
    }
  }
  const cost = input.cost === undefined ? undefined : checkCost(input.cost);
  if (!cost && input.speed !== undefined) {
    throw new ArgumentError("speed", "none without a cost", input.speed, "Loads are tokens whatever the speeds.");
  }
  const shared = { placements, active, cost, speeds: checkSpeed(input.speed, gpus) };
  if ((counts === undefined) === (topkIds === undefined)) {
    throw new ArgumentError("counts", "either counts or topkIds", counts === undefined ? "neither" : "both");
  }
  if (quota !== undefined && shares !== undefined) throw new ArgumentError("shares", "no quota besides", shares);
  const decided = quota !== undefined || shares !== undefined;
  const decide = (known: Checked): Checked => {
    if (!decided) return known;
    return { ...known, quota: quota === undefined ? quotaOfShares(shares!, known) : checkQuota(quota, known) };
  };
  if (counts !== undefined) {
    checkSources(input, gpus, undefined);
    const found = wholeTokens("counts", counts, { E: experts }, placements.length);
    const rows = found.length / experts;
    if (layers !== undefined && layers !== rows) throw new ArgumentError("layers", `${rows} as in counts`, layers);
    return decide({ ...shared, layers: rows, counts: found });
  }
  const ids = toIds(topkIds!);
  if (!Number.isInteger(topK) || topK! < 1) throw new ArgumentError("topK", "an integer >= 1", topK);
  const rows = layers === undefined ? placements.length : layers;
  if (!Number.isInteger(rows) || rows < 1 || (placements.length !== 1 && placements.length !== rows)) {
    throw new ArgumentError("layers", "an integer >= 1, the number of placements where there are several", rows);
  }
  if (ids.length % (rows * topK!) !== 0) {
    throw new ShapeError("topkIds", `a multiple of L * k = ${rows} * ${topK} ids`, ids.length);
  }
  const sources = checkSources(input, gpus, ids.length / (rows * topK!));
  const known = { ...shared, layers: rows, ...(sources && { sourced: { ...sources, ids, topK: topK! } }) };
  if (!decided) return { ...known, ids };
  const counted = count(ids, rows, experts);
  const found = counted.counts as Int32Array<ArrayBuffer>;
  return decide({ ...known, counts: found, outOfRange: counted.outOfRange });
}

/** Rounds the running sums of an expert's shares, which leaves every slot within one token of its due and the sum exact. */
function quotaOfShares(given: Rows, { placements, layers, counts }: Checked): Int32Array<ArrayBuffer> {
  const { logicalExperts: experts, physicalExperts: slots } = placements[0];
  const width = widestReplica(placements);
  const { values: shares, path } = flat("shares", given, { E: experts, X: width });
  if (shares.length !== layers * experts * width) {
    throw new ShapeError("shares", `L * E * X = ${layers} * ${experts} * ${width} values`, shares.length);
  }
  const quota = new Int32Array(layers * slots);
  for (let layer = 0; layer < layers; layer++) {
    const { maxReplicas, logicalToPhysical, physicalToLogical } = ofLayer(placements, layer);
    for (let e = 0; e < experts; e++) {
      const first = (layer * experts + e) * width;
      const all = logicalToPhysical.slice(e * maxReplicas, (e + 1) * maxReplicas).filter((slot) => slot >= 0);
      // Columns are all slots, ascending; dead ones have none of its tokens.
      const living = [...all.sort().entries()].filter(([, slot]) => physicalToLogical[slot] === e);
      const row = living.map(([i]) => shares[first + i]);
      const wrong = row.findIndex((share) => typeof share !== "number" || !(share >= 0 && share < Infinity));
      if (wrong >= 0) throw new LoadError(path(first + living[wrong][0]), "a finite number >= 0", row[wrong]);
      const sum = row.reduce((a, b) => a + b, 0);
      const tokens = counts![layer * experts + e];
      let running = 0;
      let given = 0;
      for (const [i, share] of row.entries()) {
        running += sum > 0 ? share / sum : 1 / row.length; // no shares at all: even
        const due = i === row.length - 1 ? tokens : Math.round(tokens * running);
        quota[layer * slots + living[i][1]] = due - given;
        given = due;
      }
    }
  }
  return quota;
}

/** [L, width] integers >= 0, each layer's total within i32. */
function wholeTokens(
  argument: string,
  given: Rows,
  row: Record<string, number>,
  placements: number,
): Int32Array<ArrayBuffer> {
  const [width] = Object.values(row);
  const { values, path } = flat(argument, given, row);
  const layers = values.length / width;
  if (!Number.isInteger(layers) || layers < 1 || (placements !== 1 && placements !== layers)) {
    const expected = placements === 1 ? `L * ${width} values` : `L * ${width} = ${placements * width} values`;
    throw new ShapeError(argument, expected, values.length);
  }
  for (let layer = 0; layer < layers; layer++) {
    let total = 0;
    for (let i = layer * width; i < (layer + 1) * width; i++) {
      if (!Number.isInteger(values[i]) || values[i] < 0) throw new LoadError(path(i), "an integer >= 0", values[i]);
      total += values[i];
    }
    if (total > MAX_TOKENS) throw new LoadError(argument, `a total of at most ${MAX_TOKENS} in layer ${layer}`, total);
  }
  return Int32Array.from(values);
}

function checkQuota(given: Rows, { placements, layers, counts }: Checked): Int32Array<ArrayBuffer> {
  const { logicalExperts: experts, physicalExperts: slots } = placements[0];
  const quota = wholeTokens("quota", given, { P: slots }, placements.length);
  if (quota.length !== layers * slots)
    throw new ShapeError("quota", `L * P = ${layers} * ${slots} values`, quota.length);
  const left = counts!.slice();
  for (let i = 0; i < quota.length; i++) {
    const layer = Math.floor(i / slots);
    const e = ofLayer(placements, layer).physicalToLogical[i % slots];
    if (e >= 0) left[layer * experts + e] -= quota[i];
    else if (quota[i] > 0) throw new LoadError(`quota[${i}]`, "0 in an empty slot and on a dead GPU", quota[i]);
  }
  const lives = (i: number) => ofLayer(placements, Math.floor(i / experts)).replicaCount[i % experts] > 0;
  const wrong = left.findIndex((tokens, i) => tokens !== 0 && lives(i));
  if (wrong < 0) return quota;
  const expert = `expert ${wrong % experts} in layer ${Math.floor(wrong / experts)}`;
  throw new LoadError("quota", `${counts![wrong]} tokens for ${expert}`, counts![wrong] - left[wrong]);
}
