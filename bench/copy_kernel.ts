import type { Kernel } from "../src/gpu/pipeline.ts";
import wgsl from "./copy.wgsl";

export const copyKernel = {
  name: "copy",
  wgsl,
  includes: [],
  bindings: { source: "read-only-storage", target: "storage" },
} satisfies Kernel;

export const WG = 256;
