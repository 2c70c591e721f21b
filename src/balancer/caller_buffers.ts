/** A caller's buffers for `encode`, checked. */
import { ArgumentError } from "../common/errors.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";
import { bindingOf, copyTarget, requireDistinct, storage, type Usage } from "../gpu/buffers.ts";
import { WORD } from "../gpu/constants.ts";
import type { BufferSlice } from "../gpu/types.ts";
import { proofWords } from "../lp/kernels/proof.ts";
import type { Distance } from "../placement/distance.ts";
import { widestReplica } from "../placement/per_layer.ts";
import { type CheckedOptions, checkTokens, rankFields } from "./options.ts";
import { requireRank } from "./rank_counts.ts";
import type { BalancerBuffers, RankCounts } from "./types.ts";

const bufferFields = {
  ...{ tokens: true, topkIds: true, physicalIds: true, rankCounts: true, baseLoad: true },
  ...{ quota: true, sourceQuota: true, shares: true, outOfRange: true, unserved: true, proof: true },
} satisfies FieldsOf<BalancerBuffers>;

/**
 * By the names they have in messages.
 *
 * @throws {ArgumentError} A buffer is too small, misaligned, of a known other device, lacks a usage, or is read and written.
 */
export function bindingsOf(device: GPUDevice, buffers: BalancerBuffers, options: CheckedOptions) {
  requireObject("buffers", buffers, bufferFields);
  const { tokens, topkIds, physicalIds, baseLoad, quota, sourceQuota, shares, outOfRange, unserved, proof } = buffers;
  const { layers, topK, placements, distance } = options;
  const rank = rankOf(buffers.rankCounts, distance);
  const { gpus, logicalExperts, physicalExperts } = placements[0];
  const assignments = checkTokens(tokens, options) * topK;
  const idBytes = layers * assignments * WORD;
  const countBytes = layers * logicalExperts * WORD;
  const quotaBytes = layers * physicalExperts * WORD;
  const width = widestReplica(placements);
  const sources = distance?.sources ?? 0;
  if (sourceQuota && !distance) throw new ArgumentError("sourceQuota", "none without distances", sourceQuota);
  const wanted = (name: string, slice: BufferSlice | undefined, bytes: number, usage: Usage) =>
    slice === undefined ? undefined : bindingOf(device, name, slice, bytes, usage);
  const bindings = {
    topkIds: bindingOf(device, "topkIds", topkIds, idBytes, storage),
    physicalIds: bindingOf(device, "physicalIds", physicalIds, idBytes, storage),
    "rankCounts.counts": wanted("rankCounts.counts", rank?.counts, countBytes, storage),
    "rankCounts.before": wanted("rankCounts.before", rank?.before, countBytes, storage),
    "rankCounts.bySource": wanted("rankCounts.bySource", rank?.bySource, countBytes * sources, storage),
    baseLoad: wanted("baseLoad", baseLoad, layers * gpus * WORD, storage),
    shares: wanted("shares", shares, countBytes * width, storage),
    quota: wanted("quota", quota, quotaBytes, copyTarget),
    sourceQuota: wanted("sourceQuota", sourceQuota, quotaBytes * sources, copyTarget),
    outOfRange: wanted("outOfRange", outOfRange, layers * WORD, copyTarget),
    unserved: wanted("unserved", unserved, layers * WORD, copyTarget),
    proof: wanted("proof", proof, layers * proofWords(gpus) * WORD, copyTarget),
  };
  requireDistinct("physicalIds", bindings.physicalIds, "topkIds", bindings.topkIds);
  requireDistinct("physicalIds", bindings.physicalIds, "rankCounts.bySource", bindings["rankCounts.bySource"]);
  requireDistinct("shares", bindings.shares, "rankCounts.counts", bindings["rankCounts.counts"]);
  requireDistinct("shares", bindings.shares, "rankCounts.bySource", bindings["rankCounts.bySource"]);
  // Late, it is read when these are written already.
  requireDistinct("physicalIds", bindings.physicalIds, "baseLoad", bindings.baseLoad);
  requireDistinct("shares", bindings.shares, "baseLoad", bindings.baseLoad);
  return { assignments, bindings, rank: rank?.rank };
}

/** Whose ids they are, if they are one rank's. */
function rankOf(given: BalancerBuffers["rankCounts"], distance: Distance | undefined) {
  if (given === undefined) return undefined;
  requireObject("rankCounts", given, rankFields);
  const { counts, before, rank, bySource } = given as { [Name in keyof RankCounts]?: BufferSlice } & { rank?: number };
  const wanted = distance ? { bySource } : { counts, before };
  const besides = distance ? { counts, before } : { rank, bySource };
  for (const [name, value] of Object.entries(besides)) {
    if (value === undefined) continue;
    const expected = distance ? "rank and bySource with distances" : "counts and before without distances";
    throw new ArgumentError(`rankCounts.${name}`, expected, value);
  }
  for (const [name, slice] of Object.entries(wanted)) {
    if (slice === undefined) throw new ArgumentError(`rankCounts.${name}`, "a GPUBuffer", slice);
  }
  if (!distance) return { counts, before };
  return { rank: requireRank("rankCounts.rank", rank, distance), bySource };
}
