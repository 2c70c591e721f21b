/** Where assignments go, in `measureImbalance`: counted anew by hand, token by token. */
import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import {
  ArgumentError,
  createBalancer,
  type ImbalanceInput,
  LoadError,
  type MeasuredImbalance,
  measureImbalance,
  Placement,
  ShapeError,
  type TrafficReport,
} from "../../src/index.ts";
import { layerPlacements, randomIds, unevenPlacements } from "../helpers/batches.ts";

interface Case {
  placements: readonly Placement[];
  layers: number;
  ids: Int32Array;
  topK: number;
  /** Of token t, */
  sourceOf: (t: number) => number;
  /** and from where to where: 0, 1 or 2. */
  place: (source: number, gpu: number) => number;
  nodeOf: (gpu: number) => number;
  alive?: readonly number[];
  /** [L][P]; evenly without it. */
  quota?: readonly (readonly number[])[];
}

/** The i-th token of an expert goes to the first slot whose quota, with those before it, is above i. */
function byHand({ placements, layers, ids, topK, sourceOf, place, nodeOf, alive, quota }: Case) {
  const perLayer = ids.length / layers;
  const rows = Array.from({ length: layers }, (_, l) => {
    const { physicalToLogical, gpuOf } = placements[l % placements.length];
    const slotsOf = (e: number) =>
      [...physicalToLogical.keys()].filter((p) => physicalToLogical[p] === e && (alive?.[gpuOf[p]] ?? 1) === 1);
    const own = [...ids.slice(l * perLayer, (l + 1) * perLayer)];
    const at = [0, 0, 0];
    const pairs = new Map<string, number>();
    const passed = new Map<number, number>();
    for (const [i, e] of own.entries()) {
      const slots = e < 0 ? [] : slotsOf(e);
      if (slots.length === 0) continue;
      const all = own.filter((id) => id === e).length;
      const order = passed.get(e) ?? 0;
      passed.set(e, order + 1);
      const ends = slots.map((_, j) =>
        quota
          ? slots.slice(0, j + 1).reduce((sum, p) => sum + quota[l][p], 0)
          : Math.floor((all * (j + 1)) / slots.length),
      );
      const t = Math.floor(i / topK);
      const gpu = gpuOf[slots[ends.findIndex((end) => end > order)]];
      const where = place(sourceOf(t), gpu);
      at[where]++;
      const pair = `${t} ${nodeOf(gpu)}`;
      pairs.set(pair, Math.min(pairs.get(pair) ?? 2, where));
    }
    return { at, pairs: pairs.size, far: [...pairs.values()].filter((where) => where === 2).length };
  });
  return {
    ...{ ownGpu: rows.map(({ at }) => at[0]), ownNode: rows.map(({ at }) => at[1]) },
    ...{ otherNodes: rows.map(({ at }) => at[2]), tokenNodePairs: rows.map(({ pairs }) => pairs) },
    otherNodePairs: rows.map(({ far }) => far),
  };
}

const inLists = (traffic: TrafficReport | undefined) =>
  Object.fromEntries(Object.entries(traffic!).map(([name, values]) => [name, [...values]]));

/** Of equal nodes of so many GPUs. */
const nodesOf = (perNode: number): Pick<Case, "place" | "nodeOf"> => {
  const nodeOf = (g: number) => Math.floor(g / perNode);
  return { nodeOf, place: (s, g) => (s === g ? 0 : nodeOf(s) === nodeOf(g) ? 1 : 2) };
};

const without = ({ traffic: _, ...rest }: MeasuredImbalance) => rest;

