import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ArgumentError, DeviceError } from "../../src/common/errors.ts";
import { nameOf } from "../../src/gpu/adapters.ts";
import { describeAdapters, requestDevice, sharedDevice } from "../../src/gpu/device.ts";
import { platform } from "../../src/gpu/platform_node.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

test("a software request gives a software device with all that its adapter has to give", async () => {
  const { device, adapter } = await requestDevice({ adapter: "software" });
  expect(adapter).toMatchObject({ software: true, reason: expect.stringContaining("has a software adapter.") });
  const offered = (await describeAdapters()).find(({ source, software }) => source === adapter.source && software);
  expect(device.limits).toMatchObject(offered?.limits ?? {});
  for (const feature of ["timestamp-query", "subgroups"]) {
    expect(device.features.has(feature)).toBe(offered?.features?.includes(feature));
  }
  expect(await doubled(device, 21)).toBe(42);
});

test("the caller's device wins", async () => {
  const { device } = await requestDevice({ adapter: "software" });
  const brought = await requestDevice({ device, adapter: "hardware" });
  expect(brought.device).toBe(device);
  expect(brought.adapter).toMatchObject({ source: "caller", software: true });
});

test("the environment decides when the caller does not", async () => {
  vi.stubEnv("EVENKEEL_ADAPTER", "software");
  expect((await requestDevice()).adapter.software).toBe(true);
});

test("where the environment may not be read, as in Deno, it is as if nothing were set", async () => {
  const swiftShader = platform.candidates.find(({ source }) => source === "swiftshader");
  const adapter = await swiftShader?.request();
  vi.stubGlobal("navigator", { gpu: { requestAdapter: () => adapter } });
  const get = () => expect.fail("env access is not permitted");
  vi.stubGlobal("process", Object.create(process, { env: { get: () => new Proxy({}, { get }) } }));
  expect((await requestDevice()).adapter.source).toMatch(/^(host|dawn)$/); // Dawn's where there is a GPU
});

test("a bad EVENKEEL_ADAPTER is a DeviceError that names the values", async () => {
  vi.stubEnv("EVENKEEL_ADAPTER", "gpu");
  const message = 'EVENKEEL_ADAPTER: expected one of auto, hardware, software, got "gpu".';
  await expect(requestDevice()).rejects.toThrow(new DeviceError(message));
  await expect(sharedDevice()).rejects.toThrow(new DeviceError(message));
});

test("a bad adapter argument is an ArgumentError", () =>
  expect(requestDevice({ adapter: "gpu" as "auto" })).rejects.toThrow(ArgumentError));

test("an adapter's name has the device, whatever its fields are filled with", () => {
  const named = (info: Partial<GPUAdapterInfo>) => nameOf(info as GPUAdapterInfo);
  const nvidia = { vendor: "nvidia", architecture: "", device: "nvidia-h100-80gb-hbm3" };
  const driver = "NVIDIA: 580.159.04 580.159.4.0"; // what Dawn describes an H100 by
  expect(named({ ...nvidia, description: driver })).toBe(`nvidia-h100-80gb-hbm3, ${driver}`);
  const google = { vendor: "google", architecture: "swiftshader", device: "swiftshader-device-subzero-" };
  expect(named({ ...google, description: "SwiftShader driver 5.0.0" })).toBe("SwiftShader driver 5.0.0");
  expect(named({ vendor: "apple", architecture: "metal-3", device: "", description: "" })).toBe("apple metal-3");
  expect(named({ vendor: "", description: "Some GPU" })).toBe("Some GPU");
  expect(named({})).toBe("unnamed adapter");
});

test("a hardware request takes a GPU or says what to install", async () => {
  const outcome = await requestDevice({ adapter: "hardware" }).catch((error) => error);
  if (outcome instanceof Error) {
    expect(outcome).toBeInstanceOf(DeviceError);
    expect(outcome.message).toMatch(/^No hardware WebGPU adapter\. .*(apt|npm) install/);
  } else {
    expect(outcome.adapter.software).toBe(false);
  }
});

test("a host's software adapter is taken as software, and never as hardware", async () => {
  const swiftShader = platform.candidates.find(({ source }) => source === "swiftshader");
  vi.stubGlobal("navigator", { gpu: { requestAdapter: () => swiftShader?.request() } });
  expect((await requestDevice({ adapter: "software" })).adapter).toMatchObject({ source: "host", software: true });
  const outcome = await requestDevice({ adapter: "hardware" }).catch((error) => error);
  const reason = outcome.adapter?.reason ?? outcome.message;
  expect(reason).toMatch(/navigator\.gpu: it has SwiftShader.*, which is no hardware adapter\./);
});

