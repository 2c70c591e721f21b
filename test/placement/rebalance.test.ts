import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ArgumentError, LoadError, ShapeError } from "../../src/common/errors.ts";
import { seeded } from "../../src/common/random.ts";
import { Placement } from "../../src/placement/placement.ts";
import { type ExpertMaps, type RebalanceOptions, rebalanceExperts } from "../../src/placement/rebalance.ts";
import { families } from "../helpers/instances.ts";

/** Load per replica in the slots of one layer, in float32 as EPLB computes it. */
function slotLoads(map: ArrayLike<number>, weight: ArrayLike<number>): number[] {
  const experts = Array.from(map);
  return experts.map((e) => Math.fround(Math.fround(weight[e]) / experts.filter((other) => other === e).length));
}

function maxGpuLoad(map: ArrayLike<number>, weight: ArrayLike<number>, gpus: number): number {
  const load = new Array<number>(gpus).fill(0);
  slotLoads(map, weight).forEach((tokens, slot) => {
    load[Math.floor(slot / (map.length / gpus))] += tokens;
  });
  return Math.max(...load);
}

describe("EPLB's maps", () => {
  // The example and its published result in the README of deepseek-ai/EPLB (MIT).
  const published = {
    weight: [
      [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
      [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
    ],
    machine: { replicas: 16, groups: 4, nodes: 2, gpus: 8 },
    physicalToLogical: [
      [5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1],
      [7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1],
    ],
  };

  test("reproduces the published example", () => {
    const { physicalToLogical } = rebalanceExperts(published.weight, published.machine);
    expect(physicalToLogical.map((row) => [...row])).toEqual(published.physicalToLogical);
  });

  interface Vector {
    name: string;
    weight: number[][];
    numReplicas: number;
    numGroups: number;
    numNodes: number;
    numGpus: number;
    phy2log: number[][];
    logcnt: number[][];
    /** Per layer, to four decimals. */
    maxGpuLoad: number[];
  }
  const file = new URL("../../../shared/data/vectors/eplb_vectors.json", import.meta.url);
  const vectors: Vector[] | undefined = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).cases : undefined;
  /** Of many experts of equal load, which EPLB's sort (torch) returns in an order of its own. */
  const tied = ["qwen3_global_ep8_r16"];

  const absent = vectors ? "" : " (SKIPPED: eplb_vectors.json is absent)";
  test.skipIf(!vectors)(`reproduces EPLB's maps of test and real loads${absent}`, () => {
    expect(vectors).toHaveLength(10);
    for (const { name, weight, ...vector } of vectors!) {
      const { numReplicas: replicas, numGroups: groups, numNodes: nodes, numGpus: gpus } = vector;
      const { physicalToLogical, replicaCount } = rebalanceExperts(weight, { replicas, groups, nodes, gpus });
      const maps = physicalToLogical.map((row) => [...row]);
      const counts = replicaCount.map((row) => [...row]);
      if (!tied.includes(name)) expect(maps, name).toEqual(vector.phy2log);
      expect(counts, name).toEqual(vector.logcnt);
      maps.forEach((map, layer) => {
        const where = `${name}, layer ${layer}`;
        // Experts of equal load may trade places, but every slot carries the same load.
        expect(slotLoads(map, weight[layer]), where).toEqual(slotLoads(vector.phy2log[layer], weight[layer]));
        const recorded = vector.maxGpuLoad[layer];
        const rounding = 0.5e-4 + (replicas / gpus) * 2 ** -24 * recorded; // four decimals, and a float32 share per slot
        expect(Math.abs(maxGpuLoad(map, weight[layer], gpus) - recorded), where).toBeLessThanOrEqual(rounding);
      });
    }
  });

  test("lists replicas in the order they were made, and may put two of them on one GPU", () => {
    // Expert 0 gets both redundant slots (9 > 2, 4.5 > 2). Its replicas of load 3 go to GPU 0, GPU 1 and, on the tie, GPU 0.
    const maps = rebalanceExperts([[9, 2]], { replicas: 4, gpus: 2 });
    expect([...maps.physicalToLogical[0]]).toEqual([0, 0, 0, 1]);
    expect([...maps.logicalToPhysical[0]]).toEqual([0, 2, 1, 3, -1, -1]);
    expect([...maps.replicaCount[0]]).toEqual([3, 1]);
    expect(Placement.fromPhysicalToLogical(maps.physicalToLogical[0], { gpus: 2 }).logicalExperts).toBe(2);
  });

  test("leaves replicas in the order they were made when each GPU has one slot", () => {
    const { physicalToLogical } = rebalanceExperts([[1, 9, 3]], { replicas: 4, gpus: 4 });
    expect([...physicalToLogical[0]]).toEqual([0, 1, 2, 1]);
  });

  test("pads the maps of all layers to one shape", () => {
    const [flat, steep] = [Int32Array.of(1, 1), Int32Array.of(9, 1)];
    const { maxReplicas, logicalToPhysical } = rebalanceExperts([flat, steep], { replicas: 4, gpus: 1 });
    expect(maxReplicas).toBe(3);
    expect(logicalToPhysical.map((row) => row.length)).toEqual([6, 6]);
  });

  // Each of these ties in float32 alone, and goes to the first; in float64 it would go to the last.
  test.each([
    ["weights", [2 ** 24, 2 ** 24 + 1], { replicas: 3, gpus: 1 }, [1, 0, 0]],
    ["loads per replica", [1, Math.fround(1 / 3)], { replicas: 5, gpus: 1 }, [1, 0, 0, 0, 0]],
    ["loads per GPU", [2 ** 24, 2 ** 24, 1, 1, 1, 1], { replicas: 6, gpus: 2 }, [0, 2, 3, 1, 4, 5]],
  ])("computes %s in float32", (_, weight, machine, map) => {
    expect([...rebalanceExperts([weight], machine).physicalToLogical[0]]).toEqual(map);
  });
});

interface Machine extends Required<RebalanceOptions> {
  experts: number;
}

const machines: Record<string, Machine> = {
  "1 GPU": { experts: 6, replicas: 6, groups: 1, nodes: 1, gpus: 1 },
  "1 expert": { experts: 1, replicas: 8, groups: 1, nodes: 1, gpus: 4 },
  "no redundancy": { experts: 32, replicas: 32, groups: 1, nodes: 1, gpus: 8 },
  "1 slot per GPU": { experts: 6, replicas: 8, groups: 1, nodes: 1, gpus: 8 },
  "1 group per node": { experts: 64, replicas: 96, groups: 4, nodes: 4, gpus: 8 },
  "1 GPU per node": { experts: 48, replicas: 64, groups: 8, nodes: 4, gpus: 4 },
  "groups on 1 node": { experts: 60, replicas: 72, groups: 5, nodes: 1, gpus: 12 },
  "groups that nodes cannot share": { experts: 60, replicas: 64, groups: 3, nodes: 2, gpus: 8 },
  "DeepSeek-V3 on 4 nodes": { experts: 256, replicas: 288, groups: 8, nodes: 4, gpus: 32 },
};

const optionsOf = ({ experts, ...options }: Machine): RebalanceOptions => options;

/** A layer per load family. */
function draw({ experts, gpus }: Machine, seed: number): number[][] {
  const random = seeded(seed);
  return Object.values(families).map((family) => family(random, experts, gpus));
}

/** What is wrong with the maps of one layer, recomputed from the problem alone; nothing for maps such as EPLB makes. */
function faults(maps: ExpertMaps, layer: number, weight: readonly number[], machine: Machine): string[] {
  const { experts, replicas, groups, nodes, gpus } = machine;
  const map = maps.physicalToLogical[layer];
  const count = maps.replicaCount[layer];
  const found: string[] = [];
  const require = (holds: boolean, what: string) => void (holds || found.push(what));

  require(map.length === replicas && map.every((e) => e >= 0 && e < experts), "slots");
  require(maps.logicalToPhysical[layer].length === experts * maps.maxReplicas, "shape");
  for (let e = 0; e < experts; e++) {
    const holding = [...map.keys()].filter((slot) => map[slot] === e);
    const listed = maps.logicalToPhysical[layer].slice(e * maps.maxReplicas, (e + 1) * maps.maxReplicas);
    require(holding.length >= 1, `expert ${e} has no slot`);
    require(count[e] === holding.length, `count of expert ${e}`);
    require(listed.slice(0, holding.length).sort().join() === holding.join(), `slots of expert ${e}`);
    require(listed.slice(holding.length).every((slot) => slot === -1), `padding of expert ${e}`);
  }

  // Groups stay within a node, where the nodes can share them.
  const usedNodes = groups % nodes === 0 ? nodes : 1;
  const perNode = replicas / usedNodes;
  for (let node = 0; node < usedNodes; node++) {
    const held = [...new Set(map.slice(node * perNode, (node + 1) * perNode))];
    const heldGroups = new Set(held.map((e) => Math.floor(e / (experts / groups))));
    require(heldGroups.size === groups / usedNodes, `groups of node ${node}`);
    // The largest load per replica is as small as can be: it is below what any replicated expert would have with one less.
    const share = (e: number, copies: number) => Math.fround(Math.fround(weight[e]) / copies);
    const largest = Math.max(...held.map((e) => share(e, count[e])));
    require(held.every((e) => count[e] === 1 || share(e, count[e] - 1) >= largest), `replication on node ${node}`);
  }

  // A GPU was filled with the heaviest replicas first; one slot per GPU is the exception.
  const perGpu = replicas / gpus;
  const loads = slotLoads(map, weight);
  const sorted = loads.every((load, slot) => slot % perGpu === 0 || load <= loads[slot - 1]);
  require(sorted, "order on a GPU");
  return found;
}

describe.each(Object.entries(machines))("%s", (_, machine) => {
  const seed = 11;
  const weight = draw(machine, seed);
  const maps = rebalanceExperts(weight, optionsOf(machine));

  test("the maps agree, every expert is placed, groups stay together, replication is tight", () => {
    weight.forEach((row, layer) => {
      expect(faults(maps, layer, row, machine), `seed ${seed}, ${Object.keys(families)[layer]}`).toEqual([]);
    });
  });

  test("every layer is a placement", () => {
    for (const [layer, map] of maps.physicalToLogical.entries()) {
      const placement = Placement.fromPhysicalToLogical(map, { gpus: machine.gpus });
      expect(placement.replicaCount).toEqual(maps.replicaCount[layer]);
      expect(placement.replicaCount.reduce((a, b) => a + b)).toBe(machine.replicas);
      for (let g = 0; g < machine.gpus; g++) {
        expect(placement.gpuOf.filter((gpu) => gpu === g)).toHaveLength(machine.replicas / machine.gpus);
      }
    }
  });

  test("layers do not influence each other, nor does the unit of load", () => {
    weight.forEach((row, layer) => {
      const scaled = Float64Array.from(row, (tokens) => tokens * 2 ** -40); // a power of two scales float32 exactly
      const alone = rebalanceExperts([scaled], optionsOf(machine));
      expect(alone.physicalToLogical[0], `seed ${seed}`).toEqual(maps.physicalToLogical[layer]);
    });
  });
});

// Negative control: faults() finds what is put wrong.
describe("the checks of these tests reject", () => {
  const machine = machines["DeepSeek-V3 on 4 nodes"];
  const weight = draw(machine, 5);
  const layer = Object.keys(families).indexOf("lognormal");

  const damages: [string, (maps: ExpertMaps) => void, RegExp][] = [
    ["an expert without a slot", ({ physicalToLogical: [map] }) => map.fill(1, 0, 9), /^expert \d+ has no slot/],
    ["a wrong count", ({ replicaCount: [count] }) => count[3]++, /^count of expert 3/],
    ["a slot in the wrong list", ({ logicalToPhysical: [list] }) => list.copyWithin(0, 1), /^slots of expert 0/],
    ["an expert on a foreign node", ({ physicalToLogical: [map] }) => map.copyWithin(0, 287), /^groups of node 0/],
    ["lighter before heavier", ({ physicalToLogical: [map] }) => map.subarray(0, 9).reverse(), /^order on a GPU/],
  ];
  test.each(damages)("%s", (_, damage, fault) => {
    const maps = rebalanceExperts([weight[layer]], optionsOf(machine));
    expect(faults(maps, 0, weight[layer], machine)).toEqual([]);
    damage(maps);
    expect(faults(maps, 0, weight[layer], machine)).toContainEqual(expect.stringMatching(fault));
  });

  test("replicas of the wrong expert", () => {
    const flat = rebalanceExperts([new Array(256).fill(1)], optionsOf(machine)); // consistent maps, made for other loads
    expect(faults(flat, 0, weight[layer], machine)).toContainEqual(expect.stringMatching(/^replication/));
  });
});

test("reads typed and plain rows alike, and leaves them alone", () => {
  const rows = [Int32Array.of(3, 1, 2), Int32Array.of(0, 0, 0)];
  const plain = rows.map((row) => [...row]);
  const maps = rebalanceExperts(rows, { replicas: 4, gpus: 2 });
  expect(rows.map((row) => [...row])).toEqual(plain);
  expect(rebalanceExperts(plain, { replicas: 4, gpus: 2 })).toEqual(maps);
});

describe("bad input", () => {
  const rows = [[1, 2, 3, 4, 5, 6]];
  const machine = { replicas: 8, groups: 2, nodes: 2, gpus: 4 };
  const finite = "a finite number >= 0";
  const count = "an integer >= 1";
  type Kind = new (...args: never[]) => Error;

  const badWeights: [string, unknown, Kind, string][] = [
    ["no layers", [], ArgumentError, "weight: expected a non-empty array of rows, one per layer, got Array of length"],
    ["a flat array", [7], ArgumentError, "weight[0]: expected an array or TypedArray, a load per expert, got 7."],
    ["a hole", [[1], null], ArgumentError, "weight[1]: expected an array or TypedArray, a load per expert, got null."],
    ["no experts", [[]], ShapeError, "weight[0]: expected at least one expert, got 0."],
    ["a short row", [[1, 2], [1]], ShapeError, "weight[1]: expected E = 2 values as in weight[0], got 1."],
    ["NaN", [[1, NaN]], LoadError, `weight[0][1]: expected ${finite}, got NaN.`],
    ["a negative weight", [[1, -1]], LoadError, `weight[0][1]: expected ${finite}, got -1.`],
    ["infinity", [[Infinity]], LoadError, `weight[0][0]: expected ${finite}, got Infinity.`],
    ["bigints", [BigInt64Array.of(5n)], LoadError, `weight[0][0]: expected ${finite}, got 5n.`],
    ["a float32 overflow", [[1e39]], LoadError, "weight[0]: expected a total of at most 2^127, got 1e+39."],
  ];
  test.each(badWeights)("%s", (_, weight, kind, message) => {
    const run = () => rebalanceExperts(weight as number[][], machine);
    expect(run).toThrow(kind);
    expect(run).toThrow(message);
  });

  const badMachines: [string, object | undefined, Kind, string][] = [
    [
      "no options",
      undefined,
      ArgumentError,
      "options: expected an object { replicas, groups, nodes, gpus }, got undef",
    ],
    ["no replicas", { gpus: 4 }, ArgumentError, `replicas: expected ${count}, got undefined.`],
    ["no GPUs", { ...machine, gpus: 0 }, ArgumentError, `gpus: expected ${count}, got 0.`],
    ["half a group", { ...machine, groups: 0.5 }, ArgumentError, `groups: expected ${count}, got 0.5.`],
    ["nodes as text", { ...machine, nodes: "2" }, ArgumentError, `nodes: expected ${count}, got "2".`],
    ["an uneven share", { ...machine, replicas: 7 }, ShapeError, "replicas: expected a multiple of gpus = 4, got 7."],
    [
      "too few",
      { ...machine, replicas: 4 },
      ShapeError,
      "replicas: expected at least E = 6, a slot per expert, got 4.",
    ],
    ["unequal groups", { ...machine, groups: 4 }, ShapeError, "groups: expected a divisor of E = 6, got 4."],
    ["unequal nodes", { ...machine, nodes: 3 }, ShapeError, "gpus: expected a multiple of nodes = 3, got 4."],
  ];
  test.each(badMachines)("%s", (_, options, kind, message) => {
    const run = () => rebalanceExperts(rows, options as RebalanceOptions);
    expect(run).toThrow(kind);
    expect(run).toThrow(message);
  });
});