describe.each(["webgpu", "cpu"] as const)("on %s", (backend) => {
  test.each([
    [8, 2, 3, 61], // tokens that the sources do not divide
    [8, 4, 1, 7], // fewer tokens than sources
    [6, 3, 4, 300],
    [8, 2, 2, 0],
  ])(
    "%i GPUs in %i nodes, %i layers, %i tokens: a placement per layer, odd ids",
    async (gpus, nodes, layers, tokens) => {
      const random = seeded(gpus + tokens);
      const [experts, topK] = [24, 4];
      const even = layerPlacements(random, layers, experts, gpus);
      const uneven = unevenPlacements(random, layers, experts, gpus, even[0].physicalExperts);
      for (const placements of [even, uneven]) {
        const ids = randomIds(random, layers, tokens * topK, experts, 0.15);
        const input = { placement: placements, topkIds: ids, topK };
        const expected = byHand({
          ...{ placements, layers, topK, ...nodesOf(gpus / nodes) },
          ids: ids.map((id) => (id < experts ? id : -1)),
          sourceOf: (t) => Math.floor((t * gpus) / tokens),
        });
        const found = await measureImbalance({ ...input, nodes }, { backend });
        expect(inLists(found.traffic)).toEqual(expected);
        expect(without(found)).toEqual(await measureImbalance(input, { backend }));
        expect("traffic" in (await measureImbalance(input, { backend }))).toBe(false);
      }
    },
  );

  test("sources and distances of one's own: 3 hosts, 4 GPUs; dead GPUs get nothing, and lost experts go nowhere", async () => {
    const random = seeded(7);
    const placements = layerPlacements(random, 2, 12, 4);
    const [topK, tokens] = [2, 100];
    const ids = randomIds(random, 2, tokens * topK, 12, 0);
    const distance = [
      [0, 1, 5, 5],
      [5, 5, 0.5, 0],
      [2, 2, 2, 2],
    ];
    const tokenSource = Array.from({ length: tokens }, () => random.below(3));
    const active = [1, 0, 1, 1];
    const measured = await measureImbalance(
      { placement: placements, topkIds: ids, topK, distance, tokenSource, active },
      { backend },
    );
    const known = {
      ...{ placements, layers: 2, ids, topK, alive: active, sourceOf: (t: number) => tokenSource[t] },
      place: (s: number, g: number) => (distance[s][g] > 1 ? 2 : distance[s][g] > 0 ? 1 : 0),
      nodeOf: (g: number) => (g < 2 ? 0 : 1),
    };
    const expected = byHand(known);
    expect(inLists(measured.traffic)).toEqual(expected);
    const everybody = byHand({ ...known, alive: undefined });
    const sent = ({ ownGpu, ownNode, otherNodes }: typeof expected) => ownGpu[0] + ownNode[0] + otherNodes[0];
    expect(sent(expected)).toBeLessThan(sent(everybody)); // there are lost experts
    const distances = distance.flat();
    const given = { placement: placements, topkIds: [...ids], topK, active, tokenSource: Uint8Array.from(tokenSource) };
    expect(await measureImbalance({ ...given, distance: distances }, { backend })).toEqual(measured);
  });

  test("with quotas, or shares, as the balancer without distances hands tokens out", async () => {
    const random = seeded(8);
    const placement = layerPlacements(random, 3, 24, 8);
    const topkIds = randomIds(random, 3, 2 * 150, 24, 0);
    const balancer = await createBalancer({ placement, topK: 2, maxTokens: 150, backend: "cpu" });
    const balanced = await balancer.balance(topkIds);
    const slots = placement[0].physicalExperts;
    const quota = [0, 1, 2].map((l) => [...balanced.quota.slice(l * slots, (l + 1) * slots)]);
    const input = { placement, topkIds, topK: 2, nodes: 2 };
    const found = await measureImbalance({ ...input, quota }, { backend });
    const sourceOf = (t: number) => Math.floor((t * 8) / 150);
    const known = { placements: placement, layers: 3, ids: topkIds, topK: 2, sourceOf, ...nodesOf(4) };
    expect(inLists(found.traffic)).toEqual(byHand({ ...known, quota }));
    const shared = await measureImbalance({ ...input, shares: balanced.shares() }, { backend });
    expect(shared.traffic).toEqual(found.traffic);
    expect(found.traffic).not.toEqual((await measureImbalance(input, { backend })).traffic);
  });
});

