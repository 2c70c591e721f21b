/** How long from `createSolver` to the first answer, on a device that has compiled nothing yet? */
import { createSolver, Placement, requestDevice, type SolverOptions, topologies } from "../src/index.ts";
import type { Bench } from "./harness.ts";
import { givenLoads } from "./ours.ts";
import { quantiles } from "./timing.ts";
import { graphWorkload, modelWorkload, type Workload } from "./workloads.ts";

const LARGEST = { gpus: 64, experts: 256, redundant: 64, layers: 1 };

export async function coldStart(bench: Bench): Promise<void> {
  for (const work of [
    graphWorkload("cube 8x2", topologies.cube8(), 8, 1),
    graphWorkload("torus 8x4", topologies.torus2d(8, 4), 8, 1),
    modelWorkload("EP64 R64", LARGEST, 1),
  ]) {
    for (const backend of ["webgpu", "auto"] as const) await startCold(bench, work, backend);
  }
}

async function startCold(bench: Bench, work: Workload, backend: "webgpu" | "auto"): Promise<void> {
  const us: number[] = [];
  for (let i = 0; i < (bench.quick ? 1 : bench.effort.leastSamples); i++) {
    // "auto" finds a device by itself; pipelines are cached by device, so this one is new each time.
    const own = backend === "webgpu" ? await requestDevice() : undefined;
    const start = performance.now();
    const { maxLoad } = await solveFirst(work, { backend, device: own?.device });
    us.push((performance.now() - start) * 1e3);
    own?.device.destroy();
    if (maxLoad[0] !== work.optimum.integer[0]) throw new Error(`${work.name}: ${maxLoad[0]} is not optimal.`);
  }
  const at = quantiles(us);
  const timing = { medianUs: at(0.5), p05Us: at(0.05), p95Us: at(0.95) };
  bench.row("cold-start", `evenkeel, ${backend}`, work, timing, { gapMean: 0, gapMax: 0, optimalShare: 1 });
  bench.note(`${work.name}, ${backend}: first answer ${(at(0.5) / 1e3).toFixed(1)} ms after createSolver`);
}

async function solveFirst(work: Workload, options: SolverOptions) {
  const { form } = work.layers[0];
  const loads = givenLoads(work, 0);
  if (form instanceof Placement && "expertLoad" in loads) {
    const solver = await createSolver(form, options);
    return solver.solve(loads).finally(() => solver.destroy());
  }
  if (form instanceof Placement || !("load" in loads)) throw new Error("Loads of another form than the placement's.");
  const solver = await createSolver(form, options);
  return solver.solve(loads).finally(() => solver.destroy());
}
