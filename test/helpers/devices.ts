import { platform } from "../../src/gpu/platform_node.ts";

/** A software device as a caller may bring one: without features, with WebGPU's default limits. */
export async function plainDevice(): Promise<GPUDevice> {
  const adapter = await platform.candidates.find(({ source }) => source === "swiftshader")!.request();
  return adapter!.requestDevice();
}

/** From here on the device's own compiler gets every shader with an error in it, in the kernel's own file. */
export function spoilCompiler(device: GPUDevice): GPUDevice {
  const compile = device.createShaderModule.bind(device);
  const value = (descriptor: GPUShaderModuleDescriptor) =>
    compile({
      ...descriptor,
      code: descriptor.code.replace(/^@compute/m, "fn unfinished() -> u32 { return 1.5; } $&"),
    });
  return Object.defineProperty(device, "createShaderModule", { value });
}

/** Does work on a device that gives one of its limits as less than it is. */
export async function withLimit<T>(
  device: GPUDevice,
  name: keyof GPUSupportedLimits,
  value: number,
  work: () => Promise<T>,
): Promise<T> {
  const { limits } = device;
  const set = (shown: GPUSupportedLimits) =>
    Object.defineProperty(device, "limits", { configurable: true, enumerable: true, value: shown });
  set(new Proxy(limits, { get: (of, key) => (key === name ? value : Reflect.get(of, key)) }));
  try {
    return await work();
  } finally {
    set(limits);
  }
}
