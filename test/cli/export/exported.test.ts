/** What is exported, compiled and called as a runtime would; CUDA's text as plain C++, since it needs no GPU to be right. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { exportedSource, targets } from "../../../src/cli/export/exported_source.ts";
import { type Random, seeded } from "../../../src/common/random.ts";
import { Placement, topologies } from "../../../src/index.ts";
import {
  type Batch,
  callFromPython,
  compileC,
  compileCuda,
  compileCudaAsCpp,
  cudaIsHere,
  gccIsHere,
  numpyIsHere,
  replayGraph,
  writeExported,
} from "../../helpers/exported.ts";
import { families, randomPlacement, shapes } from "../../helpers/instances.ts";
import { expectedShares, judgeOf } from "./judge.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-exported-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** GPUs and experts by other names. */
function relabelled(placement: Placement, random: Random): Placement {
  const { gpus, logicalExperts, physicalToLogical, gpuOf, slotsPerGpu } = placement;
  const name = random.shuffle([...Array(logicalExperts).keys()]);
  const order = random.shuffle([...Array(gpus).keys()]);
  const map = order.flatMap((g) =>
    random.shuffle([...physicalToLogical].filter((_, slot) => gpuOf[slot] === g)).map((e) => (e < 0 ? e : name[e])),
  );
  return Placement.fromPhysicalToLogical(map, { gpus, logicalExperts, slotsPerGpu: order.map((g) => slotsPerGpu[g]) });
}

/** Empty slots, lost experts, an expert several times on a GPU, unequal numbers of slots, a GPU without any. */
const odd = Placement.fromPhysicalToLogical([0, 1, -1, 2, 2, 2, 0, 3, 4, 0, 0, 5, -1, 1, 7, 7, 5, 1], {
  ...{ gpus: 6, slotsPerGpu: [3, 5, 4, 0, 2, 4], logicalExperts: 9 },
});

const random = seeded(19);
const drawn = (name: string) => (shapes[name] as { placement: (random: Random) => Placement }).placement(random);
const graph = (r2o: number[][]) =>
  Placement.fromRedundantToOriginal(r2o, { logicalExperts: 8 * r2o.length, epSize: r2o.length });
const names = [
  "EP8 R8",
  "EP8, 4 replicas",
  "EP16 R32",
  "EP32 R32",
  "experts everywhere",
  "1 GPU",
  "2 GPUs",
  "disconnected",
];
const placements: [string, Placement][] = [
  ...names.map((name): [string, Placement] => [name, drawn(name)]),
  ["cube", graph(topologies.cube8())],
  ["hypercube", graph(topologies.hypercube16())],
  ["more than 32 GPUs", randomPlacement(random, 40, 2, 12, 3)],
  ["odd slots", odd],
];

/** Layers 0 and 3 have the same topology up to labels; 1 and 2 are not exported. */
const layersOf = (placement: Placement) =>
  new Map([
    [0, placement],
    [3, relabelled(placement, seeded(7))],
  ]);

const LARGEST = 2 ** 31 - 1;

/** Batches of one family, with base loads of any sign in every other. */
function batchesOf(placement: Placement, family: string, sizes: readonly number[], random: Random): Batch[] {
  const { gpus, logicalExperts: experts } = placement;
  return sizes.map((batch, i) => {
    const load = Int32Array.from(Array.from({ length: batch }, () => families[family](random, experts, gpus)).flat());
    if (i % 2 === 0) return { layer: i % 4 < 2 ? 0 : 3, batch, load };
    const base = new Int32Array(batch * gpus);
    for (let p = 0; p < batch; p++) {
      const tokens = load.subarray(p * experts, (p + 1) * experts).reduce((a, b) => a + b, 0);
      const room = Math.min(8192, Math.floor((LARGEST - tokens) / gpus));
      for (let g = 0; g < gpus; g++) base[p * gpus + g] = random.below(2 * room + 1) - room;
    }
    return { layer: i % 4 < 2 ? 0 : 3, batch, load, base };
  });
}

/** 850 LPs of each family. */
const sizes = [1, 2, 3, 5, 64, 7, 1, 4, 64, 99, 300, 300];

/** What is asked of a placement's library, and who judges it: the same for every target, so that each optimum is computed once. */
function examOf(placement: Placement) {
  const layers = layersOf(placement);
  const batches = Object.keys(families).flatMap((family, i) => batchesOf(placement, family, sizes, seeded(100 + i)));
  const judges = new Map([...layers].map(([layer, one]) => [layer, judgeOf(one)]));
  return { layers, batches, judges };
}
const exams = new Map<Placement, ReturnType<typeof examOf>>();

