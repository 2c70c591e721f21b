import { KernelError } from "../common/errors.ts";
import { COMPUTE_STAGE } from "./constants.ts";

/** A compute kernel as data. `compile` turns it into a pipeline; nothing else does. */
export interface Kernel {
  /** Entry point, file stem and debug label. */
  readonly name: string;
  readonly wgsl: string;
  /** Tells kernels of one name apart in the cache, where part of the shader is generated. */
  readonly variant?: string;
  /** Fragments, appended. An error in one names the file that its first line tells, "// stem: ..."; text without such a line is "generated". */
  readonly includes: readonly string[];
  /** Bindings of group 0 in order. */
  readonly bindings: Readonly<Record<string, GPUBufferBindingType>>;
}

export interface CompiledKernel {
  readonly label: string;
  readonly kernel: Kernel;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Values for the shader's `override` constants. */
export type Overrides = Readonly<Record<string, number>>;
/** Shape constants that WGSL wants as `const` (lengths of private arrays); appended to the shader as u32. */
export type Shape = Readonly<Record<string, number>>;

// Keyed by device, so that pipelines die with it; holds promises, so that concurrent callers share one compilation.
const cache = new WeakMap<GPUDevice, Map<string, Promise<CompiledKernel>>>();

export function compile(
  device: GPUDevice,
  kernel: Kernel,
  shape: Shape,
  overrides: Overrides,
): Promise<CompiledKernel> {
  const constants = Object.entries({ ...shape, ...overrides }).sort(([a], [b]) => (a < b ? -1 : 1));
  const label = [kernel.name, ...constants.map(([name, value]) => `${name}=${value}`)].join(" ");
  const key = `${label} ${kernel.variant ?? ""}`;
  let perDevice = cache.get(device);
  if (!perDevice) {
    perDevice = new Map();
    cache.set(device, perDevice);
  }
  const known = perDevice.get(key);
  if (known) return known;
  const compiled = build(device, kernel, shape, overrides, label);
  perDevice.set(key, compiled);
  compiled.catch(() => perDevice.delete(key)); // a failure is reported, not remembered
  return compiled;
}

async function build(
  device: GPUDevice,
  kernel: Kernel,
  shape: Shape,
  overrides: Overrides,
  label: string,
): Promise<CompiledKernel> {
  const module = await compileModule(device, kernel, shape, label);
  const layout = device.createBindGroupLayout({
    label,
    entries: Object.values(kernel.bindings).map((type, binding) => ({
      binding,
      visibility: COMPUTE_STAGE,
      buffer: { type },
    })),
  });
  try {
    const pipeline = await device.createComputePipelineAsync({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: kernel.name, constants: overrides },
    });
    return { label, kernel, pipeline, layout };
  } catch (cause) {
    throw new KernelError(kernel.name, [cause instanceof Error ? cause.message : String(cause)], { cause });
  }
}

/** A piece of a shader, and what errors call it. */
interface Part {
  readonly file: string;
  readonly text: string;
}

function partsOf({ name, wgsl, includes }: Kernel, shape: Shape): Part[] {
  const constants = Object.entries(shape).map(([name, value]) => `const ${name} = ${value}u;`);
  const appended = [...includes, constants.join("\n")].map((text) => ({ file: fileOf(text), text }));
  return [{ file: `${name}.wgsl`, text: wgsl }, ...appended];
}

function fileOf(fragment: string): string {
  const stem = /^\/\/ (\w+): /.exec(fragment)?.[1];
  return stem === undefined ? "generated" : `${stem}.wgsl`;
}

async function compileModule(device: GPUDevice, kernel: Kernel, shape: Shape, label: string): Promise<GPUShaderModule> {
  const parts = partsOf(kernel, shape);
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ label, code: parts.map(({ text }) => text).join("\n") });
  const invalid = device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter((message) => message.type === "error");
  if (errors.length > 0) {
    const diagnostics = errors.map((e) => `${placeOf(parts, e.lineNum)}:${e.linePos} ${e.message}`);
    throw new KernelError(kernel.name, diagnostics);
  }
  const failure = await invalid;
  if (failure) throw new KernelError(kernel.name, [failure.message]);
  return module;
}

/** file:line, where the compiler counts the lines of all parts from 1. */
function placeOf(parts: readonly Part[], lineOfAll: number): string {
  const last = parts.length - 1;
  let line = lineOfAll;
  let at = 0;
  for (; at < last; at++) {
    const lines = parts[at].text.split("\n").length;
    if (line <= lines) break;
    line -= lines;
  }
  return `${parts[at].file}:${line}`;
}

/** A bind group from buffers by the kernel's binding names; other names are passed over, so that kernels may share one record. */
export function bind(
  device: GPUDevice,
  { label, kernel, layout }: CompiledKernel,
  buffers: Readonly<Record<string, GPUBufferBinding>>,
): GPUBindGroup {
  const entries = Object.keys(kernel.bindings).map((name, binding) => ({ binding, resource: buffers[name] }));
  return device.createBindGroup({ label, layout, entries });
}

/** Folds `groups` workgroups into two dimensions, past maxComputeWorkgroupsPerDimension. */
export function foldGrid(device: GPUDevice, groups: number): [number, number] {
  const limit = device.limits.maxComputeWorkgroupsPerDimension;
  const y = Math.ceil(groups / limit);
  return [Math.ceil(groups / y), y];
}
