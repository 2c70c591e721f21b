/** How long does one LP take, end to end with readback, and how much of that is the round trip itself? */

import { compile } from "../src/gpu/pipeline.ts";
import { topologies } from "../src/index.ts";
import emptyWgsl from "./empty.wgsl";
import { benchJob, runningJob } from "./gpu_job.ts";
import { type Bench, factor, type Row, time } from "./harness.ts";
import { evenkeel, evenkeelSolve } from "./ours.ts";
import { graphWorkload, modelWorkload, type Workload } from "./workloads.ts";

export const QUESTION = "solve-latency";
const ROUND_TRIP = "bare round trip";

export async function solveLatency(bench: Bench): Promise<void> {
  const { device } = bench;
  for (const work of [
    graphWorkload("cube 8x2", topologies.cube8(), 8, 1),
    graphWorkload("hypercube 16x2", topologies.hypercube16(), 16, 1),
    modelWorkload("EP16 R32", { gpus: 16, experts: 128, redundant: 32, layers: 1 }, 1),
  ]) {
    const bare = await roundTrip(bench, work);
    const rows = await bench.compare(QUESTION, work, [
      evenkeel(device, "specialised"),
      evenkeel(device, "lane"),
      evenkeelSolve("webgpu", { device, kernel: "specialised" }),
      evenkeelSolve("cpu", {}),
    ]);
    for (const row of rows)
      bench.note(`${work.name}, batch 1: ${row.solver} takes ${factor(row, bare)} a bare round trip`);
  }
}

/** An empty dispatch, a copy, a map. */
async function roundTrip(bench: Bench, work: Workload): Promise<Row> {
  const { device } = bench;
  const kernel = await compile(device, { name: "empty", wgsl: emptyWgsl, includes: [], bindings: {} }, {}, {});
  const running = runningJob(benchJob(device, { output: 16 }, ["output"]), (encoder) => {
    const pass = encoder.beginComputePass();
    pass.setPipeline(kernel.pipeline);
    pass.dispatchWorkgroups(1);
    pass.end();
  });
  const row = bench.row(QUESTION, ROUND_TRIP, work, await time(running, bench.effort));
  running.destroy();
  return row;
}

/** Kernels whose GPU time for a single LP is above `budgetUs`. */
export function overBudget(rows: readonly Row[], budgetUs: number): Row[] {
  const single = rows.filter(
    ({ question, batch, solver }) => question === QUESTION && batch === 1 && solver !== ROUND_TRIP,
  );
  return single.filter(({ timestampUs }) => timestampUs !== undefined && timestampUs > budgetUs);
}
