import { beforeAll, describe, expect, test } from "vitest";
import { seeded } from "../../src/common/random.ts";
import { ArgumentError, type BufferSlice, createSolver, requestDevice } from "../../src/index.ts";
import { plainDevice } from "../helpers/devices.ts";
import { families, randomPlacement } from "../helpers/instances.ts";

const random = seeded(90);
const placement = randomPlacement(random, 8, 5, 8, 4);
const { logicalExperts, physicalExperts, gpus } = placement;
const batch = 20;
const rows = Array.from({ length: batch }, () => families.zipf(random, logicalExperts, gpus));
const expertLoad = Int32Array.from(rows.flat());
const baseLoad = Int32Array.from({ length: batch * gpus }, () => random.below(2000) - 500);
const PROOF_WORDS = 4; // status, iterations, moves, and 8 GPUs in one word of bits

let device: GPUDevice;
let raw: GPUDevice; // one that evenkeel did not request
beforeAll(async () => {
  device = (await requestDevice()).device;
  raw = await plainDevice();
});

function upload(data: Int32Array<ArrayBuffer>, offset = 0, on = device): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffer = on.createBuffer({ size: offset + data.byteLength, usage });
  on.queue.writeBuffer(buffer, offset, data);
  return buffer;
}

function output(words: number, offset = 0, on = device): GPUBuffer {
  return on.createBuffer({ size: offset + 4 * words, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
}

async function read(buffer: GPUBuffer, offset: number, encoder: GPUCommandEncoder): Promise<Int32Array> {
  const size = buffer.size - offset;
  const target = device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  encoder.copyBufferToBuffer(buffer, offset, target, 0, size);
  device.queue.submit([encoder.finish()]);
  await target.mapAsync(GPUMapMode.READ);
  return new Int32Array(target.getMappedRange().slice(0));
}

describe("solver.encode", () => {
  test.each([0, 256])("answers in the caller's buffers what solve answers; outputs at offset %d", async (offset) => {
    const solver = await createSolver(placement, { backend: "webgpu", device, kernel: "lane" });
    const expected = await solver.solve({ expertLoad, baseLoad });
    const quota = output(batch * physicalExperts, offset);
    const proof = output(batch * PROOF_WORDS);
    const encoder = device.createCommandEncoder();
    solver.encode(encoder, {
      batch,
      expertLoad: upload(expertLoad),
      baseLoad: upload(baseLoad),
      quota: { buffer: quota, offset },
      proof,
    });
    expect(await read(quota, offset, encoder)).toEqual(expected.quota);
    const proofs = await read(proof, 0, device.createCommandEncoder());
    for (let lp = 0; lp < batch; lp++) {
      const [status, iterations, moves, members] = proofs.subarray(lp * PROOF_WORDS, (lp + 1) * PROOF_WORDS);
      expect(status).toBe(0);
      expect([iterations, moves]).toEqual([expected.iterations[lp], expected.moves[lp]]);
      expect(members).toBe(expected.bottleneck[lp].reduce((bits, g) => bits | (1 << g), 0));
    }
    solver.destroy();
  });

  test("base loads may be the expert loads' own buffer, after a call without base loads as well", async () => {
    const solver = await createSolver(placement, { backend: "webgpu", device, kernel: "lane" });
    const row = expertLoad.subarray(0, logicalExperts);
    const loads = upload(row);
    const quota = output(physicalExperts);
    const proof = output(PROOF_WORDS);
    for (const base of [undefined, row.subarray(0, gpus)]) {
      const expected = await solver.solve({ expertLoad: row, baseLoad: base });
      const encoder = device.createCommandEncoder();
      solver.encode(encoder, { batch: 1, expertLoad: loads, baseLoad: base && loads, quota, proof });
      expect(await read(quota, 0, encoder)).toEqual(expected.quota);
    }
    solver.destroy();
  });

  test("bad buffers are named before anything is recorded", async () => {
    const solver = await createSolver(placement, { backend: "webgpu", device, kernel: "lane" });
    const good = () => ({
      batch,
      expertLoad: upload(expertLoad) as BufferSlice,
      quota: output(batch * physicalExperts) as BufferSlice,
      proof: output(batch * PROOF_WORDS) as BufferSlice,
    });
    const encode = (change: object) => () => solver.encode(device.createCommandEncoder(), { ...good(), ...change });
    const both = output(batch * physicalExperts);
    expect(encode({})).not.toThrow();
    expect(encode({ batch: 0 })).toThrow(/^batch: expected an integer >= 1, got 0\.$/);
    expect(encode({ batch: 2 * batch })).toThrow(/^expertLoad: expected at least \d+ bytes from offset 0, got \d+\.$/);
    expect(encode({ proof: output(1) })).toThrow(/^proof: expected at least/);
    expect(encode({ quota: { buffer: output(batch * physicalExperts, 4), offset: 4 } })).toThrow(
      /^quota\.offset: expected a multiple of 256/,
    );
    const noStorage = device.createBuffer({ size: 65536, usage: GPUBufferUsage.COPY_DST });
    expect(encode({ expertLoad: noStorage })).toThrow(/^expertLoad\.usage: expected GPUBufferUsage\.STORAGE/);
    expect(encode({ expertLoad: both, quota: both })).toThrow(
      /^quota: expected a part of another buffer than expertLoad/,
    );
    expect(encode({ proof: undefined })).toThrow(/^proof: expected a GPUBuffer/);
    solver.destroy();
    expect(encode({})).toThrow(/destroyed/);
  });

  test("without a device it says what to do", async () => {
    const solver = await createSolver(placement, { backend: "cpu" });
    expect(() => solver.encode({} as GPUCommandEncoder, {} as never)).toThrow(/works on the CPU: use solve/);
  });
});

describe("what is another device's is named", () => {
  const buffersOn = (on: GPUDevice) => ({
    batch,
    expertLoad: upload(expertLoad, 0, on),
    baseLoad: upload(baseLoad, 0, on),
    quota: output(batch * physicalExperts, 0, on),
    proof: output(batch * PROOF_WORDS, 0, on),
  });
  const parts = ["expertLoad", "baseLoad", "quota", "proof"] as const;
  /** No validation error on a device while something is done. */
  async function silently(on: GPUDevice, work: () => unknown) {
    on.pushErrorScope("validation");
    await work();
    expect(await on.popErrorScope()).toBeNull();
  }

  test("at once, before anything is recorded, where its device is one of ours", async () => {
    const other = (await requestDevice()).device;
    for (const own of [device, raw]) {
      const solver = await createSolver(placement, { backend: "webgpu", device: own, kernel: "lane" });
      const encoder = other.createCommandEncoder();
      const good = buffersOn(own);
      await silently(own, () =>
        silently(other, () => {
          expect(() => solver.encode(encoder, good)).toThrow(ArgumentError);
          expect(() => solver.encode(encoder, good)).toThrow(
            /^encoder: expected a GPUCommandEncoder of the device that is worked on, got "one of another device"\. createSolver/,
          );
          for (const part of parts) {
            const bad = { ...good, [part]: buffersOn(other)[part] };
            expect(() => solver.encode(own.createCommandEncoder(), bad)).toThrow(
              new RegExp(`^${part}: expected a buffer of the device that is worked on`),
            );
          }
          other.queue.submit([encoder.finish()]); // nothing is wrong with it
        }),
      );
      solver.destroy();
    }
    other.destroy();
  });

  test("by checkBuffers, wherever it comes from", async () => {
    const solver = await createSolver(placement, { backend: "webgpu", device, kernel: "lane" });
    const other = raw;
    const good = buffersOn(device);
    expect(() => solver.encode(other.createCommandEncoder(), good)).not.toThrow(); // nobody can tell yet
    await expect(solver.checkBuffers(good, other.createCommandEncoder())).rejects.toThrow(ArgumentError);
    await expect(solver.checkBuffers(good, other.createCommandEncoder())).rejects.toThrow(
      /^encoder: expected a GPUCommandEnc/,
    );
    for (const part of parts) {
      const bad = { ...good, [part]: buffersOn(other)[part] };
      await expect(solver.checkBuffers(bad)).rejects.toThrow(
        new RegExp(`^${part}: expected a live buffer of the same device`),
      );
      const dead = buffersOn(device);
      dead[part].destroy();
      await expect(solver.checkBuffers(dead)).rejects.toThrow(new RegExp(`^${part}: expected a live buffer`));
    }
    device.pushErrorScope("validation"); // to finish twice is an error by itself
    const finished = device.createCommandEncoder();
    finished.finish();
    await expect(solver.checkBuffers(good, finished)).rejects.toThrow(/^encoder: .*not finished yet/);
    await device.popErrorScope();
    solver.destroy();
  });

  test("checkBuffers passes what encode takes and changes nothing", async () => {
    const solver = await createSolver(placement, { backend: "webgpu", device, kernel: "lane" });
    const good = buffersOn(device);
    await silently(device, async () => {
      await solver.checkBuffers(good, device.createCommandEncoder());
      await solver.checkBuffers({ ...good, baseLoad: undefined });
    });
    for (const part of [good.quota, good.proof]) {
      expect((await read(part, 0, device.createCommandEncoder())).every((word) => word === 0)).toBe(true);
    }
    solver.destroy();
  });

  test("and nothing else is: encoders of the same device, however they were made", async () => {
    const encodersOf = (on: GPUDevice) => [
      on.createCommandEncoder(),
      on.createCommandEncoder({ label: "mine" }),
      GPUDevice.prototype.createCommandEncoder.call(on),
    ];
    for (const on of [device, raw]) {
      const before = encodersOf(on);
      const solver = await createSolver(placement, { backend: "webgpu", device: on, kernel: "lane" });
      await silently(on, () => {
        for (const encoder of [...before, ...encodersOf(on)]) {
          solver.encode(encoder, buffersOn(on));
          on.queue.submit([encoder.finish()]);
        }
      });
      solver.destroy();
    }
  });

  test.each([[undefined], [{}], ["a device"]])("nor is what is no encoder taken for one: %s", async (given) => {
    const solver = await createSolver(placement, { backend: "webgpu", device, kernel: "lane" });
    const encoder = (given === "a device" ? device : given) as GPUCommandEncoder;
    expect(() => solver.encode(encoder, buffersOn(device))).toThrow(/^encoder: expected a GPUCommandEncoder/);
    solver.destroy();
  });
});
