/** What a user writes who has declarations of WebGPU: own objects go in, and what comes out is a GPUDevice, without a cast. Never run. */
import {
  type Balancer,
  createBalancer,
  createSolver,
  type Placement,
  requestDevice,
  solveLoadBalanceLP,
} from "evenkeel";

const STORAGE = 0x80; // lib.dom has no GPUBufferUsage

export async function onOwnDevice(own: GPUDevice, placement: Placement, expertLoad: Int32Array): Promise<GPUDevice> {
  const { device }: { device: GPUDevice } = await requestDevice({ device: own });
  const module: GPUShaderModule = device.createShaderModule({ code: "@compute @workgroup_size(1) fn mine() {}" });
  const pipeline = own.createComputePipeline({ layout: "auto", compute: { module } });

  await solveLoadBalanceLP({ placement, expertLoad }, { device: own });
  const solver = await createSolver(placement, { device: own });
  const storage: GPUBuffer = own.createBuffer({ size: 1024, usage: STORAGE });
  const part: GPUBufferBinding = {
    buffer: own.createBuffer({ size: 1024, usage: STORAGE }),
    offset: 256,
  };
  const encoder: GPUCommandEncoder = own.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.dispatchWorkgroups(1);
  pass.end();
  solver.encode(encoder, { batch: 1, expertLoad: storage, quota: part, proof: { buffer: storage, offset: 512 } });
  own.queue.submit([encoder.finish()]);

  const balancer: Balancer = await createBalancer({ placement, topK: 2, maxTokens: 8, device: own });
  balancer.encode(own.createCommandEncoder(), { tokens: 8, topkIds: storage, physicalIds: part });
  const same: GPUDevice | undefined = balancer.device;
  return same ?? device;
}