test("one placement for several layers, ids of torch, and a batch that changes once it is given", async () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });
  const topkIds = BigInt64Array.of(0n, 1n, 1n, 2n, 1n, 2n, 0n, 1n, 0n, -1n, 2n, 7n);
  const input = { placement, topkIds, topK: 2, layers: 2, nodes: 2 };
  const measuring = measureImbalance(input, { backend: "cpu" });
  topkIds.fill(0n);
  const { traffic, outOfRange } = await measuring;
  // Tokens 0 and 1 are GPU 0's, token 2 is GPU 1's. Of layer 0's three ids of expert 1 the first goes to GPU 0; layer 1's only one to GPU 1.
  expect(inLists(traffic)).toEqual({
    ...{ ownGpu: [4, 3], ownNode: [0, 0], otherNodes: [2, 1], tokenNodePairs: [3, 4], otherNodePairs: [1, 1] },
  });
  expect([...outOfRange]).toEqual([0, 1]);
});

describe("bad input names itself", () => {
  const placement = Placement.fromPhysicalToLogical([0, 1, 1, 2], { gpus: 2 });
  const ids = { placement, topkIds: [0, 1, 2, -1], topK: 2 };
  const counts = { placement, counts: [1, 2, 3] };

  test.each<[string, typeof ArgumentError, unknown]>([
    [
      "nodes: expected none with counts, got 2. Counts do not say whose tokens they are",
      ArgumentError,
      { ...counts, nodes: 2 },
    ],
    ["distance: expected none with counts, got Array of length 2.", ArgumentError, { ...counts, distance: [0, 1] }],
    ["nodes: expected an integer >= 1 that divides gpus = 2, got 3.", ArgumentError, { ...counts, nodes: 3 }],
    ["nodes: expected either distance or nodes", ArgumentError, { ...ids, nodes: 2, distance: [0, 1] }],
    ["distance: expected S * gpus values with gpus = 2", ShapeError, { ...ids, distance: [0, 1, 9] }],
    [
      "distance[1][0]: expected a number from 0 to",
      LoadError,
      {
        ...ids,
        distance: [
          [0, 1],
          [-1, 0],
        ],
      },
    ],
    [
      "tokenSource: expected none without distances, got Array of length 2. Give",
      ArgumentError,
      { ...ids, tokenSource: [0, 1] },
    ],
    ["tokenSource: expected none without distances", ArgumentError, { ...counts, tokenSource: [0, 1] }],
    [
      "tokenSource: expected an array or TypedArray of numbers, got 1.",
      ArgumentError,
      { ...ids, nodes: 2, tokenSource: 1 },
    ],
    ["tokenSource: expected T = 2 values, got 3.", ShapeError, { ...ids, nodes: 2, tokenSource: [0, 1, 1] }],
    [
      "tokenSource[1]: expected a source, an integer from 0 to 1, got 2.",
      LoadError,
      { ...ids, nodes: 2, tokenSource: [0, 2] },
    ],
    [
      "tokenSource[0]: expected a source, an integer from 0 to 1, got -1.",
      LoadError,
      { ...ids, nodes: 2, tokenSource: [-1, 0] },
    ],
    [
      "tokenSource[0]: expected a source, an integer from 0 to 1, got 0.5.",
      LoadError,
      { ...ids, nodes: 2, tokenSource: [0.5, 0] },
    ],
    [
      'tokenSource[1]: expected a source, an integer from 0 to 1, got "1".',
      LoadError,
      { ...ids, nodes: 2, tokenSource: [0, "1"] },
    ],
  ])("%s", async (message, kind, input) => {
    const measured = measureImbalance(input as ImbalanceInput, { backend: "cpu" });
    await expect(measured).rejects.toThrow(kind);
    await expect(measured).rejects.toThrow(message);
  });
});
