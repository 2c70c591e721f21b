import { describe, expect, test } from "vitest";
import { KernelError } from "../../src/common/errors.ts";
import { bind, compile, foldGrid, type Kernel } from "../../src/gpu/pipeline.ts";
import { plainDevice } from "../helpers/devices.ts";
import { runKernel, unwritten } from "../helpers/kernel.ts";
import { everything, programs } from "../helpers/programs.ts";
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

  const named = "// one: a fragment.\n\nconst first = 1u;\n";
  const nameless = "fn next() -> u32 { return 1u; }\nconst second = 2u;";
  test.each([
    ["a fragment", [named.replace("1u", "absent"), nameless], {}, /^one\.wgsl:3:\d+ .*absent/],
    ["a text that does not say its name", [named, nameless.replace("2u", "absent")], {}, /^generated:2:\d+ .*absent/],
    ["the constants of a shape", [named, nameless], { ADDED: 1, "2ND": 2 }, /^generated:2:\d+ /],
    ["no text at all: it ends too soon", [named, "fn next() -> u32 {"], {}, /^generated:1:\d+ /],
  ] as const)("says where in %s the fault is", async (_, includes, shape, expected) => {
    const failed = compile(device, writer("located", { includes }), shape, {}).catch((error: KernelError) => error);
    expect(((await failed) as KernelError).diagnostics).toEqual([expect.stringMatching(expected)]);
  });
});

/** Lines of a text that a fault can be planted in: its first and last of code, and one between. */
function linesWithCode(text: string): number[] {
  const begins = /^(?:const|fn|struct|override|var)\b/;
  const all = text.split("\n");
  const lines = [...all.keys()].filter((i) => begins.test(all[i]) && !all[i - 1]?.startsWith("@"));
  return [0, Math.floor(lines.length / 2), lines.length - 1].map((i) => lines[i]);
}

const shape = { MAX_GPUS: 8, MAX_REPLICAS: 32, MAX_ENTRIES: 32, MAX_COPIES: 8 };
const variants = programs.map(
  ({ kernel }) => [kernel.variant ? `${kernel.name}, ${kernel.variant}` : kernel.name, kernel] as const,
);

describe.each(variants)("a fault in a file of %s", (_, kernel) => {
  const parts = [kernel.wgsl, ...kernel.includes];

  test.each(
    parts.map((part, i) => {
      const known = everything.find(({ text }) => part.endsWith(text));
      return [known ? `${known.stem}.wgsl` : "generated", part, i] as const;
    }),
  )("is reported at its line of %s", async (file, part, i) => {
    for (const line of linesWithCode(part)) {
      const lines = part.split("\n");
      lines[line] = `const planted = absent; ${lines[line]}`;
      const spoilt = parts.with(i, lines.join("\n"));
      const broken = { ...kernel, wgsl: spoilt[0], includes: spoilt.slice(1), variant: `${i} ${line}` };
      const error = await compile(device, broken, shape, {}).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(KernelError);
      expect((error as KernelError).diagnostics).toEqual([
        expect.stringMatching(new RegExp(`^${file}:${line + 1}:\\d+ .*absent`)),
      ]);
    }
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
