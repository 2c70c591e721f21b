/** What distances say of recorded ids: where assignments go from their tokens' sources, and what less traffic costs in balance. */
import { dealtTo } from "../../balancer/sources.ts";
import type { ReplicaLoads } from "../../lp/problem.ts";
import type { ReplicaSolution } from "../../lp/solution.ts";
import { createSolver, type Solver } from "../../lp/solver.ts";
import type { Distance } from "../../placement/distance.ts";
import { livingSlots } from "../../placement/living_slots.ts";
import type { TopkHistory } from "../files/topk_file.ts";
import { pause } from "../interruption.ts";
import { type Places, placesOf, totalOf } from "./assignment_places.ts";
import {
  type LayerSources,
  type Sent,
  type SourcedBatch,
  sentByPosition,
  sentBySource,
  sourceLoadOf,
} from "./batch_traffic.ts";
import { evenQuota, livingGpus, ratio } from "./split_imbalance.ts";
import { evenly, type Placed, unionOf } from "./step_split.ts";

/**
 * Equal parts for all slots of an expert, and the balanced quotas, both filled by position; the least traffic of all splits that are as balanced; and
 * every token to the nearest replica, whatever the load.
 */
export const trafficWays = ["even", "balanced", "least", "nearest"] as const;
export type TrafficWay = (typeof trafficWays)[number];

export interface CurvePoint extends Places {
  /** GPUs may be loaded up to (1 + slack) times the least. */
  slack: number;
  /** Mean over the batches, as it became. */
  imbalance: number;
}

/** What `--nodes` or `--distance` adds to a report. */
export interface TrafficStudy {
  /** S, and the nodes of the GPUs. */
  sources: number;
  nodes: number;
  /** Which of a token is the source: the rank that recorded it, or the sources have equally many tokens each, in order. */
  sourcesBy: "rank" | "order";
  /** Steps of a layer that were measured. */
  batches: number;
  /** Of these, those whose traffic is proven to be the least of all splits with the least load, which is proven, too. */
  optimal: number;
  /** Tokens of all batches. */
  tokens: number;
  /** Sums over the batches, and their mean imbalance; */
  ways: Record<TrafficWay, Sent>;
  /** of each layer [L]. */
  layers: Record<TrafficWay, Sent>[];
  /** In `batches` batches, all of them or some of evenly spaced steps. */
  curve: { batches: number; points: CurvePoint[] };
}

/** Of the curve, besides 0. */
const SLACKS = [0.01, 0.02, 0.05, 0.1, 0.2];
/** Of each layer: each is solved with every slack. */
const CURVE_STEPS = 32;

/**
 * Measures step by step, layer by layer: no more than a step's ids are held.
 *
 * @param onProgress  Called with the share of the work that is done, 0 to 1.
 */
