/** A caller's buffers for `encode`, checked. */
import { type FieldsOf, requireObject } from "../common/objects.ts";
import { bindingOf, copyTarget, requireDistinct, storage, type Usage } from "../gpu/buffers.ts";
import { WORD } from "../gpu/constants.ts";
import type { BufferSlice } from "../gpu/types.ts";
import { proofWords } from "../lp/kernels/proof.ts";
import { widestReplica } from "../placement/per_layer.ts";
import { type CheckedOptions, checkTokens, rankFields } from "./options.ts";
import type { BalancerBuffers } from "./types.ts";

const bufferFields = {
  ...{ tokens: true, topkIds: true, physicalIds: true, rankCounts: true, baseLoad: true },
  ...{ quota: true, shares: true, outOfRange: true, unserved: true, proof: true },
} satisfies FieldsOf<BalancerBuffers>;

/**
 * By the names they have in messages.
 *
 * @throws {ArgumentError} A buffer is too small, misaligned, of a known other device, lacks a usage, or is read and written.
 */
export function bindingsOf(device: GPUDevice, buffers: BalancerBuffers, options: CheckedOptions) {
  requireObject("buffers", buffers, bufferFields);
  const { tokens, topkIds, physicalIds, rankCounts, baseLoad, quota, shares, outOfRange, unserved, proof } = buffers;
  if (rankCounts !== undefined) requireObject("rankCounts", rankCounts, rankFields);
  const { layers, topK, placements } = options;
  const { gpus, logicalExperts, physicalExperts } = placements[0];
  const assignments = checkTokens(tokens, options) * topK;
  const idBytes = layers * assignments * WORD;
  const countBytes = layers * logicalExperts * WORD;
  const quotaBytes = layers * physicalExperts * WORD;
  const width = widestReplica(placements);
  const wanted = (name: string, slice: BufferSlice | undefined, bytes: number, usage: Usage) =>
    slice === undefined ? undefined : bindingOf(device, name, slice, bytes, usage);
  const bindings = {
    topkIds: bindingOf(device, "topkIds", topkIds, idBytes, storage),
    physicalIds: bindingOf(device, "physicalIds", physicalIds, idBytes, storage),
    "rankCounts.counts": rankCounts && bindingOf(device, "rankCounts.counts", rankCounts.counts, countBytes, storage),
    "rankCounts.before": rankCounts && bindingOf(device, "rankCounts.before", rankCounts.before, countBytes, storage),
    baseLoad: wanted("baseLoad", baseLoad, layers * gpus * WORD, storage),
    shares: wanted("shares", shares, countBytes * width, storage),
    quota: wanted("quota", quota, quotaBytes, copyTarget),
    outOfRange: wanted("outOfRange", outOfRange, layers * WORD, copyTarget),
    unserved: wanted("unserved", unserved, layers * WORD, copyTarget),
    proof: wanted("proof", proof, layers * proofWords(gpus) * WORD, copyTarget),
  };
  requireDistinct("physicalIds", bindings.physicalIds, "topkIds", bindings.topkIds);
  requireDistinct("shares", bindings.shares, "rankCounts.counts", bindings["rankCounts.counts"]);
  // Late, it is read when these are written already.
  requireDistinct("physicalIds", bindings.physicalIds, "baseLoad", bindings.baseLoad);
  requireDistinct("shares", bindings.shares, "baseLoad", bindings.baseLoad);
  return { assignments, bindings };
}
