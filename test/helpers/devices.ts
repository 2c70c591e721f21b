import { platform } from "../../src/gpu/platform_node.ts";

/** A software device as a caller may bring one: without features, with WebGPU's default limits. */
export async function plainDevice(): Promise<GPUDevice> {
  const adapter = await platform.candidates.find(({ source }) => source === "swiftshader")!.request();
  return adapter!.requestDevice();
}
