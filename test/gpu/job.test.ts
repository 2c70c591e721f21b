/** One upload, one submit and one map: what a job reads, how it is timed, and what becomes of it when the device is lost. */
import { describe, expect, test } from "vitest";
import { DeviceError } from "../../src/common/errors.ts";
import { createJob } from "../../src/gpu/job.ts";
import { requestDevice } from "../../src/index.ts";
import { plainDevice } from "../helpers/devices.ts";
import { countCalls } from "../helpers/gpu_calls.ts";
import { type Name, type Options, type Out, remedy, scaling, values } from "../helpers/scaling_job.ts";

const copies = (words: Record<Out, Uint32Array>) => ({ scaled: [...words.scaled], raised: [...words.raised] });
const answer = (given: Iterable<number>, factor: number) => ({
  scaled: Array.from(given, (value) => factor * value),
  raised: Array.from(given, (value) => factor + value),
});

const { device } = await requestDevice();

describe("a run", () => {
  test("works on what the buffers had from the start, and reads what the kernel wrote", async () => {
    const { job, record } = await scaling(device);
    expect(await job.run({ record }, copies)).toEqual(answer(values, 10));
    job.destroy();
  });

  test("works on what is uploaded, and what is not stays as it was: run after run", async () => {
    const { job, record } = await scaling(device);
    const other = Uint32Array.of(1, 4, 9, 16, 25);
    expect(await job.run({ upload: { params: Uint32Array.of(3, 0) }, record }, copies)).toEqual(answer(values, 3));
    expect(await job.run({ upload: { values: other }, record }, copies)).toEqual(answer(other, 3));
    const upload = { values: values.subarray(0, 2), params: undefined };
    expect(await job.run({ upload, record }, copies)).toEqual(answer([2, 3, 9, 16, 25], 3));
    job.destroy();
  });

  test("writes a uniform only where it changes", async () => {
    const own = (await requestDevice()).device;
    const asked = countCalls(own);
    const { job, record } = await scaling(own);
    const params = Uint32Array.of(10, 0); // as from the start
    asked();
    const run = async (upload: Partial<Record<Name, Uint32Array>>, factor: number, writes: number | undefined) => {
      expect(await job.run({ upload, record }, copies)).toEqual(answer(values, factor));
      expect(asked()["queue.writeBuffer"]).toBe(writes);
    };
    await run({ params }, 10, undefined);
    await run({ params, values }, 10, 1);
    params[0] = 3; // in the array that was uploaded before
    await run({ params }, 3, 1);
    await run({ params }, 3, undefined);
    await run({ params: Uint32Array.of(4) }, 4, 1); // a part
    await run({ params }, 3, 1);
    job.destroy();
    own.destroy();
  });

  test("reads an output that nobody wrote as it was from the start", async () => {
    const job = createJob(device, { out: values, none: 0 }, { label: "test", remedy, outputs: ["out", "none"] });
    const read = await job.run({ record() {} }, ({ out, none }) => [[...out], [...none]]);
    expect(read).toEqual([[...values], []]);
    job.destroy();
  });

  test.each([
    [{ scaled: 8 }, [2, 5]],
    [{ raised: 4 }, [5, 1]],
    [{ scaled: 0 }, [0, 5]],
    [{ scaled: 12, raised: 0 }, [3, 0]],
    [{ scaled: 0, raised: 0 }, [0, 0]],
  ])("reads the first bytes of outputs: %o", async (bytes, [scaled, raised]) => {
    const { job, record } = await scaling(device);
    const all = answer(values, 10);
    const expected = { scaled: all.scaled.slice(0, scaled), raised: all.raised.slice(0, raised) };
    expect(await job.run({ record, bytes }, copies)).toEqual(expected);
    expect(await job.run({ record }, copies)).toEqual(all);
    job.destroy();
  });

  test("lends the words for the call alone", async () => {
    const { job, record } = await scaling(device);
    const kept = await job.run({ record }, ({ scaled }) => ({ words: scaled, length: scaled.length }));
    expect(kept.length).toBe(values.length);
    expect(kept.words.length).toBe(0); // no longer mapped
    job.destroy();
  });

  test("is one submit and one map, and makes no buffer; all that was made goes with the job", async () => {
    const own = (await requestDevice()).device;
    const asked = countCalls(own);
    const { job, record } = await scaling(own, { passes: ["scale"] });
    const { createBuffer } = asked();
    expect(createBuffer).toBe(6); // four by name, the readback, the timestamps
    await job.run({ upload: { values }, record }, copies);
    expect(asked()).toEqual({
      ...{ "queue.writeBuffer": 1, createCommandEncoder: 1, "queue.submit": 1 },
      ...{ "buffer.mapAsync": 1, "buffer.getMappedRange": 1, "buffer.unmap": 1 },
    });
    job.destroy();
    expect(asked()).toEqual({ "buffer.destroy": createBuffer });
    own.destroy();
  });
});

