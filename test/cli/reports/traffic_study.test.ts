/** Where recorded ids go, against token by token counts from the placements, the quotas of the API and the distances alone. */
import { describe, expect, test } from "vitest";
import { readTopk } from "../../../src/cli/files/read_files.ts";
import type { TopkHistory } from "../../../src/cli/files/topk_file.ts";
import type { Sent } from "../../../src/cli/reports/batch_traffic.ts";
import { studyTraffic, type TrafficStudy, trafficWays } from "../../../src/cli/reports/traffic_study.ts";
import { seeded } from "../../../src/common/random.ts";
import { measureImbalance, Placement, solveLoadBalanceLP } from "../../../src/index.ts";
import { checkDistance } from "../../../src/placement/distance.ts";
import { randomIds } from "../../helpers/batches.ts";
import { ownFiles } from "../own_files.ts";

const [gpus, experts, topK, layers] = [6, 12, 3, 2];
const random = seeded(3);
const placements = [0, 1].map(() =>
  Placement.fromPhysicalToLogical(random.shuffle([...Array.from({ length: 24 }, (_, p) => p % experts)]), { gpus }),
);
/** Steps of different numbers of tokens, none of them in one, with padding and ids that are no expert. */
const tokensOf = [40, 1, 0, 77, 25];
const idsOf = tokensOf.map((tokens) => randomIds(random, layers, tokens * topK, experts, 0.1));
const history: TopkHistory = {
  ...{ source: "test", steps: tokensOf.length, layers, topK, maxTokens: 77, largestId: experts - 1 },
  idsOf: (step) => idsOf[step],
};
const measured = [
  [0, 1, 3],
  [3, 4],
];
const far = (s: number, g: number) => (s === g ? 0 : Math.floor(s / 3) === Math.floor(g / 3) ? 1 : 9);

const study = (
  given: TopkHistory,
  active?: Uint8Array,
  distance = checkDistance({ nodes: 2 }, gpus)!,
): Promise<TrafficStudy> =>
  studyTraffic(
    given,
    { placements, placedBy: "", active, measured, dropped: { batches: 0, steps: 0 } },
    distance,
    () => {},
    new AbortController().signal,
  );

/** Of one batch: [T][k] experts. */
function batchOf(step: number, layer: number): number[][] {
  const tokens = tokensOf[step];
  const own = idsOf[step].slice(layer * tokens * topK, (layer + 1) * tokens * topK);
  return Array.from({ length: tokens }, (_, t) => [...own.slice(t * topK, (t + 1) * topK)]);
}

/** What becomes of a batch whose assignments are given one by one: (token, source, gpu). */
function counted(assignments: [token: number, source: number, gpu: number][], living: number): Sent {
  const sent = { ownGpu: 0, ownNode: 0, otherNodes: 0, tokenNodePairs: 0, otherNodePairs: 0, imbalance: 1 };
  const pairs = new Map<string, boolean>();
  const load = new Array<number>(gpus).fill(0);
  for (const [t, s, g] of assignments) {
    const where = far(s, g);
    sent[where === 0 ? "ownGpu" : where === 1 ? "ownNode" : "otherNodes"]++;
    pairs.set(`${t} ${Math.floor(g / 3)}`, where === 9);
    load[g]++;
  }
  sent.tokenNodePairs = pairs.size;
  sent.otherNodePairs = [...pairs.values()].filter(Boolean).length;
  if (assignments.length > 0) sent.imbalance = Math.max(...load) / (assignments.length / living);
  return sent;
}

