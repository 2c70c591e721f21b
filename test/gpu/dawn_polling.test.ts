import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { pollingSeldom } from "../helpers/polling_seldom.ts";

/** Keeps SwiftShader at work for a while, and prints for which share of that the event loop did not sleep. */
const program = `
  import { requestDevice } from "./dist/node.js";
  const { device } = await requestDevice({ adapter: "software" });
  const code = \`
    @group(0) @binding(0) var<storage, read_write> value: u32;
    @compute @workgroup_size(1) fn work() {
      for (var i = 0u; i < 20000000u; i++) { value = value * 1664525u + 1013904223u; }
    }
  \`;
  const compute = { module: device.createShaderModule({ code }) };
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute });
  const buffer = device.createBuffer({ size: 4, usage: GPUBufferUsage.STORAGE });
  const entries = [{ binding: 0, resource: { buffer } }];
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  device.queue.submit([encoder.finish()]);
  const before = performance.eventLoopUtilization();
  await device.queue.onSubmittedWorkDone();
  console.log(performance.eventLoopUtilization(before).utilization);
`;

async function busyShare(args: readonly string[]): Promise<number> {
  const cwd = new URL("../../", import.meta.url);
  const all = [...args, "--input-type=module", "--eval", program];
  return Number((await promisify(execFile)(process.execPath, all, { cwd })).stdout);
}

test("while the device works the process sleeps, as it does not by itself", async () => {
  expect(await busyShare(pollingSeldom)).toBeLessThan(0.5);
  expect(await busyShare([])).toBeGreaterThan(0.5);
});

/** As the command line and these tests have it. */
describe("JavaScript's immediates", () => {
  test("are the next thing, with what they were given", async () => {
    const order: unknown[] = [];
    const took: number[] = [];
    for (let turn = 0; turn < 100; turn++) {
      const begun = performance.now();
      await new Promise<void>((resume) => setImmediate((given) => resume(void order.push(given)), turn));
      took.push(performance.now() - begun);
    }
    expect(order).toEqual(order.map((_, turn) => turn));
    expect(took.filter((ms) => ms < 0.9).length).toBeGreaterThan(50); // a timer's is a millisecond; some of a busy machine's turns, too
  });

  test("are promises, too, and can be taken back", async () => {
    expect(await promisify(setImmediate)("given")).toBe("given");
    let called = false;
    clearImmediate(setImmediate(() => (called = true)));
    await new Promise((resume) => setImmediate(resume));
    expect(called).toBe(false);
  });

  test("have their name", () => expect(setImmediate.name).toBe("setImmediate"));
});
