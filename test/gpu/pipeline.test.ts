import { describe, expect, test } from "vitest";
import { KernelError } from "../../src/common/errors.ts";
import { bind, compile, foldGrid, type Kernel } from "../../src/gpu/pipeline.ts";
import { plainDevice } from "../helpers/devices.ts";
import { runKernel, unwritten } from "../helpers/kernel.ts";
import { device } from "../helpers/raw.ts";

/** Writes FACTOR * (ADDED + 1) into `out`. */
const writer = (name: string, change: Partial<Kernel> = {}): Kernel => ({
  name,
  wgsl: `
    override FACTOR: u32;
    @group(0) @binding(0) var<storage, read_write> out: array<u32>;
    @compute @workgroup_size(1) fn ${name}() { out[0] = FACTOR * next(); }`,
  includes: ["fn next() -> u32 { return ADDED + 1u; }"],
  bindings: { out: "storage" },
  ...change,
});

async function written(kernel: Kernel, factor = 3, added = 4): Promise<number> {
  const compiled = await compile(device, kernel, { ADDED: added }, { FACTOR: factor });
  return (await runKernel(device, compiled, { out: unwritten(1) }, [1, 1])).out[0];
}

describe("compile", () => {
  test("sets shape constants and overrides, each kernel by its own", async () => {
    expect(await written(writer("constants"))).toBe(15);
    expect(await written(writer("constants"), 2)).toBe(10);
    expect(await written(writer("constants"), 2, 9)).toBe(20);
  });

  test("gives concurrent and later callers one pipeline, whatever the order of the constants", async () => {
    const kernel = writer("asked_twice");
    const factor = { FACTOR: 1 };
    const calls = [compile(device, kernel, { ADDED: 1, MORE: 2 }, factor)];
    calls.push(compile(device, kernel, { MORE: 2, ADDED: 1 }, factor));
    expect(await calls[1]).toBe(await calls[0]);
    expect(await compile(device, kernel, { ADDED: 1, MORE: 2 }, factor)).toBe(await calls[0]);
  });

  test("tells devices, variants, shapes and overrides apart", async () => {
    const other = await plainDevice();
    const kernel = writer("apart");
    const all = await Promise.all([
      compile(device, kernel, { ADDED: 1 }, { FACTOR: 1 }),
      compile(device, kernel, { ADDED: 2 }, { FACTOR: 1 }),
      compile(device, kernel, { ADDED: 1 }, { FACTOR: 2 }),
      compile(device, { ...kernel, variant: "another" }, { ADDED: 1 }, { FACTOR: 1 }),
      compile(other, kernel, { ADDED: 1 }, { FACTOR: 1 }),
    ]);
    expect(new Set(all).size).toBe(all.length);
    other.destroy();
  });

  const failures: Record<string, Partial<Kernel>> = {
    "a shader that does not compile": { includes: ["fn next() -> u32 { return nothing; }"] },
    "a pipeline that cannot be made: a binding is missing": { bindings: {} },
    "a pipeline that cannot be made: a binding is of another type": { bindings: { out: "uniform" } },
  };
  test.each(Object.keys(failures))("reports %s, to everybody who asked, and does not remember it", async (name) => {
    const kernel = `failing${Object.keys(failures).indexOf(name)}`;
    const broken = writer(kernel, failures[name]);
    const [first, second] = [written(broken), written(broken)].map((call) => call.catch((error) => error));
    expect(await first).toBeInstanceOf(KernelError);
    expect(await second).toBe(await first);
    expect((await first).message).toMatch(new RegExp(`^${kernel}: `));
    expect(await written(writer(kernel)), "the same kernel, mended").toBe(15);
  });

  test("says where in the kernel's own file the fault is", async () => {
    const wgsl = writer("located").wgsl.replace("next()", "absent");
    await expect(written(writer("located", { wgsl }))).rejects.toThrow(/^located: located\.wgsl:4:\d+ .*absent/);
  });
});

test("bind takes what a kernel names from a record that has more", async () => {
  const compiled = await compile(device, writer("bound"), { ADDED: 1 }, { FACTOR: 1 });
  const buffer = (usage: number) => ({ buffer: device.createBuffer({ size: 4, usage }) });
  device.pushErrorScope("validation");
  bind(device, compiled, {
    unused: buffer(GPUBufferUsage.UNIFORM),
    out: buffer(GPUBufferUsage.STORAGE),
  });
  expect(await device.popErrorScope()).toBeNull();
});

test("foldGrid makes as many workgroups as are asked for, within the device's limit, and few more", () => {
  const most = device.limits.maxComputeWorkgroupsPerDimension;
  for (const groups of [1, 2, 1000, most - 1, most, most + 1, 2 * most, 2 * most + 1, 7 * most + 3]) {
    const [x, y] = foldGrid(device, groups);
    expect(Math.max(x, y), `${groups}`).toBeLessThanOrEqual(most);
    expect(x * y, `${groups}`).toBeGreaterThanOrEqual(groups);
    expect(x * y - groups, `${groups}`).toBeLessThan(y);
  }
});
