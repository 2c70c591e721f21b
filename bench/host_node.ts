/** What Node has for the bench: compilers, threads, files. */
import { availableParallelism } from "node:os";
import { recordedBytes, recordedDataPresent } from "../test/helpers/recorded.ts";
import { highs } from "./baselines/highs.ts";
import { cudaUse, nvccVersion } from "./cuda_use.ts";
import { cudaIsHere, exportedC, exportedCuda, gccIsHere } from "./exported.ts";
import type { Host } from "./host.ts";

export const nodeHost: Host = {
  cores: availableParallelism(),
  coresMs,
  highs,
  exportedC: gccIsHere ? exportedC : undefined,
  get exportedCuda() {
    return cudaIsHere() ? exportedCuda : undefined;
  },
  get nvcc() {
    const version = nvccVersion();
    return version === undefined ? undefined : { version, useOf: cudaUse };
  },
  recorded: recordedDataPresent ? (path) => recordedBytes(path).toString() : undefined,
};

export function coresMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}
