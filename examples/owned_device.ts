// The balancer on the caller's device: a router's pass and the balancer's in one command encoder, one submit, nothing read back between.
//   node scripts/run.mjs examples/owned_device.ts
import { createBalancer, Placement, requestDevice } from "evenkeel";

const tokens = 1000;
const topK = 2;
const placement = Placement.fromPhysicalToLogical([1, 0, 6, 1, 3, 5, 0, 7, 4, 3, 7, 2], { gpus: 4 }); // three slots per GPU
const { device } = await requestDevice(); // or any GPUDevice of yours
const balancer = await createBalancer({ placement, topK, maxTokens: tokens, device, backend: "webgpu" });

// Your buffers. The balancer reads topkIds; it writes physicalIds, and copies the quotas to quota.
const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
const assignments = tokens * topK;
const idBytes = 4 * assignments;
const quotaBytes = 4 * placement.physicalExperts;
const topkIds = device.createBuffer({ size: idBytes, usage: STORAGE | COPY_SRC });
const physicalIds = device.createBuffer({ size: idBytes, usage: STORAGE | COPY_SRC });
const quota = device.createBuffer({ size: quotaBytes, usage: COPY_DST | COPY_SRC });
const readback = device.createBuffer({ size: 2 * idBytes + quotaBytes, usage: COPY_DST | MAP_READ });

// Your pass: a router would be here. This one makes low expert ids popular.
const code = `
  @group(0) @binding(0) var<storage, read_write> ids: array<u32>;
  @compute @workgroup_size(64) fn route(@builtin(global_invocation_id) id: vec3u) {
    if (id.x < arrayLength(&ids)) { ids[id.x] = id.x % (1 + id.x % 8); }
  }`;
const module = device.createShaderModule({ code });
const router = device.createComputePipeline({ layout: "auto", compute: { module } });
const entries = [{ binding: 0, resource: { buffer: topkIds } }];
const group = device.createBindGroup({ layout: router.getBindGroupLayout(0), entries });

const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
pass.setPipeline(router);
pass.setBindGroup(0, group);
pass.dispatchWorkgroups(Math.ceil(assignments / 64));
pass.end();
balancer.encode(encoder, { tokens, topkIds, physicalIds, quota });
// Your expert pass would be here. This example only looks at what it would have got.
encoder.copyBufferToBuffer(topkIds, 0, readback, 0, idBytes);
encoder.copyBufferToBuffer(physicalIds, 0, readback, idBytes, idBytes);
encoder.copyBufferToBuffer(quota, 0, readback, 2 * idBytes, quotaBytes);
device.queue.submit([encoder.finish()]);

await readback.mapAsync(GPUMapMode.READ);
const words = new Int32Array(readback.getMappedRange());
const routed = words.subarray(0, assignments);
const physical = words.subarray(assignments, 2 * assignments);
const due = words.subarray(2 * assignments);
const filled = due.map((_, slot) => physical.filter((id) => id === slot).length);
const mapsBack = physical.every((slot, i) => placement.physicalToLogical[slot] === routed[i]);
const quotasMet = filled.every((count, slot) => count === due[slot]);
const gpuLoad = new Int32Array(placement.gpus);
for (const [slot, count] of filled.entries()) gpuLoad[placement.gpuOf[slot]] += count;
console.log(`${assignments} assignments on ${device.adapterInfo.description}`);
console.log(`tokens per GPU: ${gpuLoad.join(" ")}`);
console.log(`every physical id maps back: ${mapsBack}; every slot has its quota: ${quotasMet}`);
process.exitCode = mapsBack && quotasMet ? 0 : 1;
device.destroy(); // and with it all buffers, the balancer's too
