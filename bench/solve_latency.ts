/** How long does one LP take, end to end with readback, and how much of that is the round trip itself? */

import { compile } from "../src/gpu/pipeline.ts";
import { topologies } from "../src/index.ts";
import { ROUND_TRIP, SINGLE_SOLVES } from "./budget.ts";
import emptyWgsl from "./empty.wgsl";
import { benchJob, RUN, type RunningJob, runningJob } from "./gpu_job.ts";
import type { Bench } from "./harness.ts";
import { evenkeelKernels, evenkeelSolve, evenkeelSolveExact } from "./ours.ts";
import { factor } from "./row.ts";
import { graphWorkload, modelWorkload } from "./workloads.ts";

/** What `solve` is held against, which records no timestamps: they cost a third as much again. */
export const UNTIMED = `${ROUND_TRIP}, no timestamps`;

export async function solveLatency(bench: Bench): Promise<void> {
  const { device } = bench;
  const bares = { [ROUND_TRIP]: await roundTrip(device, true), [UNTIMED]: await roundTrip(device, false) };
  for (const work of [
    graphWorkload("cube 8x2", topologies.cube8(), 8, 1),
    graphWorkload("hypercube 16x2", topologies.hypercube16(), 16, 1),
    modelWorkload("EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers: 1 }, 1),
  ]) {
    const gpu = [...evenkeelKernels(bench), evenkeelSolve("webgpu", { device, kernel: "specialised" })];
    const [bare, untimed, ...rows] = await bench.compareInTurn(SINGLE_SOLVES, work, gpu, bares);
    rows.push(
      ...(await bench.compare(SINGLE_SOLVES, work, [evenkeelSolve("cpu", { kernel: "simd" }), evenkeelSolveExact])),
    );
    for (const row of rows) {
      const like = row.timestampUs === undefined ? untimed : bare;
      bench.note(`${work.name}, batch 1: ${row.solver} takes ${factor(row, like)} a ${like.solver}`);
    }
  }
  for (const bare of Object.values(bares)) bare.destroy();
}

/** An empty dispatch, a copy, a map. */
export async function roundTrip(device: GPUDevice, timed: boolean): Promise<RunningJob<"output">> {
  const kernel = await compile(device, { name: "empty", wgsl: emptyWgsl, includes: [], bindings: {} }, {}, {});
  return runningJob(benchJob(device, { output: 16 }, ["output"], timed ? [RUN] : []), (encoder) => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(kernel.pipeline);
    pass.dispatchWorkgroups(1);
    pass.end();
  });
}
