export const adapterChoices = ["auto", "hardware", "software"] as const;

/** Which adapters a request may take; "auto" is hardware where there is any, else software. @useDeclaredType */
export type AdapterChoice = (typeof adapterChoices)[number];

/** Who brought the adapter. @inline */
export type AdapterSource = "caller" | "browser" | "host" | "dawn" | "swiftshader";

/** One place that an adapter can come from, asked for one kind of adapter. @internal */
export interface Candidate {
  source: AdapterSource;
  label: string;
  software: boolean;
  /**
   * @returns null when WebGPU is there but has no adapter of this kind.
   * @throws {Error} WebGPU is not there. The message says why, and what would change that.
   */
  request(): Promise<GPUAdapter | null>;
}

/** What differs between Node and the browser. `#platform` names the right one to whatever builds or runs the sources. @internal */
export interface Platform {
  /** The choice of a caller who makes none. */
  defaultChoice(): AdapterChoice;
  /** In order of preference: every hardware candidate, then the software ones. */
  candidates: readonly Candidate[];
}

export function isAdapterChoice(value: unknown): value is AdapterChoice {
  return adapterChoices.includes(value as AdapterChoice);
}

/** Browsers leave most of these fields empty; a description may be the driver's alone, and then the device stands before it. @internal */
export function nameOf({ vendor, architecture, device, description }: GPUAdapterInfo): string {
  if (!description) return [vendor, architecture, device].filter(Boolean).join(" ") || "unnamed adapter";
  const model = device?.split("-").find((word) => word !== "" && word !== vendor);
  return model === undefined || description.toLowerCase().includes(model) ? description : `${device}, ${description}`;
}

/** The name counts as well as the flag: a host may offer a rasteriser on the CPU as if it were a GPU. @internal */
export function isSoftware(info: GPUAdapterInfo): boolean {
  return info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i.test(nameOf(info));
}

/** `navigator.gpu`, of a browser or of a host that has one. @internal */
export function navigatorCandidate(source: "browser" | "host", software: boolean, missing: () => string): Candidate {
  return {
    source,
    label: "navigator.gpu",
    software,
    async request() {
      const gpu = globalThis.navigator?.gpu;
      if (!gpu) throw new Error(missing());
      return gpu.requestAdapter({ powerPreference: "high-performance", forceFallbackAdapter: software });
    },
  };
}
