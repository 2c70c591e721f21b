/** What the group kernel takes: barriers and workgroup memory, as its header has them. */
import { describe, expect, test } from "vitest";
import { modelWorkload } from "../../../bench/workloads.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import type { Kernel } from "../../../src/gpu/pipeline.ts";
import type { Placement } from "../../../src/index.ts";
import { toTopology } from "../../../src/lp/forms.ts";
import { groupForm } from "../../../src/lp/group_form.ts";
import { group, groupBarriers, groupBytes, groupKernel, subgroupKernel } from "../../../src/lp/kernels/group.ts";
import { groupTable } from "../../../src/lp/kernels/group_table.ts";
import type { Loads } from "../../../src/lp/problem.ts";
import type { Topology } from "../../../src/lp/topology.ts";
import { plainDevice } from "../../helpers/devices.ts";
import { device, solveGroup, variants, wide, workgroup } from "../../helpers/group.ts";
import { families, randomPlacement, randomSpeeds, shapes } from "../../helpers/instances.ts";
import { figure, fragments, kernels, section } from "../../helpers/wgsl.ts";

const shaderOf = (stem: string) => [...kernels, ...fragments].find((shader) => shader.stem === stem)!;

describe("barriers", () => {
  /**
   * The same kernel, which counts its barriers in the word for the moves: those of reading the problem, of the interior point and of the
   * finish, and in the finish the raises of the bound and the looks at the time.
   */
  function counting(text: string): string {
    const loads = new Map<string, string>();
    const counted = text
      .replace("let least = threshold(lane);", "let least = 0.0 * threshold(lane);") // a poor cut, so that bounds are raised
      .replaceAll("workgroupBarrier()", "count_barrier()")
      .replace(/workgroupUniformLoad\(&(\w+)\)/g, (_, name) => {
        loads.set(name, new RegExp(`var<workgroup> ${name}: ([^;]+);`).exec(text)![1]);
        return `count_${name}()`; // a barrier before and one after
      })
      .replace("let iterations = interior_point(", "let of_problem = barriers; $&")
      .replace("let finished = finish(", "let of_interior_point = barriers - of_problem; $&")
      .replace("write_quotas(p, lane);", "let of_finish = barriers - of_problem - of_interior_point; $&")
      .replace("let all = reduce_counts(own, lane);", "looks++; $&")
      .replace("write_proof(p, lane,", "counts = array(of_problem, of_interior_point, of_finish, raises, looks); $&")
      .replace("= finished.moves;", `= ${BITS.map((_, i) => `(counts[${i}] << ${shiftOf(i)}u)`).join(" | ")};`);
    return [
      counted,
      "var<private> barriers: u32; var<private> looks: u32; var<private> counts: array<u32, 5>;",
      "fn count_barrier() { barriers++; workgroupBarrier(); }",
      ...[...loads].map(
        ([name, type]) => `fn count_${name}() -> ${type} { barriers += 2u; return workgroupUniformLoad(&${name}); }`,
      ),
    ].join("\n");
  }
  const BITS = [4, 9, 9, 4, 6];
  const shiftOf = (i: number) => BITS.slice(0, i).reduce((a, b) => a + b, 0);
  const unpack = (word: number) => BITS.map((bits, i) => (word >>> shiftOf(i)) & (2 ** bits - 1));

  const wideCase = (): [Topology, Loads] => {
    const { layers, loads } = modelWorkload("EP144 R32", { ...wide["EP144 R32"], layers: 1 }, 4);
    return [layers[0].topology, loads];
  };
  /** Three stages, unequal speeds, loads of all kinds, and none at all. */
  const unequalCase = (): [Topology, Loads] => {
    const random = seeded(26);
    const shape = shapes["EP32 R32"] as { placement: (random: Random) => Placement };
    const topology = toTopology(shape.placement(seeded(25)), randomSpeeds(random, 32));
    const rows = Object.values(families).flatMap((family) => [0, 1, 2].map(() => family(random, topology.experts, 32)));
    rows.push(new Array<number>(topology.experts).fill(0));
    const expertLoad = Int32Array.from(rows.flat());
    return [topology, { batch: rows.length, tokens: "integer", expertLoad, baseLoad: undefined }];
  };
  const cases = { "EP144 R32": wideCase, "EP32 R32, unequal speeds": unequalCase };

  test.each(
    variants.flatMap((variant) =>
      Object.entries(cases).map(([name, of]) => [variant.kernel, name, variant, of] as const),
    ),
  )("are as many as the headers say: %s, %s", async (kernel, name, variant, of) => {
    const [topology, loads] = of();
    const S = groupForm(topology).elimination.stages.length - 1;
    const { moves, iterations } = await solveGroup([topology], loads, { variant, edit: counting });
    /** A figure of a header, and in brackets the one with subgroups. */
    const stated = (file: string, pattern: RegExp) => {
      const [, workgroup, subgroup] = pattern.exec(section(shaderOf(file), "Barriers")!)!;
      return figure(kernel === "workgroup" ? workgroup : subgroup, { S });
    };
    const perIteration = stated("group_interior_point", /^(.*?) per iteration \((.*?) with subgroups\)/);
    expect(perIteration).toBe(groupBarriers(S, variant));
    expect(stated("group", /^(.*?) per iteration for S stages of the elimination, (.*?) with subgroups/)).toBe(
      perIteration,
    );
    const perLp = stated("group_interior_point", /Once per LP (.*?) \((.*?)\):/);
    const firstCut = stated("group_finish", /^(\d+) \((\d+) with subgroups\) for the first cut/);
    const eachTime = figure(
      /and (\d+) for each time that lane 0/.exec(section(shaderOf("group_finish"), "Barriers")!)![1],
      {},
    );
    const eachRaise = topology.equalSpeeds
      ? 0
      : stated("group_finish", /speeds (\d+) \((\d+)\) for the first cut and for each raise/);
    const eachLook = topology.equalSpeeds ? 0 : stated("group_finish", /and (\d+) \((\d+)\) for each look at the time/);
    const ofProblem = stated("group_problem", /^(\d+) \((\d+) with subgroups\)/);
    const once = stated("group", /Once per LP (.*?) \((.*?)\), and 3 for each raise/);
    expect(once).toBe(ofProblem + perLp + firstCut + eachTime);

    const withoutChoice = /Without a choice (\d+) \+ (\d+)\.$/.exec(section(shaderOf("group_finish"), "Barriers")!)!;
    let raised = 0;
    for (const [lp, word] of moves.entries()) {
      const [problem, interiorPoint, finish, raises, looks] = unpack(word);
      expect(problem).toBe(ofProblem);
      if (iterations[lp] === 0 && interiorPoint === 0) {
        expect([finish, raises, looks]).toEqual([Number(withoutChoice[1]) + Number(withoutChoice[2]), 0, 0]);
        continue;
      }
      expect(interiorPoint).toBe(perLp + iterations[lp] * perIteration);
      expect(finish).toBe(firstCut + (1 + raises) * (eachTime + eachRaise) + looks * eachLook);
      raised += raises;
      if (!topology.equalSpeeds) expect(looks).toBeGreaterThan(raises);
    }
    expect(raised).toBeGreaterThan(0);
    console.log(`${name}, ${kernel}: ${S} stages, ${perIteration} barriers an iteration, ${raised} raises`);
  });
});

