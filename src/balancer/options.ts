import { ArgumentError, ShapeError } from "../common/errors.ts";
import { MAX_TOKENS } from "../common/numbers.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";
import { checkSpeed } from "../lp/problem.ts";
import { type backends, checkBackend } from "../lp/solver_options.ts";
import { type Curve, checkCost } from "../lp/time/expert_cost.ts";
import { type Topology, topologyOfPlacement } from "../lp/topology.ts";
import { checkActive } from "../placement/active.ts";
import { checkDistance, type Distance, LOADS_ALONE } from "../placement/distance.ts";
import { isPlacementLike, Placement, sameSizes } from "../placement/placement.ts";
import { copyBaseLoad, type GivenBaseLoad } from "./base_load.ts";
import { MAX_EXPERTS } from "./kernels/balance_params.ts";
import { type Living, livingOf } from "./living.ts";
import { checkRank } from "./rank_counts.ts";
import type { CheckedBatch } from "./result.ts";
import { type TopkIds, toIds } from "./topk_ids.ts";
import { count } from "./twins/count.ts";
import { type BalancerOptions, balancerKernels, type RankCounts, type RankLoads } from "./types.ts";

export interface CheckedOptions extends Omit<BalancerOptions, "baseLoad" | "cost" | "distance"> {
  backend: (typeof backends)[number];
  layers: number;
  skipBelow: number;
  late: boolean;
  placements: readonly Placement[];
  /** Of all GPUs, dead ones too. */
  topologies: readonly Topology[];
  /** [G] */
  speeds: Float64Array;
  cost: Curve | undefined;
  distance: Distance | undefined;
  baseLoad: GivenBaseLoad | undefined;
  living: Living;
}

const balancerFields = {
  ...{ placement: true, topK: true, maxTokens: true, layers: true, backend: true, kernel: true, device: true },
  ...{
    adapter: true,
    speed: true,
    active: true,
    cost: true,
    baseLoad: true,
    skipBelow: true,
    late: true,
    recover: true,
    timestamps: true,
    distance: true,
    nodes: true,
  },
} satisfies FieldsOf<BalancerOptions>;

/** Checks everything about a balancer that can be checked before there is a device. */
export function checkOptions(options: BalancerOptions): CheckedOptions {
  requireObject("options", options, balancerFields);
  const { placement, topK, maxTokens, skipBelow = 0, late = false } = options;
  const given = isPlacementLike(placement) ? [placement] : placement;
  if (!Array.isArray(given) || given.length === 0) {
    throw new ArgumentError("placement", "a Placement, or one per layer", placement);
  }
  const layers = requireCount("layers", options.layers === undefined ? given.length : options.layers);
  if (given.length !== 1 && given.length !== layers) {
    throw new ShapeError("placement", `one for all layers, or layers = ${layers}`, given.length);
  }
  const placements = given === placement ? sameSizes("placement", given) : [Placement.of("placement", given[0])];
  if (placements[0].logicalExperts > MAX_EXPERTS) {
    throw new ShapeError("placement.logicalExperts", `at most ${MAX_EXPERTS}`, placements[0].logicalExperts);
  }
  requireCount("topK", topK);
  requireCount("maxTokens", maxTokens);
  if (maxTokens * topK > MAX_TOKENS) {
    throw new ArgumentError("maxTokens", `at most ${Math.floor(MAX_TOKENS / topK)} with topK = ${topK}`, maxTokens);
  }
  const backend = checkBackend(options);
  if (options.kernel !== undefined && !balancerKernels.includes(options.kernel)) {
    throw new ArgumentError("kernel", `"auto" or "simd"`, options.kernel);
  }
  if (options.kernel === "simd" && backend === "webgpu") {
    throw new ArgumentError("kernel", `"auto", since backend is "webgpu"`, options.kernel);
  }
  if (typeof skipBelow !== "number" || !(skipBelow >= 0 && skipBelow < Infinity)) {
    throw new ArgumentError("skipBelow", "a finite number >= 0", skipBelow);
  }
  for (const name of ["late", "recover", "timestamps"] as const) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "boolean") throw new ArgumentError(name, "true or false", value);
  }
  if (late && skipBelow > 0) {
    throw new ArgumentError("skipBelow", "0 where late is true", skipBelow, "A late balancer never waits for a solve.");
  }
  const cost = options.cost === undefined ? undefined : checkCost(options.cost);
  if (cost && options.kernel === "simd") {
    throw new ArgumentError("kernel", `"auto" with a cost`, options.kernel, "Its program balances tokens.");
  }
  const { gpus } = placements[0];
  const distance = checkDistance(options, gpus);
  if (cost && distance) throw new ArgumentError("cost", "none with distances", cost, LOADS_ALONE);
  const speeds = checkSpeed(options.speed, gpus);
  const topologies = placements.map((one) => topologyOfPlacement(one, speeds, undefined, cost));
  const baseLoad = copyBaseLoad("baseLoad", options.baseLoad, layers, gpus, cost !== undefined);
  const living = livingOf(placements, speeds, checkActive(options.active, gpus), baseLoad, cost, distance);
  return {
    ...{
      ...options,
      backend,
      layers,
      skipBelow,
      late,
      placements,
      topologies,
      speeds,
      cost,
      distance,
      baseLoad,
      living,
    },
  };
}

