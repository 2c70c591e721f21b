import { createJob, type JobOptions } from "../../src/gpu/job.ts";
import { bind, compile, type Kernel } from "../../src/gpu/pipeline.ts";

/** scaled = factor * values, raised = factor + values, after `rounds` of nothing. */
const kernel = {
  name: "scale",
  wgsl: `
    struct Params { factor: u32, rounds: u32 }
    @group(0) @binding(0) var<storage, read> values: array<u32>;
    @group(0) @binding(1) var<storage, read_write> scaled: array<u32>;
    @group(0) @binding(2) var<storage, read_write> raised: array<u32>;
    @group(0) @binding(3) var<uniform> params: Params;
    @compute @workgroup_size(1) fn scale(@builtin(global_invocation_id) id: vec3u) {
      for (var i = 0u; i < params.rounds; i++) { scaled[id.x] = i; }
      scaled[id.x] = params.factor * values[id.x];
      raised[id.x] = params.factor + values[id.x];
    }`,
  includes: [],
  bindings: { values: "read-only-storage", scaled: "storage", raised: "storage", params: "uniform" },
} satisfies Kernel;

export const values = Uint32Array.of(2, 3, 5, 7, 11);
export const contents = { values, scaled: 20, raised: 20, params: Uint32Array.of(10, 0) };
export type Name = keyof typeof contents;
export type Out = "scaled" | "raised";
export type Options = Partial<JobOptions<Name, Out>>;
export const remedy = "Start over.";

/** A job of five invocations, and what records them. */
export async function scaling(device: GPUDevice, options: Options = {}) {
  const compiled = await compile(device, kernel, {}, {});
  const job = createJob<Name, Out>(device, contents, {
    label: "test",
    remedy,
    outputs: ["scaled", "raised"],
    ...options,
  });
  const group = bind(device, compiled, job.bindings);
  const record = (encoder: GPUCommandEncoder, timestampWrites?: GPUComputePassTimestampWrites) => {
    const pass = encoder.beginComputePass({ timestampWrites });
    pass.setPipeline(compiled.pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(values.length);
    pass.end();
  };
  return { job, record };
}
