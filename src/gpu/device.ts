import { platform } from "#platform";
import { ArgumentError, DeviceError } from "../common/errors.ts";
import { type FieldsOf, requireObject } from "../common/objects.ts";
import {
  type AdapterChoice,
  type AdapterSource,
  adapterChoices,
  type Candidate,
  isAdapterChoice,
  isSoftware,
  nameOf,
} from "./adapters.ts";
import { rememberOrigin } from "./origin.ts";
import type { GPUDeviceLike, NativeGPUDevice } from "./types.ts";

export type { AdapterChoice, AdapterSource } from "./adapters.ts";

/** Which adapter was taken. */
export interface AdapterReport {
  source: AdapterSource;
  name: string;
  /** Whether it runs on the CPU. */
  software: boolean;
  /** What was taken, and why nothing before it was, in words. */
  reason: string;
}

export interface AcquiredDevice {
  /** One that we requested remembers its buffers and encoders, so that `encode` of another device's solver or balancer refuses them by name. */
  device: NativeGPUDevice;
  adapter: AdapterReport;
}

/** @inline */
export interface DeviceOptions {
  /** Taken as it is: its features and limits are the caller's affair. */
  device?: GPUDeviceLike;
  /** Default: the environment variable EVENKEEL_ADAPTER, else "auto". */
  adapter?: AdapterChoice;
}

/** Requested wherever the adapter has them. */
const features = ["timestamp-query", "subgroups"] as const satisfies GPUFeatureName[];

/** Raised to what the adapter has. */
const limits = [
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxStorageBuffersPerShaderStage",
] as const satisfies (keyof GPUSupportedLimits)[];

/**
 * Finds a WebGPU device: the caller's own, `navigator.gpu`, the npm package `webgpu` (Dawn), or SwiftShader, which runs on
 * the CPU and comes with the npm package `@sparticuz/chromium`. Hardware first, unless `adapter` says otherwise.
 *
 * @returns device, the caller's to destroy unless it brought it; adapter, which one that is and why.
 * @throws {DeviceError} There is none: the message names every place searched and what to install. Or EVENKEEL_ADAPTER is
 *   none of "auto", "hardware", "software".  @throws {ArgumentError} `adapter` is none of them.
 */
export async function requestDevice(options: DeviceOptions = {}): Promise<AcquiredDevice> {
  requireObject("options", options, { device: true, adapter: true } satisfies FieldsOf<DeviceOptions>);
  if (options.device) {
    const device = options.device as GPUDevice;
    const info = device.adapterInfo;
    const adapter = { name: nameOf(info), software: isSoftware(info), reason: "The caller brought the device." };
    return { device, adapter: { source: "caller", ...adapter } };
  }
  const choice = resolveChoice(options.adapter);
  const passedOver = new Set<string>(); // a set: a missing package is missing for hardware and software alike
  for (const candidate of platform.candidates) {
    if (choice !== "auto" && candidate.software !== (choice === "software")) continue;
    try {
      const adapter = await find(candidate);
      const device = await adapter.requestDevice(descriptor(adapter));
      rememberOrigin(device);
      return { device, adapter: report(candidate, adapter.info, passedOver) };
    } catch (error) {
      passedOver.add(`${candidate.label}: ${(error as Error).message}.`);
    }
  }
  const kind = choice === "auto" ? "" : `${choice} `;
  throw new DeviceError(`No ${kind}WebGPU adapter. ${[...passedOver].join(" ")}`);
}

const shared = new Map<AdapterChoice, Promise<AcquiredDevice>>();

/**
 * The device of all who bring none, and so nobody's to destroy: one per choice, requested anew after a failure or once it
 * is lost.
 */
export async function sharedDevice(adapter?: AdapterChoice): Promise<AcquiredDevice> {
  const choice = resolveChoice(adapter);
  let acquired = shared.get(choice);
  if (!acquired) {
    acquired = requestDevice({ adapter: choice });
    shared.set(choice, acquired); // the promise, so that concurrent callers share one request
    const forget = () => shared.delete(choice);
    acquired.then(({ device }) => device.lost.then(forget), forget);
  }
  return acquired;
}

/** What one candidate offers, or why it offers nothing. */
export interface AdapterDescription {
  source: AdapterSource;
  label: string;
  software: boolean;
  /** Why there is no adapter; the fields below are missing then. */
  missing?: string;
  name?: string;
  features?: string[];
  limits?: Record<string, number>;
  /** The least and the greatest; undefined without the feature "subgroups". */
  subgroupSizes?: [number, number];
}

/** Asks every candidate for an adapter, in the order of `requestDevice`, and requests no device. */
export async function describeAdapters(): Promise<AdapterDescription[]> {
  const descriptions: AdapterDescription[] = [];
  for (const candidate of platform.candidates) {
    const { source, label, software } = candidate;
    try {
      const adapter = await find(candidate);
      descriptions.push({
        source,
        label,
        software,
        name: nameOf(adapter.info),
        features: [...adapter.features].sort(),
        limits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
        subgroupSizes: subgroupSizes(adapter),
      });
    } catch (error) {
      descriptions.push({ source, label, software, missing: (error as Error).message });
    }
  }
  return descriptions;
}

/** `adapter`, or what stands for it by default.  @throws {ArgumentError} It is none of the choices. */
export function resolveChoice(adapter: unknown): AdapterChoice {
  if (adapter === undefined) return platform.defaultChoice();
  if (isAdapterChoice(adapter)) return adapter;
  throw new ArgumentError("adapter", `one of ${adapterChoices.join(", ")}`, adapter);
}

async function find(candidate: Candidate): Promise<GPUAdapter> {
  const adapter = await candidate.request();
  const kind = candidate.software ? "software" : "hardware";
  if (!adapter) throw new Error(`it has no ${kind} adapter`);
  if (isSoftware(adapter.info) !== candidate.software) {
    throw new Error(`it has ${nameOf(adapter.info)}, which is no ${kind} adapter`);
  }
  return adapter;
}

function subgroupSizes({ features, info }: GPUAdapter): [number, number] | undefined {
  const { subgroupMinSize, subgroupMaxSize } = info;
  return features.has("subgroups") && subgroupMinSize && subgroupMaxSize
    ? [subgroupMinSize, subgroupMaxSize]
    : undefined;
}

function descriptor(adapter: GPUAdapter): GPUDeviceDescriptor {
  return {
    label: "evenkeel",
    requiredFeatures: features.filter((name) => adapter.features.has(name)),
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
  };
}

function report(candidate: Candidate, info: GPUAdapterInfo, passedOver: ReadonlySet<string>): AdapterReport {
  const { source, label, software } = candidate;
  const taken = `${label} has a ${software ? "software" : "hardware"} adapter.`;
  const reason = passedOver.size > 0 ? `${taken} Passed over: ${[...passedOver].join(" ")}` : taken;
  return { source, name: nameOf(info), software, reason };
}
