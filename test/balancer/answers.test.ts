import { afterAll, describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import {
  ArgumentError,
  type Balanced,
  type Balancer,
  certify,
  createBalancer,
  DeviceError,
  Placement,
} from "../../src/index.ts";
import { cpuBackend } from "../../src/lp/backend_cpu.ts";
import { toTopology } from "../../src/lp/forms.ts";
import type { Loads } from "../../src/lp/problem.ts";
import { emptyRaw } from "../../src/lp/solution.ts";
import { layerPlacements, randomIds, shared, sharedFaults, sharedIds } from "../helpers/batches.ts";
import { families } from "../helpers/instances.ts";
import { solveLane } from "../helpers/raw.ts";

const backends = ["webgpu", "cpu"] as const;
const balancers: Record<"webgpu" | "cpu", Balancer> = {
  webgpu: await createBalancer({ ...shared, backend: "webgpu" }),
  cpu: await createBalancer({ ...shared, backend: "cpu" }),
};
afterAll(() => balancers.webgpu.destroy());

/** The parts of an answer that can be compared as values. */
const values = ({ proof: _, shares: __, ...rest }: Balanced) => structuredClone(rest);

describe.each(backends)("on %s", (backend) => {
  const balancer = balancers[backend];

  test("a planted batch: the max load, the bottleneck and every token's slot are known", async () => {
    // Experts 1 and 3 fit nowhere but on GPUs 0 and 2, which makes 105 tokens each: the quotas are the only ones that do it.
    const placement = Placement.fromPhysicalToLogical([0, 1, 0, 2, 1, 3], { gpus: 3 });
    const counts = [60, 200, 20, 10];
    const ids = seeded(111).shuffle(counts.flatMap((tokens, e) => new Array<number>(tokens).fill(e)));
    const small = await createBalancer({ placement, topK: 1, maxTokens: 290, backend });
    const { quota, physicalIds, after, before, proof } = await small.balance(Int32Array.from(ids));
    small.destroy();
    expect([...quota]).toEqual([0, 105, 60, 20, 95, 10]);
    expect([before.max[0], after.max[0]]).toEqual([130, 105]);
    expect(proof(0).solution.bottleneck).toEqual([[0, 2]]);
    let ones = 0;
    const expected = ids.map((e) => (e === 1 ? (ones++ < 105 ? 1 : 4) : [2, -1, 3, 5][e]));
    expect([...physicalIds]).toEqual(expected);
  });

  test("a small batch after a large one, and an empty one, are not touched by what was there", async () => {
    for (const tokens of [300, 1, 7, 0, 299, 0]) {
      const ids = sharedIds(112 + tokens, tokens);
      const balanced = await balancer.balance(ids);
      expect(sharedFaults(ids, balanced), `${tokens} tokens`).toEqual([]);
      if (tokens === 0) {
        expect([...balanced.after.imbalance, ...balanced.before.imbalance]).toEqual([1, 1, 1, 1, 1, 1]);
        expect([...balanced.after.idleTokens, ...balanced.quota].every((value) => value === 0)).toBe(true);
      }
    }
  });

  test("nothing but padding and ids out of range", async () => {
    const ids = sharedIds(113, 100, 1);
    const balanced = await balancer.balance(ids);
    expect(sharedFaults(ids, balanced)).toEqual([]);
    expect(balanced.physicalIds.every((slot) => slot === -1)).toBe(true);
    expect(balanced.outOfRange.every((count) => count > 100)).toBe(true);
  });

  test("u32 ids are i32 ids of the same bits", async () => {
    const ids = sharedIds(114);
    const signed = await balancer.balance(ids);
    const unsigned = await balancer.balance(new Uint32Array(ids.buffer));
    expect(sharedFaults(new Uint32Array(ids.buffer), unsigned)).toEqual([]);
    expect(values(unsigned)).toEqual(values(signed));
  });

  test("the same batch has the same answer, bit for bit, whatever came before and whichever balancer", async () => {
    const ids = sharedIds(115);
    const first = await balancer.balance(ids);
    await balancer.balance(sharedIds(116));
    const other = await createBalancer({ ...shared, backend });
    for (const again of [await balancer.balance(ids), await other.balance(ids)]) {
      expect(values(again)).toEqual(values(first));
    }
    other.destroy();
  });

  test("there is a proof of each layer, and of no other", async () => {
    const { proof } = await balancer.balance(sharedIds(120));
    for (const layer of [0, 1, 2]) expect(certify(proof(layer).problem, proof(layer).solution)[0].valid).toBe(true);
    for (const layer of [-1, 3, 0.5, Number.NaN, "0", undefined, null]) {
      expect(() => proof(layer as number)).toThrow(ArgumentError);
      expect(() => proof(layer as number)).toThrow(/^layer: expected an integer from 0 to L - 1 = 2, got /);
    }
  });

  test("overlapping calls do not mix; inputs are the caller's again at once, and answers for good", async () => {
    const batches = [50, 300, 0, 120].map((tokens) => sharedIds(117 + tokens, tokens));
    const copies = batches.map((ids) => ids.slice());
    const calls = batches.map((ids) => balancer.balance(ids));
    expect(batches).toEqual(copies);
    for (const ids of batches) ids.fill(3);
    const answers = await Promise.all(calls);
    for (const [i, balanced] of answers.entries()) expect(sharedFaults(copies[i], balanced)).toEqual([]);
  });

  test("one call's bad ids do not spoil the next call", async () => {
    const ids = sharedIds(118);
    const [bad, good] = [balancer.balance(ids.subarray(1)), balancer.balance(ids)];
    await expect(bad).rejects.toThrow("topkIds: expected a multiple of L * k = 3 * 4 = 12 ids, got 3599.");
    expect(sharedFaults(ids, await good)).toEqual([]);
  });
});

test("iterations and moves in the proofs are those of each layer's own LP", async () => {
  const topologies = shared.placement.map((placement) => toTopology(placement, undefined));
  const random = seeded(127);
  const found = { webgpu: [] as number[], cpu: [] as number[] };
  for (let batch = 0; batch < 4; batch++) {
    // Near 2^31 tokens, over all ranks, there are moves to make.
    const ids = sharedIds(123 + batch);
    const own = balancers.cpu.count(ids);
    const others = topologies.flatMap(() =>
      families["near 2^31"](random, 32, 8).map((tokens) => Math.floor(0.99 * tokens)),
    );
    const rank = { before: new Int32Array(own.length), counts: own.map((tokens, e) => tokens + others[e]) };
    const loads: Loads = { batch: 3, tokens: "integer", expertLoad: rank.counts, baseLoad: undefined };
    const kernel = await solveLane(topologies, loads);
    const exact = topologies.map((topology, l) => {
      const raw = emptyRaw(topology, loads);
      cpuBackend(topology).solveOne(loads, l, raw);
      return raw.moves[l];
    });
    const expected = {
      webgpu: topologies.map((_, l) => [kernel.iterations[l], kernel.moves[l]]),
      cpu: exact.map((moves) => [0, moves]),
    };
    for (const backend of backends) {
      const { proof } = await balancers[backend].balance(ids, rank);
      const solutions = topologies.map((_, l) => proof(l).solution);
      expect(solutions.map(({ iterations, moves }) => [...iterations, ...moves])).toEqual(expected[backend]);
      found[backend].push(...solutions.map(({ moves }) => moves[0]));
    }
  }
  for (const backend of backends) expect(new Set(found[backend]).size, backend).toBeGreaterThan(1);
});

test.each(backends)("destroy waits for the calls under way on %s, and refuses later ones", async (backend) => {
  const balancer = await createBalancer({ ...shared, backend });
  const ids = sharedIds(119);
  const pending = balancer.balance(ids);
  balancer.destroy();
  await expect(balancer.balance(ids)).rejects.toThrow(DeviceError);
  expect(sharedFaults(ids, await pending)).toEqual([]);
  await expect(balancer.balance(ids)).rejects.toThrow("This balancer was destroyed.");
  balancer.destroy();
});

describe("the backends agree", () => {
  test.each([false, true])("on counts, loads and optimal max loads; unequal speeds: %s", async (unequal) => {
    const random = seeded(121);
    const speed = unequal ? Array.from({ length: 8 }, () => random.pick([0.8, 1, 1.2, 2])) : undefined;
    const placement = layerPlacements(random, 24, 32, 8);
    const options = { placement, topK: 4, maxTokens: 128, speed };
    const [webgpu, cpu] = [
      await createBalancer({ ...options, backend: "webgpu" }),
      await createBalancer({ ...options, backend: "cpu" }),
    ];
    for (let i = 0; i < 10; i++) {
      const ids = randomIds(random, 24, 4 * (1 + random.below(128)), 32);
      const [a, b] = [await webgpu.balance(ids), await cpu.balance(ids)];
      for (const field of ["counts", "outOfRange", "status"] as const) expect(a[field], field).toEqual(b[field]);
      for (const field of ["gpuLoad", "max", "idleTokens", "hottestGpu", "activeExperts"] as const) {
        expect(a.before[field], field).toEqual(b.before[field]);
      }
      for (let l = 0; l < 24; l++) {
        expect(a.proof(l).solution.maxLoad, `layer ${l}`).toEqual(b.proof(l).solution.maxLoad);
        if (!unequal) expect(a.after.max[l], `layer ${l}`).toBe(b.after.max[l]);
      }
    }
    webgpu.destroy();
  });
});

test("layers that the kernel leaves with a gap are finished on the CPU, and remapped", async () => {
  // The kernel counts time in integers: where speeds are this different and totals near 2^31, their rounding shows.
  const random = seeded(6);
  const speed = Array.from({ length: 8 }, () => 10 ** (3 * random.next()));
  const balancer = await createBalancer({ ...shared, speed, backend: "webgpu" });
  const ids = sharedIds(122);
  const own = balancer.count(ids);
  for (let i = 0; i < 40; i++) {
    const others = [0, 1, 2].flatMap(() =>
      families["near 2^31"](random, 32, 8).map((tokens) => Math.floor(0.99 * tokens)),
    );
    const before = Int32Array.from(others, (tokens) => Math.floor(random.next() * tokens));
    const rank = { before, counts: own.map((tokens, e) => tokens + others[e]) };
    expect(sharedFaults(ids, await balancer.balance(ids, rank), rank), `batch ${i}`).toEqual([]);
  }
  expect(balancer.metrics()).toMatchObject({ solves: 120 });
  expect(balancer.metrics().finishedOnCpu).toBeGreaterThan(0);
  balancer.destroy();
});

// Negative control: an oracle that cannot fail proves nothing.
describe("the oracle rejects", () => {
  const ids = sharedIds(131);
  const width = ids.length / 3;
  const spoilers: Record<string, (balanced: Balanced) => void> = {
    "two tokens of an expert that changed places": ({ physicalIds }) => {
      const placed = [...ids.keys()].filter((i) => i >= 2 * width && physicalIds[i] >= 0); // in layer 2
      const [i, j] = placed.flatMap((i) => {
        const j = placed.find((j) => j > i && ids[j] === ids[i] && physicalIds[j] !== physicalIds[i]);
        return j === undefined ? [] : [i, j];
      });
      [physicalIds[i], physicalIds[j]] = [physicalIds[j], physicalIds[i]];
    },
    "a token that goes nowhere": ({ physicalIds }) => {
      physicalIds[physicalIds.findLastIndex((slot) => slot >= 0)] = -1;
    },
    "padding that goes somewhere": ({ physicalIds }) => {
      physicalIds[physicalIds.indexOf(-1)] = 0;
    },
    "a token in another expert's slot": ({ physicalIds }) => {
      physicalIds[7] = (physicalIds[7] + 1) % 40;
    },
    "a quota that is one too many": ({ quota }) => {
      quota[50]++;
    },
    "a count that is one too few": ({ counts }) => {
      counts[40]--;
    },
    "an id out of range that is not counted": ({ outOfRange }) => {
      outOfRange[2]--;
    },
    "a max load that is not true": ({ after }) => {
      after.max[1]--;
    },
  };

  test.each(Object.keys(spoilers))("%s", async (name) => {
    const balanced = await balancers.cpu.balance(ids);
    expect(sharedFaults(ids, balanced)).toEqual([]);
    spoilers[name](balanced);
    expect(sharedFaults(ids, balanced)).not.toEqual([]);
  });

  test("the even split, said to be optimal", async () => {
    const even = await createBalancer({ ...shared, backend: "cpu", skipBelow: 99 });
    const balanced = await even.balance(ids);
    expect(sharedFaults(ids, balanced)).toEqual([]);
    balanced.status[0] = "optimal";
    expect(sharedFaults(ids, balanced)).toEqual(["layer 0: gap, said to be optimal"]);
  });
});
