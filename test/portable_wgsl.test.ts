/** What every compiler of WGSL takes: naga (Firefox, Deno) wants more than the one under these tests, Tint, does. tools/compat asks naga itself. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { create } from "webgpu";
import { seeded } from "../src/common/random.ts";
import { createBalancer, createSolver, Placement, topologies } from "../src/index.ts";
import { toTopology } from "../src/lp/forms.ts";
import { canonicalForm } from "../src/lp/kernels/canonical.ts";
import { specialise } from "../src/lp/kernels/generate.ts";
import { compileGroup } from "../src/lp/kernels/group.ts";
import { groupTable } from "../src/lp/kernels/group_table.ts";
import { compilePrice } from "../src/serving/kernels/price.ts";
import { compileReplay } from "../src/serving/kernels/replay.ts";
import { shared } from "./helpers/batches.ts";
import { randomPlacement, randomSpeeds } from "./helpers/instances.ts";

/** Names of functions that have a result and do not end with `return`, and how many functions with a result there are. */
function withoutReturn(wgsl: string): { found: string[]; functions: number } {
  const code = wgsl.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, "");
  const heads = [...code.matchAll(/\bfn\s+(\w+)\s*\([^{]*?\)\s*->\s*[^{]*\{/g)];
  const found = heads.filter((head) => !/^return\b/.test(lastStatement(code, head.index + head[0].length)));
  return { found: found.map(([, name]) => name), functions: heads.length };
}

/** The last statement of the body that starts at `from`: what follows the last `;` or block that is not inside another. */
function lastStatement(code: string, from: number): string {
  let depth = 1;
  let start = from;
  let last = "";
  for (let at = from; depth > 0; at++) {
    if (at >= code.length) throw new Error("A body without an end.");
    if (code[at] === "{") depth++;
    if (code[at] === "}") depth--;
    if (depth > 1 || (code[at] !== "}" && code[at] !== ";")) continue;
    if (depth === 1) last = code.slice(start, at + 1).trim();
    start = at + 1;
  }
  return last;
}

const root = new URL("../", import.meta.url);
const files = ["shaders/", "bench/"].flatMap((folder) =>
  readdirSync(new URL(folder, root), { recursive: true })
    .map((name) => `${folder}${name}`)
    .filter((name) => name.endsWith(".wgsl")),
);

const random = seeded(301);
const r2oPlacement = (r2o: number[][]) =>
  Placement.fromRedundantToOriginal(r2o, { logicalExperts: 4 * r2o.length, epSize: r2o.length });
const placements: Record<string, Placement> = {
  cube: r2oPlacement(topologies.cube8()),
  "torus 4x3": r2oPlacement(topologies.torus2d(4, 3)),
  "EP8, up to 4 replicas": randomPlacement(random, 8, 6, 20, 4),
  "EP16 R32": randomPlacement(random, 16, 6, 32, 4),
  "experts twice on a GPU": Placement.fromPhysicalToLogical([0, 0, 1, 1, 0, 2, 2, 1, 2, 0, 3, 4], { gpus: 3 }),
  "nothing to choose": Placement.fromPhysicalToLogical([0, 1, 2, 3], { gpus: 4 }),
  "40 GPUs, two words of proof": randomPlacement(random, 40, 3, 20, 2),
};

describe("every function with a result ends with return", () => {
  test("in each shader", () => {
    const checked = files.map((file) => ({ file, ...withoutReturn(readFileSync(new URL(file, root), "utf8")) }));
    expect(checked.filter(({ found }) => found.length > 0)).toEqual([]);
    expect(checked.reduce((sum, { functions }) => sum + functions, 0)).toBeGreaterThan(50);
  });

  test.each(Object.keys(placements))("in the text that is generated for %s", (name) => {
    const placement = placements[name];
    for (const speed of [undefined, randomSpeeds(random, placement.gpus)]) {
      const { wgsl } = specialise(canonicalForm(toTopology(placement, speed)));
      expect(withoutReturn(wgsl)).toEqual({ found: [], functions: speed ? 1 : 0 });
    }
  });

  test.each([
    ["an endless loop", "loop { if (x > 1u) { return x; } }"],
    ["a loop after a return", "if (x == 0u) { return 0u; } loop { return x; }"],
    ["branches", "if (x > 1u) { return x; } else { return 0u; }"],
    ["a return that is a comment", "loop { return x; } // return x;"],
    ["another word", "loop { return x; } returned = 1u;"],
    ["nothing", ""],
  ])("and the test finds one that ends with %s", (_, body) => {
    const good = "fn good(x: u32) -> u32 { loop { break; } return x; }\nfn none() { loop { return; } }";
    const wgsl = `${good}\nfn bad(x: u32) -> @location(0) u32 { ${body}\n}\n@compute fn main() { good(1u); }`;
    expect(withoutReturn(wgsl)).toEqual({ found: ["bad"], functions: 2 });
  });
});

test("Tint has nothing to say about any module, no warning of code out of reach either", async () => {
  const gpu = create(["backend=null"]); // validates and runs nothing
  const device = await (await gpu.requestAdapter())!.requestDevice({ requiredFeatures: ["subgroups"] });
  const made = vi.spyOn(device, "createShaderModule");
  for (const speed of [undefined, randomSpeeds(random, 8)]) {
    for (const kernel of ["lane", "group", "specialised"] as const) {
      const solver = await createSolver(shared.placement[0], { backend: "webgpu", kernel, speed, device });
      await solver.ready;
      expect(solver.plan.kernel).toBe(kernel);
      solver.destroy();
    }
    const cost = { model: "roofline", perExpert: 6.3, perToken: 0.035 } as const;
    (await createSolver(shared.placement[0], { backend: "webgpu", speed, cost, device })).destroy();
    const table = groupTable([toTopology(shared.placement[0], speed)]);
    for (const kernel of ["workgroup", "subgroup"] as const) {
      await compileGroup(device, table, speed === undefined, { kernel, lanes: 64 });
    }
  }
  for (const late of [false, true]) (await createBalancer({ ...shared, late, device })).destroy();
  (await createBalancer({ ...shared, nodes: 2, device })).destroy();
  const cost = { model: "affine", perExpert: 6.3, perToken: 0.035 } as const;
  (await createBalancer({ ...shared, cost, device })).destroy();
  await compilePrice(device);
  await compileReplay(device);
  const modules = made.mock.results.map(({ value }) => value as GPUShaderModule);
  const infos = await Promise.all(modules.map((module) => module.getCompilationInfo()));
  expect(infos.flatMap(({ messages }) => messages.map(({ message }) => message))).toEqual([]);
  const kernels = new Set(modules.map(({ label }) => label.split(" ")[0]));
  const stems = files
    .filter((file) => file.startsWith("shaders/") && readFileSync(new URL(file, root), "utf8").includes("@compute"))
    .map((file) => /(\w+)\.wgsl$/.exec(file)![1]);
  expect([...kernels].sort()).toEqual(stems.sort());
});
