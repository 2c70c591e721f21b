import { describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import {
  ArgumentError,
  createBalancer,
  LoadError,
  measureImbalance,
  Placement,
  placementMaps,
  quotaToShares,
  ShapeError,
  sharesFromJSON,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { errorOf, expectError, type Kind } from "../helpers/bad_input.ts";
import { layerPlacements, randomIds } from "../helpers/batches.ts";

/** Expert 0 has slots 0, 2 and 5, expert 1 slots 1 and 4, expert 2 slot 3. */
const placement = Placement.fromPhysicalToLogical([0, 1, 0, 2, 1, 0], { gpus: 3 });

describe("quotaToShares", () => {
  test("shares of each slot, even where an expert has no tokens", () => {
    expect(quotaToShares([placement, placement], [1, 0, 0, 7, 4, 3, 0, 6, 0, 0, 2, 0])).toEqual([
      [
        [0.25, 0, 0.75],
        [0, 1, 0],
        [1, 0, 0],
      ],
      [[1 / 3, 1 / 3, 1 / 3].map(Math.fround), [0.75, 0.25, 0], [1, 0, 0]],
    ]);
  });

  test("of a solve, the quotas come back", async () => {
    const expertLoad = [60, 200, 20];
    const { quota } = await solveLoadBalanceLP({ placement, expertLoad }, { backend: "cpu" });
    const [shares] = quotaToShares([placement], quota);
    const tokens = [...placement.physicalToLogical].map((e, slot) => {
      const row = placement.logicalToPhysical.subarray(e * placement.maxReplicas, (e + 1) * placement.maxReplicas);
      return Math.round(shares[e][row.indexOf(slot)] * expertLoad[e]); // f32 keeps whole tokens up to 2^23
    });
    expect(tokens).toEqual([...quota]);
  });

  test("of a balanced batch, they are the balancer's", async () => {
    const random = seeded(3);
    const placements = layerPlacements(random, 3, 12, 4);
    const balancer = await createBalancer({ placement: placements, topK: 2, maxTokens: 40, backend: "cpu" });
    const balanced = await balancer.balance(randomIds(random, 3, 80, 12));
    expect(quotaToShares(placements, balanced.quota).flat(2)).toEqual([...balanced.shares()]);
    balancer.destroy();
  });

  const convert = quotaToShares as (...args: unknown[]) => unknown;
  test.each<[message: string, kind: Kind, ...args: unknown[]]>([
    ["placements: expected an array with a Placement per layer, got undefined.", ArgumentError],
    ["quota: expected a non-empty array of numbers, got undefined.", ArgumentError, [placement]],
    ["quota: expected L * P = 1 * 6 = 6 values, got 3.", ShapeError, [placement], [1, 2, 3]],
    ["quota[1]: expected a finite number >= 0, got -1.", LoadError, [placement], [0, -1, 0, 0, 0, 0]],
    ["quota[5]: expected a finite number >= 0, got NaN.", LoadError, [placement], [0, 1, 0, 0, 0, Number.NaN]],
    [
      "quota: expected numbers rather than bigints, got BigInt64Array of length 6. Convert with Int32Array.from(x, Number).",
      ArgumentError,
      [placement],
      new BigInt64Array(6),
    ],
    ["quota[0]: expected P = 6 values, got 2.", ShapeError, [placement], [[1, 2]]],
    ["quota[0]: expected a finite number >= 0, got Infinity.", LoadError, [placement], new Array(6).fill(Infinity)],
  ])("%s", (message, kind, ...args) => {
    expectError(
      errorOf(() => convert(...args)),
      message,
      kind,
    );
  });
});

describe("sharesFromJSON", () => {
  const { physical_to_logical_map, logical_to_all_physical_map } = placementMaps([placement], "sglang");
  const log2phy_prob = [
    [
      [0.2, 0.3, 0.5],
      [0.75, 0.25, 0],
      [1, 0, 0],
    ],
  ];
  const shape = { gpus: 3 };
  const ascending = Float32Array.from(log2phy_prob.flat(2));

  test("columns in the order of the slots", () => {
    expect(sharesFromJSON({ physical_to_logical_map, log2phy_prob }, shape)).toEqual(ascending);
    expect(sharesFromJSON({ logical_to_all_physical_map, log2phy_prob }, shape)).toEqual(ascending);
  });

  test("columns in the order of the map beside them, padded wider", () => {
    const json = {
      physical_to_logical_map,
      logical_to_all_physical_map: [
        [
          [5, 0, 2, -1],
          [1, 4, -1, -1],
          [3, -1, -1, -1],
        ],
      ],
      log2phy_prob: [[[0.5, 0.2, 0.3, 0], Float32Array.of(0.75, 0.25, 0, 0), [1, 0, 0, 0]]],
    };
    expect(sharesFromJSON(json, shape)).toEqual(ascending);
  });

  test("quotas there and back, measured alike", async () => {
    const random = seeded(11);
    const placements = layerPlacements(random, 4, 20, 4);
    const { logicalExperts: E, physicalExperts: P } = placements[0];
    const quota = Int32Array.from({ length: 4 * P }, () => random.below(50));
    const counts = new Int32Array(4 * E);
    for (let i = 0; i < quota.length; i++) {
      const layer = Math.floor(i / P);
      counts[layer * E + placements[layer].physicalToLogical[i % P]] += quota[i];
    }
    const json = { ...placementMaps(placements, "sglang"), log2phy_prob: quotaToShares(placements, quota) };
    const shares = sharesFromJSON(JSON.parse(JSON.stringify(json)), { gpus: 4 });
    const options = { backend: "cpu" } as const;
    const expected = await measureImbalance({ placement: placements, counts, quota }, options);
    expect(await measureImbalance({ placement: placements, counts, shares }, options)).toEqual(expected);
  });

  const prob = (e: number, row: unknown) => {
    const rows: unknown[] = structuredClone(log2phy_prob[0]);
    rows[e] = row;
    return [rows];
  };
  test.each<[message: string, kind: Kind, value: unknown]>([
    ["log2phy_prob: expected a non-empty array with a row per layer, got undefined.", ArgumentError, undefined],
    ["log2phy_prob: expected 1 layers, got 2.", ShapeError, [...log2phy_prob, ...log2phy_prob]],
    ["log2phy_prob[0]: expected a non-empty array with a row per expert, got 1.", ArgumentError, [1]],
    ["log2phy_prob[0]: expected E = 3 rows, got 2.", ShapeError, [log2phy_prob[0].slice(1)]],
    ["log2phy_prob[0][1]: expected 3 values as in log2phy_prob[0][0], got 2.", ShapeError, prob(1, [0.5, 0.5])],
    ["log2phy_prob[0][0]: expected 3 shares or more, one per slot, got 1.", ShapeError, [[[1], [1], [1]]]],
    ["log2phy_prob[0][1][0]: expected a finite number >= 0, got -0.25.", LoadError, prob(1, [-0.25, 1.25, 0])],
    ["log2phy_prob[0][1][2]: expected a finite number >= 0, got NaN.", LoadError, prob(1, [0.5, 0.5, Number.NaN])],
    ['log2phy_prob[0][1][1]: expected a finite number >= 0, got "1".', LoadError, prob(1, [0, "1", 0])],
    [
      "log2phy_prob[0][1][2]: expected 0, because the expert has 2 slots, got 0.25.",
      LoadError,
      prob(1, [0.5, 0.25, 0.25]),
    ],
  ])("%s", (message, kind, value) => {
    const json = { physical_to_logical_map, logical_to_all_physical_map, log2phy_prob: value };
    expectError(
      errorOf(() => sharesFromJSON(json, shape)),
      message,
      kind,
    );
  });
});
