import { DeviceError } from "../../common/errors.ts";
import { createJob, type Job } from "../../gpu/job.ts";
import { bind, type CompiledKernel } from "../../gpu/pipeline.ts";
import { compilePrice, packedRequests, packPrices, priceGrid } from "../kernels/price.ts";
import type { BoundPrices } from "./bound_options.ts";
import type { Pricing } from "./pricing.ts";
import type { TimedRequests } from "./timed_requests.ts";

type Name = "requests" | "prices" | "start" | "change" | "params";
type Out = "start" | "change";

/** Of prices, and of changes. */
const BYTES_PER_ROUND = 8;

/** Finds the cheapest starts on a device, with the *price* kernel. */
export async function webgpuPricing(device: GPUDevice, requests: TimedRequests, horizon: number): Promise<Pricing> {
  const largest = (horizon + 2) * BYTES_PER_ROUND;
  const room = device.limits.maxStorageBufferBindingSize;
  if (largest > room) {
    throw new DeviceError(
      `Prices of ${horizon} rounds take ${largest} bytes, and this device binds ${room} at most. Ask for backend "cpu".`,
    );
  }
  const kernel = await compilePrice(device);
  const packed = new Float32Array(2 * (horizon + 2));
  const contents = {
    requests: packedRequests(requests),
    prices: packed.byteLength,
    start: requests.requests * Uint32Array.BYTES_PER_ELEMENT,
    change: 2 * (horizon + 2) * Uint32Array.BYTES_PER_ELEMENT,
    params: new Uint32Array([requests.requests, horizon]),
  };
  const job: Job<Name, Out> = createJob(device, contents, {
    label: "latency bound",
    remedy: 'Ask again, or with backend "cpu".',
    outputs: ["start", "change"],
  });
  const group = bind(device, kernel, job.bindings);
  return {
    backend: "webgpu",
    starts(prices: BoundPrices, _, start, change) {
      packPrices(prices, packed);
      const record = (encoder: GPUCommandEncoder) => {
        encoder.clearBuffer(job.buffers.change);
        recordPass(encoder, kernel, group, priceGrid(device, requests.requests));
      };
      return job.run({ upload: { prices: packed }, record }, (words) => {
        start.set(words.start);
        change.set(words.change);
      });
    },
    destroy: () => job.destroy(),
  };
}

function recordPass(encoder: GPUCommandEncoder, kernel: CompiledKernel, group: GPUBindGroup, grid: [number, number]) {
  const pass = encoder.beginComputePass({ label: kernel.label });
  pass.setPipeline(kernel.pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(...grid);
  pass.end();
}
