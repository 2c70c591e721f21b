import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { generateLoads } from "../../src/cli/reports/generated_loads.ts";
import type { optimizePlacement } from "../../src/index.ts";

/** The built package: threads run dist/worker.js, which lies beside it. */
const dist = new URL("../../dist/", import.meta.url).pathname;
/** Without what threads run. */
const bundle = readdirSync(dist).filter((file) => /^node(_chunk_\w+)?\.js(\.map)?$/.test(file));
const built = async (folder: string) =>
  (await import(join(folder, "node.js"))) as { optimizePlacement: typeof optimizePlacement };

const folder = mkdtempSync(join(tmpdir(), "evenkeel-threads-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [steps, layers, experts] = [40, 4, 32];
const { loads } = generateLoads({ steps, layers, experts }, 3);
const history = { loads, steps, layers, experts };
const options = { gpus: 16, redundant: 16, backend: "cpu", budgetMs: 600_000 } as const;

test("the answer is the same on any number of threads", async () => {
  const { optimizePlacement } = await built(dist);
  const [one, ...more] = await Promise.all(
    [1, 2, 3, 50].map((threads) => optimizePlacement(history, { ...options, threads })),
  );
  expect(one.crew).toEqual({ threads: 1, why: undefined });
  expect(more.map(({ crew }) => crew.threads)).toEqual([2, 3, layers]);
  for (const { crew: _, reason: __, ...rest } of more) expect(one).toMatchObject(rest);
});

test("costs and fractions go to threads, too", async () => {
  const { optimizePlacement } = await built(dist);
  const cost = { model: "roofline", perExpert: 5, perToken: 0.1 } as const;
  const fractions = { ...history, loads: Float64Array.from(loads, (load) => load / 3) };
  for (const [given, more] of [
    [history, { cost }],
    [fractions, { speed: new Array(16).fill(2) }],
  ] as const) {
    const one = await optimizePlacement(given, { ...options, ...more });
    const two = await optimizePlacement(given, { ...options, ...more, threads: 2 });
    expect(two.crew.threads).toBe(2);
    expect(two.placements).toEqual(one.placements);
  }
});

test("a signal ends them at once, with its reason; progress goes up to 1", async () => {
  const { optimizePlacement } = await built(dist);
  const controller = new AbortController();
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 200);
  const long = { ...history, experts: 32, loads };
  const begun = performance.now();
  const { signal } = controller;
  await expect(optimizePlacement(long, { ...options, gpus: 32, redundant: 32, threads: 2, signal })).rejects.toBe(
    reason,
  );
  expect(performance.now() - begun).toBeLessThan(60_000);
  const seen: number[] = [];
  await optimizePlacement(history, { ...options, budgetMs: 500, threads: 2, onProgress: (share) => seen.push(share) });
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(seen).toHaveLength(layers);
  expect(seen.at(-1)).toBe(1);
});

test("without the worker's file one thread does it all, and says why", async () => {
  for (const file of bundle) cpSync(join(dist, file), join(folder, file));
  const { optimizePlacement } = await built(folder);
  const { crew, placements } = await optimizePlacement(history, { ...options, budgetMs: 500, threads: 2 });
  expect(crew).toEqual({ threads: 1, why: expect.stringContaining("worker.js is not there") });
  expect(placements).toHaveLength(layers);
});

test("with another's worker.js beside it, too", async () => {
  const beside = mkdtempSync(join(folder, "beside-"));
  for (const file of [...bundle, "entry"]) cpSync(join(dist, file), join(beside, file), { recursive: true });
  writeFileSync(join(beside, "worker.js"), "export const draft = 1;");
  const { optimizePlacement } = await built(beside);
  const { crew } = await optimizePlacement(history, { ...options, budgetMs: 0, threads: 2 });
  expect(crew).toEqual({ threads: 1, why: expect.stringContaining("Worker threads do not start: ") });
});