export async function studyTraffic(
  history: TopkHistory,
  { placements, active, measured }: Placed,
  distance: Distance,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<TrafficStudy> {
  const layers: LayerTraffic[] = [];
  for (const [l, placement] of placements.entries()) {
    await pause(signal);
    const solver = await createSolver(placement, { backend: "cpu", active, ...distance.given });
    const own = { distance, slots: livingSlots(placement, active), living: livingGpus(placement.gpus, active).length };
    const drawn = new Set(evenly(0, measured[l].length, CURVE_STEPS).map((i) => measured[l][i]));
    layers.push(new LayerTraffic(own, solver, new Set(measured[l]), drawn));
  }
  const steps = unionOf(measured);
  let byRank = steps.length > 0;
  for (const [i, step] of steps.entries()) {
    const ids = history.idsOf(step);
    const perLayer = ids.length / history.layers;
    const { sourceOf, ranked } = sourcesOf(history, step, perLayer / history.topK, distance.sources);
    byRank &&= ranked;
    for (const [l, layer] of layers.entries()) {
      if (!layer.measured.has(step)) continue;
      await pause(signal);
      const own = ids.slice(l * perLayer, (l + 1) * perLayer);
      await layer.add(step, { ids: own, topK: history.topK, sourceOf }, signal);
    }
    onProgress((i + 1) / steps.length);
  }
  for (const { solver } of layers) solver.destroy();
  return { ...summaryOf(layers, distance), sourcesBy: byRank ? "rank" : "order" };
}

/** Whose the tokens of a step are: the ranks' that recorded them, if there are as many as sources, else dealt in order. */
function sourcesOf(history: TopkHistory, step: number, tokens: number, sources: number) {
  const ranks = history.tokensOfRanks?.(step);
  if (ranks?.length !== sources) return { sourceOf: (t: number) => dealtTo(t, tokens, sources), ranked: false };
  const ofToken = new Int32Array(tokens);
  let first = 0;
  for (const [rank, own] of ranks.entries()) {
    ofToken.fill(rank, first, first + own);
    first += own;
  }
  return { sourceOf: (t: number) => ofToken[t], ranked: true };
}

/** The batches of a layer, added up. */
class LayerTraffic {
  batches = 0;
  optimal = 0;
  tokens = 0;
  /** Sums, of imbalances, too. */
  readonly ways = ofWays(nothing);
  curveBatches = 0;
  readonly curve = curveOf();

  /** @param measured  steps that are looked at, @param drawn  and those of the curve. */
  constructor(
    private readonly own: LayerSources,
    readonly solver: Solver<ReplicaLoads, ReplicaSolution>,
    readonly measured: ReadonlySet<number>,
    private readonly drawn: ReadonlySet<number>,
  ) {}

  async add(step: number, { ids, topK, sourceOf }: SourcedBatch, signal: AbortSignal): Promise<void> {
    const { own, solver } = this;
    const { distance, slots } = own;
    const experts = slots.logicalExperts;
    for (let i = 0; i < ids.length; i++) if (ids[i] >= experts) ids[i] = -1;
    const batch = { ids, topK, sourceOf };
    const { sourceLoad, tokens } = sourceLoadOf(batch, distance.sources, experts);
    const expertLoad = new Float64Array(experts);
    for (const [i, some] of sourceLoad.entries()) expertLoad[i % experts] += some;
    const balanced = await solver.solve({ expertLoad }, { signal });
    const least = await solver.solve({ sourceLoad }, { signal });
    // Beyond as many times the least load as there are GPUs nothing binds.
    const nearest = await solver.solve({ sourceLoad }, { slack: slots.gpus, signal });
    this.batches++;
    this.tokens += tokens;
    if (least.status[0] === "optimal" && least.traffic![0] === least.trafficBound![0]) this.optimal++;
    addTo(this.ways.even, sentByPosition(own, batch, evenQuota(slots, expertLoad)));
    addTo(this.ways.balanced, sentByPosition(own, batch, balanced.quota));
    addTo(this.ways.least, sentBySource(own, batch, least.sourceQuota!));
    addTo(this.ways.nearest, sentBySource(own, batch, nearest.sourceQuota!));
    if (this.drawn.has(step)) await this.addToCurve(sourceLoad, least, signal);
  }

  private async addToCurve(sourceLoad: Int32Array, least: ReplicaSolution, signal: AbortSignal): Promise<void> {
    const { own, solver, curve } = this;
    this.curveBatches++;
    for (const point of curve) {
      const { slack } = point;
      const { sourceQuota, maxLoad } = slack === 0 ? least : await solver.solve({ sourceLoad }, { slack, signal });
      const places = placesOf(own.distance, own.slots.gpuOf, sourceQuota!);
      addTo(point, { ...places, imbalance: ratio(maxLoad[0], totalOf(places) / own.living) });
    }
  }
}

export function ofWays<T>(value: (way: TrafficWay) => T): Record<TrafficWay, T> {
  return { even: value("even"), balanced: value("balanced"), least: value("least"), nearest: value("nearest") };
}

function nothing(): Sent {
  return { ownGpu: 0, ownNode: 0, otherNodes: 0, tokenNodePairs: 0, otherNodePairs: 0, imbalance: 0 };
}

function curveOf(): CurvePoint[] {
  return [0, ...SLACKS].map((slack) => ({ slack, ownGpu: 0, ownNode: 0, otherNodes: 0, imbalance: 0 }));
}

function addTo(sum: Partial<Sent>, one: Partial<Sent>): void {
  for (const name of Object.keys(one) as (keyof Sent)[]) sum[name] = (sum[name] ?? 0) + (one[name] ?? 0);
}

/** Mean imbalances of sums; of none it is 1, as nothing to do is done at once. */
function meanOf<T extends { imbalance: number }>(sum: T, batches: number): T {
  return { ...sum, imbalance: batches === 0 ? 1 : sum.imbalance / batches };
}

function summaryOf(layers: readonly LayerTraffic[], { sources, nodeOf }: Distance): Omit<TrafficStudy, "sourcesBy"> {
  const total = (name: "batches" | "optimal" | "tokens" | "curveBatches") =>
    layers.reduce((sum, layer) => sum + layer[name], 0);
  const all = ofWays(nothing);
  const points = curveOf();
  for (const { ways, curve } of layers) {
    for (const way of trafficWays) addTo(all[way], ways[way]);
    for (const [i, { slack: _, ...sums }] of curve.entries()) addTo(points[i], sums);
  }
  const [batches, curveBatches] = [total("batches"), total("curveBatches")];
  return {
    ...{ sources, nodes: new Set(nodeOf).size, batches, optimal: total("optimal"), tokens: total("tokens") },
    ways: ofWays((way) => meanOf(all[way], batches)),
    layers: layers.map((layer) => ofWays((way) => meanOf(layer.ways[way], layer.batches))),
    curve: { batches: curveBatches, points: points.map((point) => meanOf(point, curveBatches)) },
  };
}