describe("workgroup memory", () => {
  test.each(variants)("is what the formula says: $kernel", ({ kernel, lanes }) => {
    const { wgsl, includes }: Kernel = kernel === "subgroup" ? subgroupKernel : groupKernel;
    const sizes = { maxGpus: 64, maxReplicas: 128, maxEntries: 32 };
    const lengths: Record<string, number> = {
      MAX_GPUS: 64,
      MAX_REPLICAS: 128,
      MAX_EXPERTS: 64,
      MAX_ENTRIES: 32,
      WG: lanes,
    };
    const structs: Record<string, number> = { Gathered: 8 * 32, Totals: 32, Counts: 16, Moves: 16 };
    let bytes = 0;
    for (const [, type] of [wgsl, ...includes].join("\n").matchAll(/^var<workgroup> \w+: ([^;]+);/gm)) {
      const array = /^array<(\w+), (\w+)>$/.exec(type);
      bytes += array ? (array[1].startsWith("vec4") ? 16 : 4) * lengths[array[2]] : structs[type];
    }
    expect(groupBytes(sizes, { kernel, lanes })).toBe(bytes);
    // The last two terms of the header's formula are those of the reductions and the moves.
    const [, rest] = /with subgroups (\d+) for the last two terms/.exec(section(shaderOf("group"), "Workgroup")!)!;
    if (kernel === "subgroup") expect(bytes).toBe(52 * 64 + 26 * 128 + 8 * 32 + Number(rest));
    const reduction = shaderOf(`${kernel}_reduce`);
    const [, own] = /: (.*) bytes/.exec(section(reduction, "Declares")!)!;
    expect(figure(own, { WG: lanes, GATHERERS: 8 })).toBe(bytes - (52 * 64 + 26 * 128 + 8 * 32) - 16);
  });

  test("of wide placements, their records and their stages are what the header says", () => {
    const group = shaderOf("group");
    const [, formula, ep320, ep144] =
      /^(.*?) bytes, .*: ([\d,]+) for EP320 with 64 redundant experts, ([\d,]+) for EP144 with 32/.exec(
        section(group, "Workgroup")!,
      )!;
    const [, least, most] = /The record, (\d+) to (\d+) KB for these/.exec(section(group, "Traffic")!)!;
    const tables = Object.fromEntries(
      Object.entries(wide).map(([name, shape]) => [
        name,
        modelWorkload(name, shape, 2).layers.map(({ topology }) => topology),
      ]),
    );
    const stages: Record<string, number[]> = {};
    for (const [name, topologies] of Object.entries(tables)) {
      const table = groupTable(topologies);
      const { maxGpus, maxReplicas, maxEntries, stride } = table;
      const sizes = { MAX_GPUS: maxGpus, MAX_REPLICAS: maxReplicas, MAX_ENTRIES: maxEntries, WG: workgroup.lanes };
      expect(figure(formula, sizes), name).toBe(groupBytes(table, workgroup));
      stages[name] = topologies.map((topology) => groupTable([topology]).stages);
      if (name === "EP128 R128") continue;
      expect(4 * stride, name).toBeGreaterThan(1000 * (Number(least) - 1));
      expect(4 * stride, name).toBeLessThan(1000 * (Number(most) + 1));
    }
    expect(figure(ep320, {})).toBe(groupBytes(groupTable(tables["EP320 R64"]), workgroup));
    expect(figure(ep144, {})).toBe(groupBytes(groupTable(tables["EP144 R32"]), workgroup));
    expect(section(group, "Barriers")).toContain(
      "S is 1 or 2 for EP144 and EP320, 3 for EP64 with 64 redundant experts.",
    );
    expect(new Set([...stages["EP144 R32"], ...stages["EP320 R64"]])).toEqual(new Set([1, 2]));
    expect(new Set(stages["EP64 R64"])).toEqual(new Set([3]));
  });

  test("EP320 R64 fits the 16 KB of any device; what does not fit is told with both numbers", async () => {
    const plain = await plainDevice();
    const tables = Object.entries(wide).map(([name, shape]) => {
      const { layers } = modelWorkload(name, shape, 2);
      const topologies = layers.map(({ topology }) => topology);
      const table = groupTable(topologies);
      console.log(`${name}: ${table.maxGpus} places, ${table.stages} stages, ${groupBytes(table)} bytes`);
      return [name, topologies] as const;
    });
    for (const [name, topologies] of tables) {
      if (name === "EP128 R128") continue;
      expect(group.refuses(plain, topologies), name).toBeUndefined();
      expect(group.refuses(plain, topologies.slice(0, 1)), name).toBeUndefined();
    }
    const [, large] = tables.find(([name]) => name === "EP128 R128")!;
    expect(group.refuses(plain, large)).toMatch(
      /^an LP takes \d+ bytes of workgroup memory, and the device has 16384$/,
    );
    expect(group.refuses(device, large)).toBeUndefined();
    const huge = toTopology(randomPlacement(seeded(27), 1024, 2, 512, 2), undefined);
    expect(group.refuses(device, [huge])).toMatch(/^an LP takes at least \d+ bytes/);
    plain.destroy();
  });
});
