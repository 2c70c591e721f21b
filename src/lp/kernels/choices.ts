/** What a caller may ask for, and is told: apart from what needs declarations of WebGPU. */
export const kernelChoices = ["auto", "lane", "group", "specialised", "simd"] as const;
/**
 * "lane": one LP per invocation, topology as data, one pipeline for many topologies of up to 64 GPUs. "group": one LP per workgroup or
 * subgroup, following the fill of the placement, as many GPUs as workgroup memory holds. "specialised": one LP per invocation, topology as
 * code, many times as fast, compiled for this topology alone. "simd": the CPU's, a WebAssembly program made for this topology, four LPs at a
 * time, from the first solve on; the exact solver where there is none, `plan` says why. "auto": lane or, beyond 32 GPUs, group at first;
 * specialised once a topology has come back and its pipeline is ready. On the CPU the exact solver at first, then simd.
 *
 * @useDeclaredType
 */
export type KernelChoice = (typeof kernelChoices)[number];

/** Which kernel solves, and why. */
export interface KernelPlan {
  /**
   * "time": where there is a cost; one LP per invocation, topology and cost as data. "cpu": the exact solver.
   */
  kernel: Exclude<KernelChoice, "auto"> | "time" | "cpu";
  reason: string;
}
