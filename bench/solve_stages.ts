/** Where does the time of one call go: upload, encode, submit, wait (kernel and map), read? And how far is the kernel from its floor? */

import { bufferUsage, MAP_READ_MODE, WORD } from "../src/gpu/constants.ts";
import { topologies } from "../src/index.ts";
import { proofWords } from "../src/lp/kernels/proof.ts";
import { copyTime, gpuTiming } from "./copy.ts";
import { benchJob, encodeTimed, RUN } from "./gpu_job.ts";
import type { Bench } from "./harness.ts";
import { loadsOf, solverFor } from "./ours.ts";
import { quantiles, warmUp } from "./timing.ts";
import { graphWorkload, type Workload } from "./workloads.ts";

const QUESTION = "solve-stages";
/** "kernel" is a part of "wait", and comes from calls of its own: timestamps take longer to record than all else together. */
const STAGES = ["upload", "encode", "submit", "wait", "read", "kernel"] as const;
type Stage = (typeof STAGES)[number];

export async function solveStages(bench: Bench): Promise<void> {
  for (const batch of [1, 1024]) await stagesOf(bench, graphWorkload("cube 8x2", topologies.cube8(), 8, batch));
}

async function stagesOf(bench: Bench, work: Workload): Promise<void> {
  const { device } = bench;
  if (!device.features.has("timestamp-query")) {
    bench.note(`${QUESTION}: this device has no timestamps, so its kernels cannot be told from the wait`);
    return;
  }
  const call = await steppedCall(device, work);
  let samples: Record<Stage, number>[] = [];
  const run = async () => {
    const { kernel } = await call.run(true);
    samples.push({ ...(await call.run(false)), kernel });
  };
  await bench.wake();
  await warmUp({ run }, bench.effort);
  samples = [];
  while (samples.length < bench.effort.samples) await run();
  call.destroy();
  for (const stage of STAGES) {
    const us = samples.map((sample) => sample[stage]);
    const at = quantiles(us);
    const wall = { medianUs: at(0.5), p05Us: at(0.05), p95Us: at(0.95) };
    bench.row(QUESTION, `evenkeel specialised: ${stage}`, work, stage === "kernel" ? gpuTiming(us) : wall);
  }
  const floor = await copyTime(device, Math.ceil(call.words / 2), bench.effort);
  bench.row(QUESTION, "floor: a copy of as many bytes", work, floor);
  const ratio = quantiles(samples.map(({ kernel }) => kernel))(0.5) / floor.medianUs;
  bench.note(
    `${work.name}, batch ${work.batch}: the kernel takes ${ratio.toPrecision(3)} x a copy with the same traffic`,
  );
}

/**
 * A call whose steps are timed one by one. Of its job it has the buffers and the timestamps alone, for `Job.run` takes the steps in one go.
 *
 * @returns words  read and written by a call.
 */
async function steppedCall(device: GPUDevice, work: Workload) {
  const { form, topology } = work.layers[0];
  const { batch, expertLoad, baseLoad } = loadsOf(work, 0);
  const solver = await solverFor(form, { backend: "webgpu", device, kernel: "specialised" });
  const contents = {
    expertLoad: expertLoad.byteLength,
    baseLoad: batch * work.gpus * WORD,
    quota: batch * topology.slots * WORD,
    proof: batch * proofWords(work.gpus) * WORD,
  };
  const job = benchJob(device, contents, []);
  const { quota, proof } = job.buffers;
  const timer = job.timer!; // the device has timestamps
  const usage = bufferUsage.MAP_READ | bufferUsage.COPY_DST;
  const readback = device.createBuffer({ size: timer.bytes + quota.size + proof.size, usage });

  async function run(timed: boolean): Promise<Record<Stage, number>> {
    const clock = [performance.now()];
    const lap = () => clock.push(performance.now());
    device.queue.writeBuffer(job.buffers.expertLoad, 0, expertLoad);
    if (baseLoad) device.queue.writeBuffer(job.buffers.baseLoad, 0, baseLoad);
    lap();
    const encoder = device.createCommandEncoder();
    const record = () => solver.encode(encoder, { batch, ...job.buffers });
    if (timed) {
      encodeTimed(encoder, timer, record);
      encoder.copyBufferToBuffer(timer.buffer, 0, readback, 0, timer.bytes);
    } else record();
    encoder.copyBufferToBuffer(quota, 0, readback, timer.bytes, quota.size);
    encoder.copyBufferToBuffer(proof, 0, readback, timer.bytes + quota.size, proof.size);
    const commands = encoder.finish();
    lap();
    device.queue.submit([commands]);
    lap();
    await readback.mapAsync(MAP_READ_MODE);
    lap();
    const mapped = readback.getMappedRange().slice(0);
    readback.unmap();
    lap();
    const [upload, encode, submit, wait, read] = clock.slice(1).map((end, i) => (end - clock[i]) * 1e3);
    return { upload, encode, submit, wait, read, kernel: timer.decode(mapped.slice(0, timer.bytes))[RUN] };
  }

  function destroy(): void {
    readback.destroy();
    job.destroy();
    solver.destroy();
  }
  const words = expertLoad.length + (baseLoad?.length ?? 0) + (quota.size + proof.size) / WORD;
  return { run, words, destroy };
}
