/** What the specialised kernel takes: the scalars that live at once in its generated text, as its header and docs/internals.md have them. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { seeded } from "../../../src/common/random.ts";
import { topologies } from "../../../src/index.ts";
import { toTopology } from "../../../src/lp/forms.ts";
import { canonicalForm } from "../../../src/lp/kernels/canonical.ts";
import { specialise } from "../../../src/lp/kernels/generate.ts";
import { specialisedKernel } from "../../../src/lp/kernels/specialised.ts";
import type { Graph } from "../../../src/lp/problem.ts";
import type { Topology } from "../../../src/lp/topology.ts";
import { randomPlacement } from "../../helpers/instances.ts";
import { kernels, section } from "../../helpers/wgsl.ts";

/**
 * Scalars that live at each line: from their declaration to their last use. What was there before a loop and is used in it lives until
 * the loop's end.
 */
function liveScalars(lines: readonly string[]): number[] {
  const declared = new Map<string, number>();
  const lastUse = new Map<string, number>();
  const blocks: { isLoop: boolean; first: number; names: Set<string> }[] = [];
  for (const [i, line] of lines.entries()) {
    if (line.endsWith("{")) blocks.push({ isLoop: line === "loop {", first: i, names: new Set() });
    const own = /^(?:let|var) (\w+) =/.exec(line)?.[1];
    if (own) declared.set(own, i);
    for (const [name] of line.matchAll(/\b[vs]\d+\b/g)) {
      if (name === own) continue;
      lastUse.set(name, i);
      for (const { names } of blocks) names.add(name);
    }
    if (line !== "}") continue;
    const { isLoop, first, names } = blocks.pop()!;
    if (isLoop) for (const name of names) if (declared.get(name)! < first) lastUse.set(name, i);
  }
  const changes = new Array<number>(lines.length).fill(0);
  for (const [name, line] of declared) {
    if (!lastUse.has(name)) continue;
    changes[line]++;
    changes[lastUse.get(name)!]--;
  }
  let live = 0;
  return changes.map((change) => (live += change));
}

function costs(topology: Topology) {
  const form = canonicalForm(topology);
  const lines = specialise(form).wgsl.split("\n");
  const live = liveScalars(lines);
  const replicas = form.shape.experts.flat().length;
  return { replicas, peak: Math.max(...live), acrossSweep: live[lines.indexOf("loop {")] };
}

const graph = (r2o: number[][]): Graph => ({ gpus: r2o.length, edges: topologies.edges(r2o) });
const cube = costs(toTopology(graph(topologies.cube8()), undefined));
const text = section(kernels.find(({ stem }) => stem === "specialised")!, "Private")!;
const internals = readFileSync(new URL("../../../docs/internals.md", import.meta.url), "utf8");

test("counts what lives, in loops too", () => {
  const lines = [
    "let v0 = 1;",
    "var s1 = 2;",
    "loop {",
    "let v3 = s1 + 1;",
    "s1 = v3 + v0;",
    "}",
    "let v6 = s1;",
    "x = v6;",
  ];
  expect(liveScalars(lines)).toEqual([1, 2, 2, 3, 2, 1, 1, 0]);
});

test("the cube's scalars are about as many as stated", () => {
  const [, peak, across] = /about (\d+) for the cube, of which about (\d+) live across a sweep/.exec(text)!;
  const [, inInternals] = /\| specialised \|.* about (\d+) for the cube/.exec(internals)!;
  expect(inInternals).toBe(peak);
  expect(Math.abs(cube.peak - Number(peak)) / cube.peak).toBeLessThan(0.02);
  expect(Math.abs(cube.acrossSweep - Number(across)) / cube.acrossSweep).toBeLessThan(0.02);
});

test("scalars per replica are at most as many as stated", () => {
  const [, most] = /up to (\d+) scalars per replica at the peak/.exec(text)!;
  expect(internals).toContain(`up to ${most} R scalars at the peak`);
  const all = [
    graph(topologies.ring(8)),
    graph(topologies.hypercube16()),
    graph(topologies.torus2d(4, 4)),
    randomPlacement(seeded(1), 8, 4, 16, 4),
    randomPlacement(seeded(1), 16, 4, 32, 4),
    randomPlacement(seeded(1), 32, 4, 32, 4),
  ].map((form) => costs(toTopology(form, undefined)));
  for (const { replicas, peak } of [cube, ...all]) expect(peak).toBeLessThanOrEqual(Number(most) * replicas);
});

test("there is no skip", () => {
  const { header, code } = kernels.find(({ stem }) => stem === "specialised")!;
  expect(header.replaceAll("\n", " ")).toContain("There is no binding `skip`, and params.has_skip is not read");
  expect(Object.keys(specialisedKernel.bindings)).not.toContain("skip");
  expect(code).not.toMatch(/\bskip\b|has_skip/);
});
