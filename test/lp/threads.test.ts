import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test, vi } from "vitest";
import {
  ArgumentError,
  createSolver,
  type Placement,
  type SolverOptions,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { LEAST_BATCH } from "../../src/lp/cpu_threads.ts";
import { expectSame, type Given, graph, inBatch, type Mode, modes, most, names, placement } from "./thread_modes.ts";

/** The built package: threads run dist/worker.js, which lies beside it. */
const dist = new URL("../../dist/", import.meta.url).pathname;
/** Without what threads run. */
const bundle = readdirSync(dist).filter((file) => /^node(_chunk_\w+)?\.js(\.map)?$/.test(file));
interface Built {
  createSolver: typeof createSolver;
  solveLoadBalanceLP: typeof solveLoadBalanceLP;
}
const built = async (folder: string) => (await import(join(folder, "node.js"))) as Built;
const { createSolver: create, solveLoadBalanceLP: solve } = await built(dist);

const folder = mkdtempSync(join(tmpdir(), "evenkeel-solver-threads-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** On the CPU, with all that is to come there. */
async function solverOf(mode: Mode, threads: number, make = create) {
  const { form, options } = modes[mode];
  const solver = await make(form as Placement, { ...options, backend: "cpu", threads } as SolverOptions);
  await solver.ready;
  return solver;
}

describe("the same answers on any number of threads, bit for bit", () => {
  test.each(names)("%s", async (mode) => {
    const { batch, call } = modes[mode];
    const [one, ...more] = await Promise.all([1, 2, 3].map((threads) => solverOf(mode, threads)));
    // The smallest shared one comes again last: in memory that a larger batch has left.
    for (const size of [1, 3, LEAST_BATCH - 1, LEAST_BATCH, LEAST_BATCH + 5, most, LEAST_BATCH]) {
      const loads = batch(size) as Given;
      const expected = await one.solve(loads, call);
      for (const solver of more) {
        const found = await solver.solve(loads, call);
        expectSame(found, expected);
        const arrays = Object.values(found).filter((part) => ArrayBuffer.isView(part));
        expect(arrays.length).toBeGreaterThan(7);
        for (const { buffer } of arrays) expect(buffer).toBeInstanceOf(ArrayBuffer); // the caller's to keep
      }
    }
    for (const solver of more) expect(solver.plan).toEqual(one.plan);
    for (const solver of [one, ...more]) solver.destroy();
  });
});

describe("whatever happens under way", () => {
  const mode = "fractions";
  const { batch } = modes[mode];
  const large = batch(most) as Given;
  const other = batch(LEAST_BATCH + 5) as Given;
  const pair = async () => [await solverOf(mode, 1), await solverOf(mode, 2)] as const;

  test("calls that overlap wait for each other", async () => {
    const [one, two] = await pair();
    const calls = [large, other, batch(3) as Given, large];
    const found = await Promise.all(calls.map((loads) => two.solve(loads)));
    for (const [i, loads] of calls.entries()) expectSame(found[i], await one.solve(loads));
    two.destroy();
  });

  test("a signal stops it with its reason, and the next call is as ever", async () => {
    const [one, two] = await pair();
    const controller = new AbortController();
    const reason = new Error("enough");
    const stopped = two.solve(tenfold(large), { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 30);
    await expect(stopped).rejects.toBe(reason);
    expectSame(await two.solve(other), await one.solve(other));
    two.destroy();
  });

  test("a solver that is destroyed does what it was asked for, and no more", async () => {
    const [one, two] = await pair();
    const under = two.solve(large);
    two.destroy();
    expectSame(await under, await one.solve(large));
    await expect(two.solve(large)).rejects.toThrow("destroyed");
  });

  test("workers join a batch that is long, and a single call", async () => {
    const one = await solverOf(mode, 1);
    const long = tenfold(large);
    expectSame(await solve({ placement, ...long }, { backend: "cpu", threads: 2 }), await one.solve(long));
  });
});

/** The same LPs over and over. */
const tenfold = ({ expertLoad: few }: Given): Given => {
  const many = new Float64Array(10 * few.length);
  for (let i = 0; i < 10; i++) many.set(few, i * few.length);
  return { expertLoad: many };
};

describe("where workers are not to be had", () => {
  const mode = "levelled";
  const { batch, call } = modes[mode];
  const loads = batch(most) as Given;

  /** The package with another worker.js, or none. */
  async function packageWith(worker: string | undefined): Promise<typeof createSolver> {
    const own = mkdtempSync(join(folder, "package-"));
    const files = worker === undefined ? bundle : [...bundle, "entry"];
    for (const file of files) cpSync(join(dist, file), join(own, file), { recursive: true });
    if (worker !== undefined) writeFileSync(join(own, "worker.js"), worker);
    return (await built(own)).createSolver;
  }

  async function expectOneThread(worker: string | undefined, why: string | RegExp): Promise<void> {
    const solver = await solverOf(mode, 2, await packageWith(worker));
    const one = await solverOf(mode, 1);
    for (let again = 0; again < 2; again++) {
      expectSame(await solver.solve(loads, call), await one.solve(loads, call));
    }
    await vi.waitFor(() => expect(solver.plan.reason).toMatch(why));
    expectSame(await solver.solve(loads, call), await one.solve(loads, call));
    solver.destroy();
  }

  const ready = "export const isReady = () => true;";

  test("without the worker's file", () =>
    expectOneThread(undefined, /^Compiled .* One thread works: .*worker\.js is not there/));
  test("with another's", () => expectOneThread("export const draft = 1;", "Worker threads do not start: "));
  test("that throws", () =>
    expectOneThread(
      `${ready} export const settleShare = () => { throw new Error("no"); };`,
      "A worker thread failed: no",
    ));
  test("that dies", () =>
    expectOneThread(
      `${ready} export const settleShare = () => new Promise(() => setTimeout(() => { throw new Error("gone"); }));`,
      "A worker thread failed: gone",
    ));
  test("that takes a piece and never gives it back", () => {
    const take = "const c = new Int32Array(memory, 0, 4); Atomics.add(c, 0, 1); Atomics.add(c, 1, 1);";
    return expectOneThread(`${ready} export const settleShare = ({ memory }) => { ${take} for (;;); };`, /^Compiled/);
  });
});

describe("threads is refused", () => {
  test.each([0, -1, 1.5, Number.NaN, "2", null])("%s", async (threads) => {
    const options = { threads } as SolverOptions;
    await expect(createSolver(placement, options)).rejects.toThrow(ArgumentError);
    await expect(createSolver(placement, options)).rejects.toThrow(/^threads: /);
    await expect(solveLoadBalanceLP({ placement, ...inBatch(1) }, options)).rejects.toThrow(/^threads: /);
  });

  test("for the GPU alone, and in a browser", async () => {
    const threads = 2;
    await expect(createSolver(placement, { backend: "webgpu", threads })).rejects.toThrow(/^threads: .*"webgpu"/);
    const { createSolver: there } = (await import(join(dist, "browser.js"))) as Built;
    await expect(there(graph, { backend: "cpu", threads })).rejects.toThrow(/^threads: .*outside Node/);
    (await there(graph, { backend: "cpu", threads: 1 })).destroy();
  });
});

test("a program that forgets to destroy its solver ends", async () => {
  const program = `
    import { createSolver } from ${JSON.stringify(pathToFileURL(join(dist, "node.js")).href)};
    const solver = await createSolver({ gpus: 2, edges: [[0, 1]] }, { backend: "cpu", threads: 2 });
    await solver.ready;
    const { status } = await solver.solve({ load: new Int32Array(8192).fill(9), capacity: new Int32Array(4096).fill(3) });
    console.log(status.length, solver.plan.reason.includes("One thread"));`;
  const file = join(folder, "program.mjs"); // a thread would inherit the flags that a program in an argument needs
  writeFileSync(file, program);
  const node = execFileSync(process.execPath, [file], { timeout: 60_000 });
  expect(node.toString().trim()).toBe("4096 false");
});
