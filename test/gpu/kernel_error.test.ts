import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sharedDevice } from "../../src/gpu/device.ts";
import {
  createBalancer,
  createSolver,
  KernelError,
  measureImbalance,
  optimizePlacement,
  requestDevice,
  solveLoadBalanceLP,
} from "../../src/index.ts";
import { cli } from "../cli/evenkeel.ts";
import { shared, sharedFaults, sharedIds } from "../helpers/batches.ts";
import { plainDevice, spoilCompiler } from "../helpers/devices.ts";

const [placement] = shared.placement;
const problem = { placement, expertLoad: Array.from({ length: 3 * 32 }, (_, i) => (i * i) % 97) };
const refusal = /^This device's compiler refuses a kernel: \w+: \w+\.wgsl:\d+:\d+ /;
const ids = sharedIds(301);

let device: GPUDevice;
beforeAll(async () => {
  device = spoilCompiler(await plainDevice());
});

describe("a device whose compiler refuses our kernels", () => {
  test('is an error with backend "webgpu"', async () => {
    const options = { backend: "webgpu", device } as const;
    const history = { loads: problem.expertLoad, steps: 3, layers: 1, experts: 32 };
    const calls = {
      createSolver: () => createSolver(placement, options),
      solveLoadBalanceLP: () => solveLoadBalanceLP(problem, options),
      createBalancer: () => createBalancer({ ...shared, ...options }),
      measureImbalance: () => measureImbalance({ placement, counts: problem.expertLoad.slice(0, 32) }, options),
      optimizePlacement: () => optimizePlacement(history, { gpus: 8, redundant: 8, budgetMs: 2000, ...options }),
    };
    for (const [name, call] of Object.entries<() => Promise<unknown>>(calls)) {
      const error = await call().catch((error: unknown) => error);
      expect(error, name).toBeInstanceOf(KernelError);
      expect((error as KernelError).diagnostics[0], name).toMatch(/^\w+\.wgsl:\d+:\d+ /);
    }
  });

  test("leaves a solver the CPU, with the reason", async () => {
    const { reason: _, ...expected } = await solveLoadBalanceLP(problem, { backend: "cpu" });
    const { reason, ...solution } = await solveLoadBalanceLP(problem, { device });
    expect(solution).toEqual(expected);
    expect(reason).toMatch(refusal);
    const solver = await createSolver(placement, { device });
    await solver.ready;
    expect(solver.plan).toEqual({ kernel: "cpu", reason: expect.stringMatching(refusal) });
    expect((await solver.solve(problem)).reason).toMatch(refusal);
    solver.destroy();
  });

  test("leaves a balancer the CPU, with the reason", async () => {
    const balancer = await createBalancer({ ...shared, device });
    expect([balancer.backend, balancer.device]).toEqual(["cpu", undefined]);
    expect(balancer.reason).toMatch(refusal);
    expect(sharedFaults(ids, await balancer.balance(ids))).toEqual([]);
  });

  test("leaves measureImbalance and optimizePlacement the CPU", async () => {
    const counts = problem.expertLoad.slice(0, 32);
    const measured = await measureImbalance({ placement, counts }, { device });
    expect(measured).toEqual(await measureImbalance({ placement, counts }, { backend: "cpu" }));
    const history = { loads: problem.expertLoad, steps: 3, layers: 1, experts: 32 };
    const options = { gpus: 8, redundant: 8 };
    const optimized = await optimizePlacement(history, { ...options, device });
    expect([optimized.backend, optimized.adapter]).toEqual(["cpu", undefined]);
    expect(optimized.reason).toMatch(refusal);
    const { placements } = await optimizePlacement(history, { ...options, backend: "cpu" });
    expect(optimized.placements).toEqual(placements);
  });

  test("leaves the CPU to who finds it in the background, and to who recovers from a loss", async () => {
    const { device: own } = await requestDevice();
    const balancer = await createBalancer({ ...shared, device: own, recover: true });
    const common = (await sharedDevice()).device;
    spoilCompiler(common);
    const solver = await createSolver(placement);
    await solver.ready;
    expect(solver.plan).toEqual({ kernel: "simd", reason: expect.stringMatching(refusal) });
    solver.destroy();
    own.destroy();
    await own.lost;
    const balanced = await balancer.balance(ids);
    expect(sharedFaults(ids, balanced)).toEqual([]);
    expect([balanced.backend, balancer.backend]).toEqual(["cpu", "cpu"]);
    expect(balancer.reason).toMatch(refusal);
    Reflect.deleteProperty(common, "createShaderModule"); // for who comes after
  });
});

describe("a command line whose *lane* does not compile", () => {
  const folder = mkdtempSync(join(cli, "../../node_modules/.evenkeel-")); // inside, so that packages resolve
  afterAll(() => rmSync(folder, { recursive: true }));
  const spoilt = join(folder, "cli.js");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  let changed = 0;
  for (const file of readdirSync(dirname(cli)).filter((name) => /^cli(_chunk_\w+)?\.js$/.test(name))) {
    const code = readFileSync(join(dirname(cli), file), "utf8");
    const spoiled = code.replace("fn write_quotas(p: u32) {", "fn write_quotas(p: u33) {");
    if (spoiled !== code) changed++;
    writeFileSync(join(folder, file), spoiled);
  }
  writeFileSync(
    join(folder, "ids.json"),
    JSON.stringify([
      [
        [
          [0, 1],
          [1, 2],
          [0, 3],
        ],
      ],
    ]),
  ); // [steps][layers][tokens][k]

  const run = (...args: string[]) =>
    new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
      const env = { ...process.env, EVENKEEL_ADAPTER: "software" };
      execFile(process.execPath, [spoilt, ...args], { cwd: folder, env }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });

  test("replays on the CPU and says why, unless it was told to use WebGPU", async () => {
    expect(changed).toBeGreaterThan(0);
    const replayed = await run("replay", "ids.json", "--gpus", "2");
    expect([replayed.code, replayed.stderr]).toEqual([0, ""]);
    expect(replayed.stdout.replace(/\s+/g, " ")).toMatch(
      /on the CPU: This device's compiler refuses a kernel: lane: lane\.wgsl:/,
    );
    const told = await run("replay", "ids.json", "--gpus", "2", "--backend", "webgpu");
    expect([told.code, told.stdout]).toEqual([1, ""]);
    expect(told.stderr).toMatch(/^evenkeel: lane: lane\.wgsl:\d+:\d+ .*\n$/);
  });

  test("shows the demo without WebGPU", async () => {
    const shown = await run("demo", "--steps", "4");
    expect([shown.code, shown.stderr]).toEqual([0, ""]);
    expect(shown.stdout.replace(/\s+/g, " ")).toMatch(
      /Without WebGPU: This device's compiler refuses a kernel: lane: lane\.wgsl:/,
    );
  });
});
