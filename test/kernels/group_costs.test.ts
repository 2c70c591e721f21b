/** What the group kernel takes: barriers and workgroup memory, as its header has them. */
import { describe, expect, test } from "vitest";
import { modelWorkload } from "../../bench/workloads.ts";
import type { Kernel } from "../../src/gpu/pipeline.ts";
import { groupForm } from "../../src/group_form.ts";
import {
  groupBarriers,
  groupBytes,
  groupKernel,
  subgroupKernel,
  tooLargeForGroup,
  tooLargeTable,
} from "../../src/kernels/group.ts";
import { groupTable } from "../../src/kernels/group_table.ts";
import { type Loads, toTopology } from "../../src/problem.ts";
import { seeded } from "../../src/random.ts";
import type { Topology } from "../../src/topology.ts";
import { plainDevice } from "../helpers/devices.ts";
import { device, solveGroup, variants, wide } from "../helpers/group.ts";
import { families, randomPlacement, shapes } from "../helpers/instances.ts";

describe("barriers", () => {
  /** The same kernel, which counts its barriers in the word for the moves: those of the interior point, or all of them. */
  const counting = (all: boolean) => (text: string) => {
    const loads = new Map<string, string>();
    const counted = text
      .replaceAll("workgroupBarrier()", "count_barrier()")
      .replace(/workgroupUniformLoad\(&(\w+)\)/g, (_, name) => {
        loads.set(name, new RegExp(`var<workgroup> ${name}: ([^;]+);`).exec(text)![1]);
        return `count_${name}()`; // a barrier before and one after
      })
      .replace("let iterations = interior_point(", all ? "$&" : "barriers = 0u; $&")
      .replace("let finished = finish(", "counted = barriers; $&")
      .replace("= finished.moves;", all ? "= barriers;" : "= counted;");
    return [
      counted,
      "var<private> barriers: u32; var<private> counted: u32;",
      "fn count_barrier() { barriers++; workgroupBarrier(); }",
      ...[...loads].map(
        ([name, type]) => `fn count_${name}() -> ${type} { barriers += 2u; return workgroupUniformLoad(&${name}); }`,
      ),
    ].join("\n");
  };

  const placed = (name: string) => {
    const shape = shapes[name];
    if (!("placement" in shape)) throw new Error(name);
    return toTopology(shape.placement(seeded(25)), undefined);
  };
  const counted: Record<string, () => [Topology, Loads]> = {
    "EP144 R32": () => {
      const { layers, loads } = modelWorkload("EP144 R32", { ...wide["EP144 R32"], layers: 1 }, 4);
      return [layers[0].topology, loads];
    },
    "EP32 R32": () => {
      const topology = placed("EP32 R32");
      const random = seeded(26);
      const rows = Array.from({ length: 4 }, () => families.lognormal(random, topology.experts, 32));
      return [topology, { batch: 4, tokens: "integer", expertLoad: Int32Array.from(rows.flat()), baseLoad: undefined }];
    },
  };

  test.each(
    variants.flatMap((variant) => Object.keys(counted).map((name) => [variant.kernel, name, variant] as const)),
  )("are as many as the header says: %s, %s", async (_, name, variant) => {
    const [topology, loads] = counted[name]();
    const stages = groupForm(topology).elimination.stages.length - 1;
    const perIteration = groupBarriers(stages, variant);
    const inside = await solveGroup([topology], loads, { variant, edit: counting(false) });
    const all = await solveGroup([topology], loads, { variant, edit: counting(true) });
    for (let lp = 0; lp < loads.batch; lp++) {
      const once = variant.kernel === "workgroup" ? stages + 6 : stages + 3; // the start, and the measure of the last iterate
      expect(inside.moves[lp]).toBe(once + inside.iterations[lp] * perIteration);
      const rest =
        all.moves[lp] -
        inside.iterations[lp] * perIteration -
        (variant.kernel === "workgroup" ? stages + 22 : stages + 12);
      expect(rest).toBeGreaterThanOrEqual(0);
      expect(rest % 3).toBe(0); // raises of the bound
    }
    console.log(
      `${name}, ${variant.kernel}: ${stages} stages, ${perIteration} barriers an iteration, ${all.moves} per LP`,
    );
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
  });

  test("EP320 R64 fits the 16 KB of any device; what does not fit is told with both numbers", async () => {
    const plain = await plainDevice();
    const tables = Object.entries(wide).map(([name, shape]) => {
      const { layers } = modelWorkload(name, shape, 2);
      const table = groupTable(layers.map(({ topology }) => topology));
      console.log(`${name}: ${table.maxGpus} places, ${table.stages} stages, ${groupBytes(table)} bytes`);
      return [name, table, layers[0].topology] as const;
    });
    for (const [name, table, topology] of tables) {
      if (name === "EP128 R128") continue;
      expect(tooLargeTable(plain, table), name).toBeUndefined();
      expect(tooLargeForGroup(plain, topology), name).toBeUndefined();
    }
    const [, large] = tables.find(([name]) => name === "EP128 R128")!;
    expect(tooLargeTable(plain, large)).toMatch(
      /^an LP takes \d+ bytes of workgroup memory, and the device has 16384$/,
    );
    expect(tooLargeTable(device, large)).toBeUndefined();
    const huge = toTopology(randomPlacement(seeded(27), 1024, 2, 512, 2), undefined);
    expect(tooLargeForGroup(device, huge)).toMatch(/^an LP takes at least \d+ bytes/);
    plain.destroy();
  });
});
