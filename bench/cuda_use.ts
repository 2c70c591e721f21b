/** What a thread of the exported CUDA kernel uses, by ptxas. No GPU is needed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportedFiles } from "../src/cli/export/exported_files.ts";
import { Placement } from "../src/index.ts";
import type { CudaUse } from "./row.ts";
import type { Workload } from "./workloads.ts";

/** A100, H100 and H200, B200. */
const ARCHITECTURES = ["sm_80", "sm_90", "sm_100"];

/** Undefined without a compiler. */
export function nvccVersion(): string | undefined {
  const { stdout } = spawnSync("nvcc", ["--version"], { encoding: "utf8" });
  return /release [\d.]+, V[\d.]+/.exec(stdout ?? "")?.[0].replace(/.*V/, "nvcc ");
}

/** Of the kernel of the first layer, for each architecture. */
export function cudaUse({ name, layers }: Workload): Record<string, CudaUse> {
  const { form } = layers[0];
  if (!(form instanceof Placement)) throw new Error(`${name} is not in replica form, which is what is exported.`);
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-cuda-"));
  try {
    const files = exportedFiles(new Map([[0, form]]), "cuda", { version: "bench", file: name });
    for (const [file, text] of files) writeFileSync(join(folder, file), text);
    return Object.fromEntries(ARCHITECTURES.map((architecture) => [architecture, compiled(folder, architecture)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function compiled(folder: string, architecture: string): CudaUse {
  const options = ["-O3", `-arch=${architecture}`, "-Xptxas", "-v", "-cubin", "-o", "evenkeel.cubin", "evenkeel.cu"];
  const { status, stdout, stderr } = spawnSync("nvcc", options, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`nvcc ${options.join(" ")}: ${stderr}`);
  return useOf(stdout + stderr);
}

/** @param said  by ptxas -v, of a module whose solve is kernel_0. */
export function useOf(said: string): CudaUse {
  const own = said.slice(said.search(/entry function '\w*kernel_0/));
  const stack = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(own);
  const used = /Used (\d+) registers/.exec(own);
  if (!own.includes("kernel_0") || !stack || !used)
    throw new Error(`ptxas does not tell registers and spills: ${said}`);
  const [stackBytes, spillStoreBytes, spillLoadBytes] = stack.slice(1).map(Number);
  return { registers: Number(used[1]), stackBytes, spillStoreBytes, spillLoadBytes };
}