/** The two ways that know the sources, from `solve`'s quotas and from distances alone. */
async function byHand(step: number, l: number, sourceOf: (t: number) => number, active?: Uint8Array) {
  const placement = placements[l];
  const { gpuOf, physicalToLogical } = placement;
  const batch = batchOf(step, l);
  const sourceLoad = Array.from({ length: gpus }, () => new Array<number>(experts).fill(0));
  for (const [t, row] of batch.entries()) for (const e of row) if (e >= 0 && e < experts) sourceLoad[sourceOf(t)][e]++;
  const problem = { placement, sourceLoad: sourceLoad.flat(), nodes: 2, active };
  const { sourceQuota, traffic } = await solveLoadBalanceLP(problem, { backend: "cpu" });
  const living = active ? active.filter((alive) => alive === 1).length : gpus;
  const slotsOf = (e: number) =>
    [...physicalToLogical.keys()].filter((p) => physicalToLogical[p] === e && active?.[gpuOf[p]] !== 0);
  const left = [...sourceQuota!];
  const least: [number, number, number][] = [];
  let shortest = 0;
  for (const [t, row] of batch.entries()) {
    const s = sourceOf(t);
    for (const e of row.filter((id) => id >= 0 && id < experts && slotsOf(id).length > 0)) {
      const slot = slotsOf(e).find((p) => left[s * 24 + p]-- > 0)!;
      for (const p of slotsOf(e)) if (left[s * 24 + p] < 0) left[s * 24 + p] = 0;
      least.push([t, s, gpuOf[slot]]);
      shortest += Math.min(...slotsOf(e).map((p) => far(s, gpuOf[p])));
    }
  }
  return { least: counted(least, living), traffic: traffic![0], shortest };
}

const sum = (all: readonly Sent[], name: keyof Sent) => all.reduce((total, one) => total + one[name], 0);
const costOf = ({ ownNode, otherNodes }: Pick<Sent, "ownNode" | "otherNodes">) => ownNode + 9 * otherNodes;
const dealt = (step: number) => (t: number) => Math.floor((t * gpus) / tokensOf[step]);

describe.each([
  ["all GPUs", undefined],
  ["two of them dead", Uint8Array.of(1, 1, 0, 1, 0, 1)],
])("%s", (_, active) => {
  test("by position as measureImbalance counts, by source as solve has it, nearest as the distances are", async () => {
    const found = await study(history, active);
    for (let l = 0; l < layers; l++) {
      const ways = { even: [] as Sent[], balanced: [] as Sent[], least: [] as Sent[] };
      let [traffic, shortest] = [0, 0];
      for (const step of measured[l]) {
        const topkIds = batchOf(step, l).flat();
        const expertLoad = Array.from({ length: experts }, (_, e) => topkIds.filter((id) => id === e).length);
        const { quota } = await solveLoadBalanceLP(
          { placement: placements[l], expertLoad, active },
          { backend: "cpu" },
        );
        for (const [way, given] of Object.entries({ even: {}, balanced: { quota } })) {
          const input = { placement: placements[l], active, topkIds, topK, nodes: 2, ...given };
          const { traffic, imbalance } = await measureImbalance(input, { backend: "cpu" });
          const places = Object.fromEntries(Object.entries(traffic!).map(([name, values]) => [name, values[0]]));
          ways[way as "even" | "balanced"].push({ ...places, imbalance: imbalance[0] } as Sent);
        }
        const own = await byHand(step, l, dealt(step), active);
        ways.least.push(own.least);
        traffic += own.traffic;
        shortest += own.shortest;
      }
      for (const [way, all] of Object.entries(ways)) {
        const { imbalance, ...sums } = found.layers[l][way as keyof typeof ways];
        expect(sums, way).toEqual(
          Object.fromEntries(Object.keys(sums).map((name) => [name, sum(all, name as keyof Sent)])),
        );
        expect(imbalance).toBeCloseTo(sum(all, "imbalance") / all.length, 12);
      }
      expect(costOf(found.layers[l].least)).toBe(traffic);
      expect(costOf(found.layers[l].nearest)).toBe(shortest);
      expect(found.layers[l].least.imbalance).toBeCloseTo(found.layers[l].balanced.imbalance, 12);
    }
    for (const way of trafficWays) {
      expect(found.ways[way].ownGpu).toBe(found.layers[0][way].ownGpu + found.layers[1][way].ownGpu);
    }
    expect(found).toMatchObject({ batches: 5, optimal: 5, sources: gpus, nodes: 2, sourcesBy: "order" });
  });

  test("the curve begins with the least traffic, and each slack buys no more of it", async () => {
    const { curve, ways } = await study(history, active);
    expect(curve.batches).toBe(5);
    expect(curve.points.map(({ slack }) => slack)).toEqual([0, 0.01, 0.02, 0.05, 0.1, 0.2]);
    const { tokenNodePairs: _, otherNodePairs: __, ...least } = ways.least;
    expect(curve.points[0]).toEqual({ slack: 0, ...least });
    for (const [i, point] of curve.points.entries()) {
      expect(point.imbalance).toBeLessThanOrEqual((1 + point.slack) * ways.least.imbalance + 1e-9);
      if (i > 0) expect(costOf(point)).toBeLessThanOrEqual(costOf(curve.points[i - 1]));
      expect(costOf(point)).toBeGreaterThanOrEqual(costOf(ways.nearest));
    }
    expect(costOf(curve.points[5])).toBeLessThan(costOf(curve.points[0]));
  });
});

