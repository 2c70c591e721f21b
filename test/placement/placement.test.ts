import { describe, expect, test } from "vitest";
import { ArgumentError, Placement, PlacementError, ShapeError, topologies } from "../../src/index.ts";
import { errorOf, expectError, type Kind, missing, negative, noArrays, noNumbers } from "../helpers/bad_input.ts";

/** The whole message, the class of the error, and the arguments. */
type BadCall = [message: string, kind: Kind, ...args: unknown[]];
// Bad input has no type: the functions as JavaScript calls them.
type Untyped = (...args: unknown[]) => unknown;
const fromMap = Placement.fromPhysicalToLogical as Untyped;
const fromR2o = Placement.fromRedundantToOriginal as Untyped;

const noIds = [...noNumbers, ...negative, ["0.5", 0.5]] as const;

describe("Placement.fromPhysicalToLogical", () => {
  test("a map as vLLM, SGLang and EPLB have it", () => {
    const map = Int32Array.of(0, 1, 2, 0, 3, 0);
    const placement = Placement.fromPhysicalToLogical(map, { gpus: 3 });
    map.fill(7); // copied
    expect(placement).toMatchObject({
      gpus: 3,
      logicalExperts: 4,
      physicalExperts: 6,
      physicalToLogical: Int32Array.of(0, 1, 2, 0, 3, 0),
      replicaCount: Int32Array.of(3, 1, 1, 1),
      maxReplicas: 3,
      logicalToPhysical: Int32Array.of(0, 3, 5, 1, -1, -1, 2, -1, -1, 4, -1, -1),
      gpuOf: Int32Array.of(0, 0, 1, 1, 2, 2),
    });
  });

  const id = "an expert id, an integer >= 0, or -1 for an empty slot";
  const slots = "map: expected a non-empty array of expert ids, one per physical slot";
  const gpus = "gpus: expected an integer >= 1";
  const hole = (expert: number, last: number) =>
    `map: expected a slot for expert ${expert}, got "none". Experts 0 to ${last} must all be placed. ${lost}`;
  const lost = "Where experts are lost, give logicalExperts.";
  const noSlots = noIds.filter(([shown]) => shown !== "-1");
  test.each<BadCall>([
    [hole(0, 1), PlacementError, [1, 1], { gpus: 2 }],
    [hole(1, 2), PlacementError, [0, 2, 2, 0], { gpus: 2 }],
    [hole(3, 9), PlacementError, [0, 9, 2, 1], { gpus: 2 }],
    [`map: expected a slot for expert 0, got "none". ${lost}`, PlacementError, [-1, -1], { gpus: 2 }],
    ...noSlots.map(([shown, value]): BadCall => {
      return [`map[1]: expected ${id}, got ${shown}.`, PlacementError, [0, value], { gpus: 2 }];
    }),
    [`map[1]: expected ${id}, got undefined.`, PlacementError, Object.assign([0], { length: 2 }), { gpus: 2 }],
    [`map[0]: expected ${id}, got 0n.`, PlacementError, BigInt64Array.of(0n, 1n), { gpus: 2 }],
    [
      `map[0]: expected ${id}, got Array of length 2.`,
      PlacementError,
      [
        [0, 1],
        [1, 0],
      ],
      { gpus: 2 },
    ],
    [
      "map[1]: expected an expert id, an integer from 0 to logicalExperts - 1 = 3, or -1 for an empty slot, got 4.",
      PlacementError,
      [0, 4],
      { gpus: 2, logicalExperts: 4 },
    ],
    ["logicalExperts: expected an integer >= 1, got 0.", ArgumentError, [0, 1], { gpus: 2, logicalExperts: 0 }],
    [`${slots}, got Array of length 0.`, PlacementError, [], { gpus: 1 }],
    [`${slots}, got an object of DataView.`, PlacementError, new DataView(new ArrayBuffer(8)), { gpus: 2 }],
    [`${slots}, got "0110".`, PlacementError, "0110", { gpus: 2 }],
    [`${slots}, got null.`, PlacementError, null, { gpus: 2 }],
    [`${slots}, got undefined.`, PlacementError],
    [
      "map: expected a multiple of gpus = 2 slots, got 3. Every GPU holds equally many slots.",
      ShapeError,
      [0, 1, 0],
      { gpus: 2 },
    ],
    ...[...noIds, ["0", 0]].map(([shown, value]): BadCall => {
      return [`${gpus}, got ${shown}.`, ArgumentError, [0, 1], { gpus: value }];
    }),
    [`${gpus}, got undefined.`, ArgumentError, [0, 1]],
    [`${gpus}, got undefined.`, ArgumentError, [0, 1], null],
  ])("%s", (message, kind, ...args) =>
    expectError(
      errorOf(() => fromMap(...args)),
      message,
      kind,
    ),
  );
});

describe("empty slots and lost experts", () => {
  test("an empty slot keeps its number, and nothing else has it", () => {
    const placement = Placement.fromPhysicalToLogical([-1, 1, 0, -1, 1, 2], { gpus: 3 });
    expect(placement).toMatchObject({
      logicalExperts: 3,
      physicalExperts: 6,
      physicalToLogical: Int32Array.of(-1, 1, 0, -1, 1, 2),
      replicaCount: Int32Array.of(1, 2, 1),
      maxReplicas: 2,
      logicalToPhysical: Int32Array.of(2, -1, 1, 4, 5, -1),
      gpuOf: Int32Array.of(0, 0, 1, 1, 2, 2),
      slotsPerGpu: Int32Array.of(2, 2, 2),
    });
  });

  test("an expert without a slot is lost where E is given, be it the last one, or all of them", () => {
    const placement = Placement.fromPhysicalToLogical([0, 2, 2, -1], { gpus: 2, logicalExperts: 5 });
    expect(placement).toMatchObject({ logicalExperts: 5, replicaCount: Int32Array.of(1, 0, 2, 0, 0) });
    expect([...placement.logicalToPhysical]).toEqual([0, -1, -1, -1, 1, 2, -1, -1, -1, -1]);
    const none = Placement.fromPhysicalToLogical([-1, -1], { gpus: 2, logicalExperts: 3 });
    expect(none).toMatchObject({ replicaCount: new Int32Array(3), maxReplicas: 1 });
  });

  test("LPLB's r2o has no empty slots", () => {
    const placement = Placement.fromPhysicalToLogical([0, 1, 1, -1], { gpus: 2 });
    expect(() => placement.toRedundantToOriginal()).toThrow(
      /^physicalToLogical\[3\]: expected an expert in every slot/,
    );
  });
});