test("buffers are labelled, and uniforms are those that are named, else params; none is smaller than a vec4", async () => {
  const { STORAGE, UNIFORM, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const make = (uniforms?: ("params" | "sizes")[]) =>
    createJob(device, { params: 4, sizes: 0 }, { label: "test", remedy, uniforms, outputs: [] });
  for (const [job, params, sizes] of [
    [make(), UNIFORM, STORAGE],
    [make(["sizes"]), STORAGE, UNIFORM],
    [make([]), STORAGE, STORAGE],
  ] as const) {
    expect([job.buffers.params.label, job.buffers.sizes.label]).toEqual(["test params", "test sizes"]);
    expect(job.buffers.params.usage).toBe(params | COPY_SRC | COPY_DST);
    expect(job.buffers.sizes.usage).toBe(sizes | COPY_SRC | COPY_DST);
    expect([job.buffers.params.size, job.buffers.sizes.size]).toEqual([16, 16]);
    expect(job.bindings).toEqual({ params: { buffer: job.buffers.params }, sizes: { buffer: job.buffers.sizes } });
    job.destroy();
  }
});

describe("timestamps", () => {
  const passes = ["long", "short"];
  const timing = async (on: GPUDevice, options: Options) => {
    const { job, record } = await scaling(on, options);
    const recordTimed = (encoder: GPUCommandEncoder) => {
      for (const pass of passes) record(encoder, job.timer?.writes(pass));
      job.timer?.resolve(encoder);
    };
    return { job, record, recordTimed };
  };
  const both = (words: Record<Out, Uint32Array>, us?: Record<string, number>) => ({ ...copies(words), us });

  test("are microseconds of each pass, of a timed run alone", async () => {
    const { job, record, recordTimed } = await timing(device, { passes });
    const upload = { params: Uint32Array.of(10, 1_000_000) };
    const begun = performance.now();
    const { us, ...outputs } = await job.run({ upload, record: recordTimed, timed: true }, both);
    const wallUs = (performance.now() - begun) * 1e3;
    expect(outputs).toEqual(answer(values, 10));
    expect(Object.keys(us!)).toEqual(passes);
    const sum = us!.long + us!.short;
    expect(Math.min(us!.long, us!.short)).toBeGreaterThan(0);
    expect(sum).toBeLessThan(wallUs);
    expect(sum).toBeGreaterThan(wallUs / 100); // neither milliseconds nor nanoseconds: the passes are most of the run
    const untimed = await job.run({ upload: { params: Uint32Array.of(3, 0) }, record }, both);
    expect(untimed).toEqual({ ...answer(values, 3), us: undefined });
    job.destroy();
  });

  test("stand before the outputs, be these cut short or empty", async () => {
    const { job, recordTimed } = await timing(device, { passes });
    const work = { record: recordTimed, timed: true, bytes: { scaled: 0, raised: 8 } };
    const { us, ...outputs } = await job.run(work, both);
    expect(outputs).toEqual({ scaled: [], raised: [12, 13] });
    expect(Object.keys(us!)).toEqual(passes);
    const none = await job.run({ ...work, bytes: { scaled: 0, raised: 0 } }, both);
    expect(none).toMatchObject({ scaled: [], raised: [] });
    expect(Object.keys(none.us!)).toEqual(passes);
    job.destroy();
  });

  test("are missing where the device has none, and where there is no pass to be timed", async () => {
    const plain = await plainDevice();
    expect(plain.features.has("timestamp-query")).toBe(false);
    for (const [on, options] of [
      [plain, { passes }],
      [device, {}],
    ] as const) {
      const { job, recordTimed } = await timing(on, options);
      expect(job.timer).toBeUndefined();
      const timed = await job.run({ record: recordTimed, timed: true }, both);
      expect(timed).toEqual({ ...answer(values, 10), us: undefined });
      job.destroy();
    }
    plain.destroy();
  });
});

const errorOf = (run: Promise<unknown>) =>
  run.then(
    () => "answered",
    (error) => error,
  );

describe("a device that is lost", () => {
  const loss = /^The WebGPU device was lost \(destroyed\): .*\. Start over\.$/;
  async function expectLost(run: Promise<unknown>): Promise<void> {
    const error = await errorOf(run);
    expect(error).toBeInstanceOf(DeviceError);
    expect(error.message).toMatch(loss);
    expect(error.cause).toBeDefined();
  }

  type Scaling = Awaited<ReturnType<typeof scaling>>;
  test.each<[when: string, losing: (own: GPUDevice, given: Scaling) => Promise<unknown>]>([
    [
      "before a run",
      (own, { job, record }) => {
        own.destroy();
        return job.run({ record }, copies);
      },
    ],
    [
      "while one is recorded",
      (own, { job, record }) => {
        const recordAndLose = (encoder: GPUCommandEncoder) => {
          record(encoder);
          own.destroy();
        };
        return job.run({ record: recordAndLose }, copies);
      },
    ],
    [
      "while one is recorded, which throws",
      (own, { job }) => {
        const loseAndThrow = () => {
          own.destroy();
          throw new Error("of the loss");
        };
        return job.run({ record: loseAndThrow }, copies);
      },
    ],
    [
      "after its submit",
      (own, { job, record }) => {
        const run = job.run({ record }, copies);
        own.destroy();
        return run;
      },
    ],
  ])("%s: a DeviceError with the remedy, for this and every later run", async (_, losing) => {
    const own = (await requestDevice()).device;
    const given = await scaling(own);
    const { job, record } = given;
    expect(await job.run({ record }, copies)).toEqual(answer(values, 10));
    expect(job.lost()).toBeUndefined();
    await expectLost(losing(own, given));
    for (let i = 0; i < 2; i++) await expectLost(job.run({ record }, copies));
    const cause = new Error("why");
    expect(job.lost(cause)).toMatchObject({ name: "DeviceError", message: expect.stringMatching(loss), cause });
    job.destroy();
  });
});

describe("a failure that is no loss is passed on as it is", () => {
  const failure = new Error("an owner's own");
  const fail = () => {
    throw failure;
  };

  test("of recording or reading, after which runs go on", async () => {
    const { job, record } = await scaling(device);
    expect(await errorOf(job.run({ record: fail }, copies))).toBe(failure);
    expect(await errorOf(job.run({ record }, fail))).toBe(failure);
    expect(job.lost()).toBeUndefined();
    expect(await job.run({ record }, copies)).toEqual(answer(values, 10));
    job.destroy();
  });

  test("of WebGPU, where the job is gone", async () => {
    const { job, record } = await scaling(device);
    job.destroy();
    device.pushErrorScope("validation");
    const error = await errorOf(job.run({ record }, copies));
    expect(await device.popErrorScope()).not.toBeNull();
    expect(error).not.toBeInstanceOf(DeviceError);
    expect(error.name).toBe("OperationError"); // of mapAsync
  });
});