test("a software request leaves Vulkan's variables, and so later hardware requests, alone", async () => {
  vi.stubEnv("VK_DRIVER_FILES", "/some/driver.json");
  vi.stubEnv("VK_ICD_FILENAMES", undefined);
  const before = await requestDevice({ adapter: "hardware" }).catch((error) => error.message);
  await requestDevice({ adapter: "software" });
  expect(process.env).toMatchObject({ VK_DRIVER_FILES: "/some/driver.json" });
  expect(process.env).not.toHaveProperty("VK_ICD_FILENAMES");
  const after = await requestDevice({ adapter: "hardware" }).catch((error) => error.message);
  expect(after.adapter ?? after).toEqual(before.adapter ?? before);
});

describe("sharedDevice", () => {
  test("serves concurrent and later callers with one device", async () => {
    const [first, second] = await Promise.all([sharedDevice("software"), sharedDevice("software")]);
    expect(second.device).toBe(first.device);
    expect((await sharedDevice("software")).device).toBe(first.device);
  });

  test("requests a new device once the old one is lost", async () => {
    const { device } = await sharedDevice("software");
    device.destroy();
    await device.lost;
    const renewed = await sharedDevice("software");
    expect(renewed.device).not.toBe(device);
    expect(await doubled(renewed.device, 4)).toBe(8);
  });

  test("does not remember a failure", async () => {
    vi.stubEnv("EVENKEEL_ADAPTER", "gpu");
    await expect(sharedDevice()).rejects.toThrow(DeviceError);
    vi.stubEnv("EVENKEEL_ADAPTER", "software");
    expect((await sharedDevice()).adapter.software).toBe(true);
  });
});

describe("unpacking SwiftShader", () => {
  const files = ["libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json"];
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "evenkeel-test-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function taken(env: NodeJS.ProcessEnv) {
    const program = `
      import { requestDevice } from "./dist/node.js";
      console.log(JSON.stringify((await requestDevice({ adapter: "software" })).adapter));
    `;
    return JSON.parse(await printed(program, env));
  }
  const cached = () => {
    const [version] = readdirSync(join(folder, "evenkeel"));
    return readdirSync(join(folder, "evenkeel", version)).sort();
  };

  test("two processes may do it at once", async () => {
    const both = await Promise.all([taken({ XDG_CACHE_HOME: folder }), taken({ XDG_CACHE_HOME: folder })]);
    for (const adapter of both) expect(adapter).toMatchObject({ source: "swiftshader" });
    expect(cached()).toEqual(files);
  });

  test("an incomplete folder is completed", async () => {
    await taken({ XDG_CACHE_HOME: folder });
    const [version] = readdirSync(join(folder, "evenkeel"));
    rmSync(join(folder, "evenkeel", version, "libvk_swiftshader.so"));
    expect(await taken({ XDG_CACHE_HOME: folder })).toMatchObject({ source: "swiftshader" });
    expect(cached()).toEqual(files);
  });

  test("without a writable cache it goes to the temporary folder, and leaves nothing there", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    const temporary = join(folder, "tmp");
    mkdirSync(temporary);
    const env = { XDG_CACHE_HOME: join(file, "cache"), TMPDIR: temporary };
    expect(await taken(env)).toMatchObject({ source: "swiftshader" });
    expect(readdirSync(temporary)).toEqual([]);
  });
});

test("a program that leaves its device undestroyed still ends by itself", async () => {
  const program = `
    import { requestDevice } from "./dist/node.js";
    const { device } = await requestDevice({ adapter: "software" });
    ${doubled}
    console.log(await doubled(device, 3));
  `;
  expect(await printed(program)).toBe("6\n");
});

/** What a program in a process of its own prints. */
async function printed(program: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const cwd = new URL("../../", import.meta.url);
  const options = { cwd, env: { ...process.env, ...env }, timeout: 60_000 };
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], options);
  return stdout;
}

/** Doubles a number on the device. */
async function doubled(device: GPUDevice, value: number): Promise<number> {
  const code = `
    @group(0) @binding(0) var<storage, read_write> value: u32;
    @compute @workgroup_size(1) fn double() { value *= 2; }
  `;
  const compute = { module: device.createShaderModule({ code }) };
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute });
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: 4, usage });
  const readback = device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(buffer, 0, new Uint32Array([value]));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(
    0,
    device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer } }] }),
  );
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(buffer, 0, readback, 0, 4);
  device.queue.submit([encoder.finish()]);
  await readback.mapAsync(GPUMapMode.READ);
  return new Uint32Array(readback.getMappedRange())[0];
}