test("tokens with an expert are counted, and ids that are none go nowhere", async () => {
  const { tokens, ways } = await study(history);
  const all = measured.flatMap((own, l) => own.flatMap((step) => batchOf(step, l)));
  const good = (row: number[]) => row.filter((id) => id >= 0 && id < experts);
  expect(tokens).toBe(all.filter((row) => good(row).length > 0).length);
  for (const way of trafficWays) {
    const { ownGpu, ownNode, otherNodes } = ways[way];
    expect(ownGpu + ownNode + otherNodes).toBe(all.flatMap(good).length);
  }
});

test("the curve of many steps is of some of them, evenly spaced", async () => {
  const many = { ...history, steps: 70, idsOf: (step: number) => idsOf[step % 2] };
  const steps = Array.from({ length: 70 }, (_, step) => step);
  const placed = {
    placements,
    placedBy: "",
    active: undefined,
    measured: [steps, []],
    dropped: { batches: 0, steps: 0 },
  };
  const distance = checkDistance({ nodes: 2 }, gpus)!;
  const done: number[] = [];
  const found = await studyTraffic(many, placed, distance, (share) => done.push(share), new AbortController().signal);
  expect([found.batches, found.curve.batches]).toEqual([70, 32]);
  expect(found.layers[1].least).toMatchObject({ ownGpu: 0, imbalance: 1 });
  expect([done.length, done.at(-1)]).toEqual([70, 1]);
});

test("SGLang's ranks are the sources of what they recorded, where there are as many", async () => {
  const { file } = ownFiles();
  const slots = [0, 1, 2, 3, 4, 5, 0, 1];
  const row = (...ids: number[]) => ids.map((id) => [id]);
  // Rank 2 comes first in the file, and rank 0 has most of the tokens.
  const records = [
    { forward_pass_id: 7, rank: 2, topk_ids_of_layer: [row(4)] },
    { forward_pass_id: 7, rank: 0, topk_ids_of_layer: [row(0, 1, 0, 1, 6)] },
    { forward_pass_id: 7, rank: 3, topk_ids_of_layer: [row(2, 3)] },
    { forward_pass_id: 7, rank: 1, topk_ids_of_layer: [row(5)] },
  ];
  const recorded = await readTopk(file({ records, last_physical_to_logical_map: [slots] }));
  expect(recorded.tokensOfRanks?.(0)).toEqual([5, 1, 1, 2]);
  expect([...recorded.idsOf(0)]).toEqual([0, 1, 0, 1, 0, 5, 4, 2, 3]);
  const placement = Placement.fromPhysicalToLogical(slots, { gpus: 4 });
  const placed = {
    placements: [placement],
    placedBy: "",
    active: undefined,
    measured: [[0]],
    dropped: { batches: 0, steps: 0 },
  };
  const run = (nodes: number, distance?: number[]) =>
    studyTraffic(
      recorded,
      placed,
      checkDistance(distance ? { distance } : { nodes }, 4)!,
      () => {},
      new AbortController().signal,
    );
  const ranked = await run(2);
  expect(ranked.sourcesBy).toBe("rank");
  // The nearest: rank 0 has experts 0 and 1, 1 has none of 5 (GPU 2), 2 has 4, 3 has 2 and 3 on the other node.
  expect(ranked.ways.nearest).toMatchObject({ ownGpu: 6, ownNode: 0, otherNodes: 3 });
  expect((await run(0, [0, 1, 9, 9, 9, 9, 1, 0])).sourcesBy).toBe("order"); // two hosts
});

test("it stops when it is told to, between two batches", async () => {
  const stop = new AbortController();
  const placed = { placements, placedBy: "", active: undefined, measured, dropped: { batches: 0, steps: 0 } };
  const distance = checkDistance({ nodes: 2 }, gpus)!;
  const studied = studyTraffic(history, placed, distance, () => stop.abort(), stop.signal);
  await expect(studied).rejects.toThrow(/abort/i);
});
