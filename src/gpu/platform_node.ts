import { constants } from "node:os";
import { dirname } from "node:path";
import { isMainThread } from "node:worker_threads";
import { DeviceError, shown } from "../common/errors.ts";
import {
  adapterChoices,
  type Candidate,
  isAdapterChoice,
  nameOf,
  navigatorCandidate,
  type Platform,
} from "./adapters.ts";
import { environment } from "./environment.ts";
import { type SwiftShader, unpackSwiftShader } from "./swiftshader.ts";

/** Dawn rounds timestamps to 65,536 ns without this. It ignores toggles that it does not know. */
const dawnOptions = ["disable-dawn-features=timestamp_quantization"];

const vulkanLoader = "libvulkan.so.1";
const vulkanRemedy = "apt install libvulkan1 and mesa-vulkan-drivers, or NVIDIA's own driver";
/** Where a Vulkan loader reads which drivers to use: the name of old loaders, then that of new ones. */
const driverVariables = ["VK_ICD_FILENAMES", "VK_DRIVER_FILES"];
const RTLD_NODELETE = 0x1000; // of glibc's dlfcn.h; node:os does not have it

const noNavigatorGpu = () => "this host has none";

export const platform: Platform = {
  defaultChoice() {
    const value = environment("EVENKEEL_ADAPTER");
    if (!value) return "auto";
    if (isAdapterChoice(value)) return value;
    throw new DeviceError(`EVENKEEL_ADAPTER: expected one of ${adapterChoices.join(", ")}, got ${shown(value)}.`);
  },
  // SwiftShader before what Dawn finds on the CPU: the same adapter wherever it is installed.
  candidates: [
    navigatorCandidate("host", false, noNavigatorGpu),
    dawnCandidate(false),
    navigatorCandidate("host", true, noNavigatorGpu),
    { source: "swiftshader", label: "SwiftShader", software: true, request: requestSwiftShader },
    dawnCandidate(true),
  ],
};

function dawnCandidate(software: boolean): Candidate {
  return {
    source: "dawn",
    label: "Dawn",
    software,
    async request() {
      const gpu = await dawnInstance("system");
      const error = systemLoaderError(); // asked first, because Dawn would complain on stderr
      if (error) throw new Error(`it cannot load ${vulkanLoader}; ${vulkanRemedy}`, { cause: error });
      const adapter = await gpu.requestAdapter({ powerPreference: "high-performance", forceFallbackAdapter: software });
      if (!adapter && !software && process.platform === "linux") {
        throw new Error(`it finds no GPU with a Vulkan driver; ${vulkanRemedy}`);
      }
      return adapter;
    },
  };
}

async function requestSwiftShader(): Promise<GPUAdapter> {
  const gpu = await dawnInstance("swiftshader");
  const adapter = await withSwiftShader(() => gpu.requestAdapter());
  if (!adapter || !/swiftshader/i.test(nameOf(adapter.info))) {
    const remedy = isMainThread ? "" : "; start this worker thread with env: SHARE_ENV";
    throw new Error(`Vulkan did not load it${remedy}`);
  }
  return adapter;
}

/** Kept for good: an instance dies, and its devices with it, when the object that create() returned is collected. */
const instances = new Map<"system" | "swiftshader", GPU>();

async function dawnInstance(drivers: "system" | "swiftshader"): Promise<GPU> {
  if (process.versions.deno) throw new Error("it is not for Deno, which has a WebGPU of its own");
  const { create, globals } = await import("webgpu").catch((cause) => {
    const missing = cause.code === "ERR_MODULE_NOT_FOUND";
    const why = missing ? "is not installed; npm install webgpu" : `fails to load: ${cause.message}`;
    throw new Error(`the npm package webgpu ${why}`, { cause });
  });
  for (const [name, value] of Object.entries(globals)) {
    if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
  }
  let gpu = instances.get(drivers);
  if (!gpu) {
    gpu = create(dawnOptions);
    instances.set(drivers, gpu);
  }
  return gpu;
}

let unpacked: SwiftShader | undefined;

/**
 * Calls `request` with SwiftShader as the only Vulkan driver. Dawn sets up Vulkan before requestAdapter() returns its
 * promise, so the variables are as they were before anything else runs.
 */
function withSwiftShader<T>(request: () => T): T {
  unpacked ??= unpackSwiftShader();
  if (systemLoaderError()) {
    const error = openLibrary(unpacked.loader);
    if (error) throw new Error(error);
    if (process.versions.bun) {
      throw new Error(`Bun does not keep its Vulkan loader open; set LD_LIBRARY_PATH=${dirname(unpacked.loader)}`);
    }
  }
  const before = driverVariables.map((name) => [name, process.env[name]] as const);
  for (const name of driverVariables) process.env[name] = unpacked.driver;
  try {
    return request();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

let systemLoader: { error?: string } | undefined;

/** Asked once, since SwiftShader's own loader answers to the same name once it is in the process. */
function systemLoaderError(): string | undefined {
  if (process.platform !== "linux") return undefined;
  systemLoader ??= { error: openLibrary(vulkanLoader) };
  return systemLoader.error;
}

/** A library is open by the time that Node or Bun, each in its words, finds that it is no addon. */
const OPEN_BUT_NO_ADDON = /did not self-register|napi_register_module_v1/;

/** Brings a shared library into the process, in Node for good. Returns what went wrong, if anything. */
function openLibrary(path: string): string | undefined {
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    const { message } = error as Error;
    if (!OPEN_BUT_NO_ADDON.test(message)) return message;
  }
  return undefined;
}
