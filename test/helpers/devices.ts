import { platform } from "../../src/gpu/platform_node.ts";

/** A software device as a caller may bring one: without features, with WebGPU's default limits. */
export async function plainDevice(): Promise<GPUDevice> {
  const adapter = await platform.candidates.find(({ source }) => source === "swiftshader")!.request();
  return adapter!.requestDevice();
}

/** From here on the device's own compiler gets every shader with an error in it. */
export function spoilCompiler(device: GPUDevice): GPUDevice {
  const compile = device.createShaderModule.bind(device);
  const value = (descriptor: GPUShaderModuleDescriptor) =>
    compile({ ...descriptor, code: `${descriptor.code}\nfn unfinished() -> u32 { return 1.5; }` });
  return Object.defineProperty(device, "createShaderModule", { value });
}