const noRows = "r2o: expected a row per rank";
const rank = "another rank in 0..2";
const badR2o: BadCall[] = [
  [`${noRows}, got Array of length 0.`, PlacementError, []],
  ...[missing, ...noArrays].map(([shown, r2o]): BadCall => [`${noRows}, got ${shown}.`, PlacementError, r2o]),
  ["r2o[0]: expected an array of one or more originals, got Array of length 0.", PlacementError, [[], [], []]],
  ["r2o[0]: expected an array of one or more originals, got undefined.", PlacementError, [undefined, [0]]],
  ["r2o[0]: expected an array of one or more originals, got 1.", PlacementError, [1, 0]],
  ["r2o[1]: expected an array of 1 originals as in r2o[0], got Array of length 2.", PlacementError, [[1], [2, 0], [0]]],
  ["r2o[2]: expected an array of 1 originals as in r2o[0], got undefined.", PlacementError, [[1], [2], undefined]],
  [
    "r2o[1]: expected an array of 1 originals as in r2o[0], got Int32Array of length 1.",
    PlacementError,
    [[1], Int32Array.of(2), [0]],
  ],
  ...[...noIds, ["3", 3]].map(([shown, original]): BadCall => {
    return [`r2o[1][0]: expected ${rank}, got ${shown}.`, PlacementError, [[1], [original], [0]]];
  }),
  [`r2o[1][0]: expected ${rank}, got 1.`, PlacementError, [[2], [1], [0]]],
  [
    "r2o[2][1]: expected an original that r2o[0][1] does not copy already, got 1.",
    PlacementError,
    [
      [1, 1],
      [2, 2],
      [0, 1],
    ],
  ],
];

describe("Placement.fromRedundantToOriginal", () => {
  test("LPLB's ring of 4, two experts a rank", () => {
    const placement = Placement.fromRedundantToOriginal(topologies.ring(4), { logicalExperts: 8, epSize: 4 });
    expect([...placement.physicalToLogical]).toEqual([0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 0]);
  });

  const shape = { logicalExperts: 12, epSize: 3 };
  const ring = topologies.ring(3);
  test.each<BadCall>([
    ...badR2o.map(([message, kind, r2o]): BadCall => [message, kind, r2o, shape]),
    ...["logicalExperts", "epSize", "redundantsPerRank"].flatMap((argument) =>
      [...negative, ["0", 0] as const, ["1.5", 1.5] as const, ['"3"', "3"] as const].map(([shown, value]): BadCall => {
        const message = `${argument}: expected an integer >= 1, got ${shown}.`;
        return [message, ArgumentError, ring, { ...shape, [argument]: value }];
      }),
    ),
    ["logicalExperts: expected an integer >= 1, got undefined.", ArgumentError, ring],
    ["epSize: expected an integer >= 1, got undefined.", ArgumentError, ring, { logicalExperts: 12 }],
    ["epSize: expected a multiple of the 3 ranks of r2o, got 4.", ShapeError, ring, { ...shape, epSize: 4 }],
    ["logicalExperts: expected a multiple of epSize = 3, got 13.", ShapeError, ring, { ...shape, logicalExperts: 13 }],
    [
      "redundantsPerRank: expected at most the 4 experts that a rank holds, got 5.",
      ShapeError,
      ring,
      { ...shape, redundantsPerRank: 5 },
    ],
  ])("%s", (message, kind, ...args) =>
    expectError(
      errorOf(() => fromR2o(...args)),
      message,
      kind,
    ),
  );
});

describe("topologies", () => {
  test.each(badR2o)("edges: %s", (message, kind, r2o) =>
    expectError(
      errorOf(() => (topologies.edges as Untyped)(r2o)),
      message,
      kind,
    ),
  );

  test("sizes are integers >= 2", () => {
    for (const [shown, value] of [...noIds, ["0", 0], ["1", 1]] as const) {
      const message = (argument: string) => `${argument}: expected an integer >= 2, got ${shown}.`;
      expectError(
        errorOf(() => (topologies.ring as Untyped)(value)),
        message("n"),
        ArgumentError,
      );
      expectError(
        errorOf(() => (topologies.torus2d as Untyped)(value, 2)),
        message("m"),
        ArgumentError,
      );
      expectError(
        errorOf(() => (topologies.torus2d as Untyped)(2, value)),
        message("n"),
        ArgumentError,
      );
    }
  });

  test("every rank's experts are copied equally often, and never to where they are", () => {
    const { ring, cube8, hypercube16, torus2d, edges } = topologies;
    for (const r2o of [ring(2), ring(7), cube8(), hypercube16(), torus2d(2, 2), torus2d(3, 5)]) {
      const copies = new Array<number>(r2o.length).fill(0);
      for (const [original, copy] of edges(r2o)) {
        expect(original).not.toBe(copy);
        copies[original]++;
      }
      expect(new Set(copies)).toEqual(new Set([r2o[0].length]));
    }
  });
});
