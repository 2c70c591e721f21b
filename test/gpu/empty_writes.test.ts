import { beforeAll, expect, test, vi } from "vitest";
import { create } from "webgpu";
import { createBalancer, createSolver, measureImbalance } from "../../src/index.ts";
import { shared } from "../helpers/batches.ts";

const gpu = create(["backend=null"]); // runs nothing: buffers stay 0, which is the answer here
let device: GPUDevice;
beforeAll(async () => {
  device = await (await gpu.requestAdapter())!.requestDevice();
});

/** WebGPU allows writes of nothing; Deno 2.9 panics, and the process is gone. */
test.each<[string, () => Promise<unknown>]>([
  ["balances no tokens", async () => (await createBalancer({ ...shared, device })).balance(new Int32Array(0))],
  [
    "solves a graph without edges",
    async () => {
      const solver = await createSolver({ gpus: 2, edges: [] }, { backend: "webgpu", device });
      return solver.solve({ load: [3, 5], capacity: [] });
    },
  ],
  [
    "measures no ids",
    () => {
      const { placement, topK } = shared;
      return measureImbalance({ placement, topK, topkIds: new Int32Array(0) }, { backend: "webgpu", device });
    },
  ],
])("no write is empty: %s", async (_, work) => {
  const write = vi.spyOn(device.queue, "writeBuffer");
  await work();
  const bytes = write.mock.calls.map(([, , data]) => data.byteLength);
  expect(bytes.length).toBeGreaterThan(0);
  expect(Math.min(...bytes)).toBeGreaterThan(0);
  write.mockRestore();
});
