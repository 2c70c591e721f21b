import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { modelWorkload } from "../../../bench/workloads.ts";
import { seeded } from "../../../src/common/random.ts";
import { Placement } from "../../../src/index.ts";
import { toTopology } from "../../../src/lp/forms.ts";
import { groupKernel, groupLanes, subgroupKernel } from "../../../src/lp/kernels/group.ts";
import type { Loads } from "../../../src/lp/problem.ts";
import { constants } from "../../../src/lp/twins/tolerances.ts";
import { check, device, solveGroup, subgroup, variants, wide, workgroup } from "../../helpers/group.ts";
import {
  families,
  instances,
  randomPlacement,
  randomSpeeds,
  shapes,
  topologyAndLoads,
} from "../../helpers/instances.ts";
import { unwritten } from "../../helpers/kernel.ts";
import { checkNegative, expectFewLeft, expectOrdinary, expectSame, negativeLoads } from "../../helpers/raw.ts";

const shader = (path: string) => readFileSync(new URL(`../../../shaders/${path}`, import.meta.url), "utf8");

describe("the group kernel and its twin", () => {
  test("have the same constants", () => {
    const source = shader("lp/tolerances.wgsl");
    const declared = [...source.matchAll(/^const (\w+) = ([\d.e-]+)u?;/gm)];
    expect(Object.fromEntries(declared.map(([, name, value]) => [name, Number(value)]))).toEqual(constants);
    for (const { includes } of [groupKernel, subgroupKernel]) expect(includes).toContain(source);
  });

  // A pipeline takes seconds: of the shapes that share a padded size, one.
  const some = Object.keys(shapes).filter((name) => !["cube", "torus 8x4", "EP8 R8", "EP16 R32"].includes(name));
  test.each([false, true])(
    "agree on shapes and families; unequal speeds: %s",
    { timeout: 600_000 },
    async (unequalSpeeds) => {
      const differences: number[] = [];
      let left = 0;
      for (const instance of instances(some, Object.keys(families), 21, 1, unequalSpeeds)) {
        const { topology, loads } = await topologyAndLoads(instance);
        const answer = await solveGroup([topology], loads);
        const found = check([topology], loads, answer, instance.name);
        differences.push(...found.differences);
        left += found.left;
        expectOrdinary(instance.name, answer, {
          iterations: shader("lp/tolerances.wgsl"),
          moves: shader("lp/solve_params.wgsl"),
        });
      }
      expectSame(differences);
      expectFewLeft(left, differences.length, unequalSpeeds);
    },
  );

  test.each(Object.entries(wide))("agree on %s, its layers in one batch", async (name, shape) => {
    const { layers, loads } = modelWorkload(name, shape, 32);
    const topologies = layers.map(({ topology }) => topology);
    const answer = await solveGroup(topologies, loads);
    expectSame(check(topologies, loads, answer, name).differences);
  });

  test("agree on EP320 R64 at unequal speeds and with base loads of any sign", async () => {
    const { layers, loads } = modelWorkload("EP320 R64", wide["EP320 R64"], 8);
    const random = seeded(22);
    const speed = randomSpeeds(random, 320);
    const topologies = layers.map(({ form }) => toTopology(form, speed));
    const baseLoad = Int32Array.from({ length: 8 * 320 }, () => random.below(3000) - 500);
    const given: Loads = { ...loads, baseLoad };
    const { differences, left } = check(topologies, given, await solveGroup(topologies, given), "EP320 R64");
    expect(left).toBe(0);
    expectSame(differences);
  });
});

describe("the group kernel", () => {
  test("takes zero loads, negative base loads, one GPU and experts on every GPU", async () => {
    const placements: [number[], number][] = [
      [[0, 1, 1, 2, 2, 0], 3],
      [[0, 0, 0, 1], 2], // an expert twice on a GPU
      [[0, 1, 2], 1],
      [[0, 1, 0, 1, 0, 1], 3],
    ];
    for (const [map, gpus] of placements) {
      const topology = toTopology(Placement.fromPhysicalToLogical(map, { gpus }), undefined);
      const { experts } = topology;
      const rows = [0, 1, 2, 3].map((lp) =>
        Array.from({ length: experts }, (_, e) => (lp === 0 ? 0 : 90 * ((lp + e) % 3))),
      );
      const baseLoad = Int32Array.from({ length: 4 * gpus }, (_, i) => [7, -50, -1000][i % 3]);
      for (const base of [undefined, baseLoad]) {
        const loads: Loads = { batch: 4, tokens: "integer", expertLoad: Int32Array.from(rows.flat()), baseLoad: base };
        for (const variant of variants) {
          check([topology], loads, await solveGroup([topology], loads, { variant }), `${map} on ${gpus}`);
        }
      }
    }
  });

  const placement = randomPlacement(seeded(23), 8, 5, 8, 4);
  const topology = toTopology(placement, undefined);
  const mixed = (batch: number): Loads => {
    const random = seeded(24);
    const kinds = Object.values(families);
    const rows = Array.from({ length: batch }, (_, lp) => kinds[lp % kinds.length](random, topology.experts, 8));
    return { batch, tokens: "integer", expertLoad: Int32Array.from(rows.flat()), baseLoad: undefined };
  };

  test("solves each LP as if alone, past the end of a folded grid, and leaves skipped ones as they are", async () => {
    const loads = mixed(40);
    const together = await solveGroup([topology], loads, { grid: [7, 6] });
    check([topology], loads, together, "folded");
    const skip = Uint32Array.from({ length: 40 }, (_, lp) => lp % 3);
    const some = await solveGroup([topology], loads, { skip });
    const { experts, slots } = topology;
    for (let lp = 0; lp < 40; lp++) {
      const quota = some.quota.subarray(lp * slots, (lp + 1) * slots);
      if (skip[lp] !== 0) expect(new Uint32Array(quota)).toEqual(unwritten(slots));
      else expect(quota).toEqual(together.quota.subarray(lp * slots, (lp + 1) * slots));
    }
    const expertLoad = loads.expertLoad.slice(13 * experts, 14 * experts);
    const alone = await solveGroup([topology], { ...loads, batch: 1, expertLoad });
    expect(alone.quota).toEqual(together.quota.subarray(13 * slots, 14 * slots));
  });

  test("does not call optimal what it cannot prove: loads below 0 at unequal speeds", async () => {
    const given = negativeLoads();
    checkNegative(given, await solveGroup([given.topology], given.loads));
  });

  test("has a variant of one LP per subgroup, as good", async () => {
    const loads = mixed(40);
    check([topology], loads, await solveGroup([topology], loads, { variant: subgroup }), "subgroup");
    const work = modelWorkload("EP144 R32", wide["EP144 R32"], 8);
    const topologies = work.layers.map((layer) => layer.topology);
    const answer = await solveGroup(topologies, work.loads, { variant: subgroup });
    expectSame(check(topologies, work.loads, answer, "EP144 R32").differences);
  });

  test("chooses subgroups only where all have one size", () => {
    const offered = (features: string[], subgroupMinSize?: number, subgroupMaxSize?: number) =>
      groupLanes({
        features: new Set(features),
        adapterInfo: { subgroupMinSize, subgroupMaxSize },
      } as unknown as GPUDevice);
    expect(offered(["subgroups"], 32, 32)).toEqual({ kernel: "subgroup", lanes: 32 });
    expect(groupLanes(device)).toEqual(subgroup);
    for (const other of [offered(["subgroups"], 32, 64), offered([], 32, 32), offered([])]) {
      expect(other).toEqual(workgroup);
    }
  });
});