function requireCount(argument: string, value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_TOKENS) return value;
  throw new ArgumentError(argument, "an integer >= 1", value);
}

/** Checks the ids of a call, and returns them as `toIds`. */
export function checkIds(topkIds: TopkIds, { layers, topK, maxTokens }: CheckedOptions): Int32Array | Uint32Array {
  const ids = toIds(topkIds);
  const tokens = ids.length / (layers * topK);
  if (!Number.isInteger(tokens)) {
    throw new ShapeError("topkIds", `a multiple of L * k = ${layers} * ${topK} = ${layers * topK} ids`, ids.length);
  }
  if (tokens > maxTokens) throw new ShapeError("topkIds", `at most maxTokens = ${maxTokens} tokens`, tokens);
  return ids;
}

/** Checks the T of an encoding, and returns it. */
export function checkTokens(tokens: unknown, { maxTokens }: CheckedOptions): number {
  if (typeof tokens === "number" && Number.isInteger(tokens) && tokens >= 0 && tokens <= maxTokens) return tokens;
  throw new ArgumentError("tokens", `an integer from 0 to maxTokens = ${maxTokens}`, tokens);
}

/** [L, E] tokens per expert of checked ids. */
export function countOf(ids: Int32Array | Uint32Array, { layers, placements }: CheckedOptions): Int32Array {
  return count(ids, layers, placements[0].logicalExperts).counts;
}

export const rankFields = { counts: true, before: true, rank: true, bySource: true } satisfies FieldsOf<RankCounts>;
const rankLoadFields = { ...rankFields, baseLoad: true } satisfies FieldsOf<RankLoads>;

/** A batch whose base loads, if it has its own, wait until its turn: who is alive then is not known yet. */
export type GivenBatch = Omit<CheckedBatch, "baseLoad"> & { baseLoad: GivenBaseLoad | undefined };

/** Checks a call, and copies all of it. */
export function checkBatch(topkIds: TopkIds, told: RankLoads | undefined, options: CheckedOptions): GivenBatch {
  const checked = checkIds(topkIds, options);
  const ids = checked === topkIds ? checked.slice() : checked;
  if (told === undefined) return { ids, baseLoad: undefined };
  requireObject("rank", told, rankLoadFields);
  // Counts that came to undefined are refused: a rank that is taken for the only one would not meet the others' quotas.
  const several = Object.keys(rankFields).some((name) => name in told);
  const { layers, placements, cost, distance } = options;
  const { gpus, logicalExperts: experts } = placements[0];
  const rank = several ? checkRank(told, countOf(ids, options), { layers, experts, distance }) : undefined;
  return { ids, rank, baseLoad: copyBaseLoad("rank.baseLoad", told.baseLoad, layers, gpus, cost !== undefined) };
}
