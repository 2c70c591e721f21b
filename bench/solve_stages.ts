/** Where does the time of one call go: upload, encode, submit, wait (kernel and map), read? And how far is the kernel from its floor? */

import { bufferUsage, MAP_READ_MODE } from "../src/gpu/constants.ts";
import { type PassTimer, passTimer } from "../src/gpu/timing.ts";
import { topologies } from "../src/index.ts";
import { proofWords } from "../src/lp/kernels/proof.ts";
import { copyTime, gpuTiming } from "./copy.ts";
import { jobBuffers } from "./gpu_job.ts";
import { type Bench, quantiles } from "./harness.ts";
import { loadsOf, solverFor } from "./ours.ts";
import { graphWorkload, type Workload } from "./workloads.ts";

const QUESTION = "solve-stages";
const WARM_UPS = 5;

export async function solveStages(bench: Bench): Promise<void> {
  for (const batch of [1, 1024]) await stagesOf(bench, graphWorkload("cube 8x2", topologies.cube8(), 8, batch));
}

async function stagesOf(bench: Bench, work: Workload): Promise<void> {
  const { device } = bench;
  if (!device.features.has("timestamp-query")) {
    bench.note(`${QUESTION}: this device has no timestamps, so its kernels cannot be told from the wait`);
    return;
  }
  const { form, topology } = work.layers[0];
  const { batch, expertLoad, baseLoad } = loadsOf(work, 0);
  const solver = await solverFor(form, { backend: "webgpu", device, kernel: "specialised" });
  const made = jobBuffers(device, {
    expertLoad: expertLoad.byteLength,
    baseLoad: batch * work.gpus * 4,
    quota: batch * topology.slots * 4,
    proof: batch * proofWords(work.gpus) * 4,
  });
  const { quota, proof } = made.buffers;
  const timer: PassTimer = passTimer(device, ["before", "after"]);
  const readback = device.createBuffer({
    size: timer.bytes + quota.size + proof.size,
    usage: bufferUsage.MAP_READ | bufferUsage.COPY_DST,
  });

  const samples: Record<string, number[]> = { upload: [], encode: [], submit: [], wait: [], read: [], kernel: [] };
  for (let i = 0; i < bench.effort.samples + WARM_UPS; i++) {
    const clock = [performance.now()];
    const lap = () => clock.push(performance.now());
    device.queue.writeBuffer(made.buffers.expertLoad, 0, expertLoad);
    if (baseLoad) device.queue.writeBuffer(made.buffers.baseLoad, 0, baseLoad);
    lap();
    const encoder = device.createCommandEncoder();
    encoder.beginComputePass({ timestampWrites: timer.writes("before") }).end();
    solver.encode(encoder, { batch, ...made.buffers });
    encoder.beginComputePass({ timestampWrites: timer.writes("after") }).end();
    timer.resolve(encoder);
    encoder.copyBufferToBuffer(timer.buffer, 0, readback, 0, timer.bytes);
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
    if (i < WARM_UPS) continue;
    for (const [stage, name] of ["upload", "encode", "submit", "wait", "read"].entries()) {
      samples[name].push((clock[stage + 1] - clock[stage]) * 1e3);
    }
    const stamps = new BigUint64Array(mapped, 0, 4);
    samples.kernel.push(Number(stamps[3] - stamps[0]) / 1e3);
  }

  for (const [stage, us] of Object.entries(samples)) {
    const at = quantiles(us);
    const wall = { medianUs: at(0.5), p05Us: at(0.05), p95Us: at(0.95) };
    bench.row(QUESTION, `evenkeel specialised: ${stage}`, work, stage === "kernel" ? gpuTiming(us) : wall);
  }
  const words = (expertLoad.length + (baseLoad?.length ?? 0) + (quota.size + proof.size) / 4) / 2;
  const floor = await copyTime(device, Math.ceil(words), bench.effort);
  bench.row(QUESTION, "floor: a copy of as many bytes", work, floor);
  const ratio = quantiles(samples.kernel)(0.5) / floor.medianUs;
  bench.note(`${work.name}, batch ${batch}: the kernel takes ${ratio.toPrecision(3)} x a copy with the same traffic`);
  solver.destroy();
  made.destroy();
  timer.destroy();
  readback.destroy();
}