function judgeAll(where: string, placement: Placement): { solved: number; faults: string[] } {
  const exam = exams.get(placement) ?? examOf(placement);
  exams.set(placement, exam);
  const { layers, batches, judges } = exam;
  const { physicalExperts: slots, logicalExperts: experts, maxReplicas, gpus } = placement;
  const answers = callFromPython(where, batches, {
    slots,
    words: 3 + Math.ceil(gpus / 32),
    shares: experts * maxReplicas,
  });
  let solved = 0;
  const faults: string[] = [];
  for (const [i, batch] of batches.entries()) {
    const answer = answers[i];
    if (answer.left !== 0) faults.push(`batch ${i}: ${answer.left} left`);
    for (let lp = 0; lp < batch.batch; lp++) {
      faults.push(...judges.get(batch.layer)!(batch, answer, lp).map((fault) => `batch ${i}, LP ${lp}: ${fault}`));
      solved++;
    }
    const quota = answer.quota.subarray(0, slots);
    const expected = expectedShares(layers.get(batch.layer)!, quota, maxReplicas);
    const shares = [...answer.shares.subarray(0, expected.length)];
    if (shares.join() !== expected.join()) faults.push(`batch ${i}: shares ${shares} instead of ${expected}`);
  }
  return { solved, faults: faults.slice(0, 5) };
}

test("layers that differ in labels share a solve, and the same text comes each time", () => {
  for (const target of targets) {
    for (const [name, placement] of placements) {
      const layers = layersOf(placement);
      const text = exportedSource(layers, target);
      expect(text.match(/^FUNCTION void solve_\d/gm), name).toHaveLength(1);
      expect(exportedSource(layers, target)).toBe(text);
    }
    const [[, one], [, other]] = placements;
    const text = exportedSource(
      new Map([
        [0, one],
        [1, randomPlacement(seeded(3), 8, 5, 8, 4)],
        [5, one],
      ]),
      target,
    );
    expect(text.match(/^FUNCTION void solve_\d/gm)).toHaveLength(2);
    expect(text).toContain("{\n  0, 1, -1, -1, -1, 0,\n};");
    expect(() =>
      exportedSource(
        new Map([
          [0, one],
          [1, other],
        ]),
        target,
      ),
    ).toThrow(/logicalExperts: expected 32/);
  }
});

const missing = gccIsHere && numpyIsHere ? "" : " (skipped: no gcc, g++ or python3 with numpy here)";
const totals = new Map<string, number>();

describe.skipIf(missing)(`compiled by gcc, called by ctypes${missing}`, () => {
  test.each(placements)("C: %s", (name, placement) => {
    const where = writeExported(join(folder, `c ${name}`), layersOf(placement), "c");
    compileC(where);
    const { solved, faults } = judgeAll(where, placement);
    expect(faults).toEqual([]);
    totals.set("c", (totals.get("c") ?? 0) + solved);
  });

  test.each(placements)("CUDA as C++: %s", (name, placement) => {
    const where = writeExported(join(folder, `cuda ${name}`), layersOf(placement), "cuda");
    compileCudaAsCpp(where);
    const { solved, faults } = judgeAll(where, placement);
    expect(faults).toEqual([]);
    totals.set("cuda", (totals.get("cuda") ?? 0) + solved);
  });

  test("that were 100,000 LPs of each", () => {
    for (const target of targets) expect(totals.get(target)).toBeGreaterThanOrEqual(100_000);
  });

  test("what is wrong is found: too few rounds, and quotas that are not those of the loads", () => {
    const where = writeExported(join(folder, "wrong"), layersOf(odd), "c");
    const source = join(where, "evenkeel.c");
    writeFileSync(source, readFileSync(source, "utf8").replaceAll("whole(256)", "whole(0)"));
    compileC(where);
    const [, placement] = placements[1];
    expect(judgeAll(where, odd).faults.join()).toMatch(/left.*status 1/);
    const good = writeExported(join(folder, "other"), layersOf(placement), "c");
    writeFileSync(
      join(good, "evenkeel.c"),
      readFileSync(join(good, "evenkeel.c"), "utf8").replace("= tokens;", "= tokens + whole(1);"),
    );
    compileC(good);
    expect(judgeAll(good, placement).faults.join()).toMatch(/not served/);
  });
});

const noGpu = cudaIsHere ? "" : " (skipped: no nvcc here, or no torch that reaches a GPU)";

describe.skipIf(noGpu)(`compiled by nvcc, called through torch on a GPU${noGpu}`, () => {
  test.each(placements)("%s", (name, placement) => {
    const where = writeExported(join(folder, `gpu ${name}`), layersOf(placement), "cuda");
    compileCuda(where);
    const { solved, faults } = judgeAll(where, placement);
    expect(faults).toEqual([]);
    expect(solved).toBeGreaterThan(8000);
  });

  test("a CUDA graph may capture both calls", () => {
    const [, placement] = placements[2];
    const where = writeExported(join(folder, "graph"), layersOf(placement), "cuda");
    compileCuda(where);
    expect(replayGraph(where, 3)).toBe("as without a graph\n");
  });
});
