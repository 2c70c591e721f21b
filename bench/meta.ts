import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { commit } from "../scripts/commit.mjs";
import type { AdapterReport } from "../src/index.ts";
import type { Meta } from "./results_file.ts";

/** On the command line. */
export function metaOf(device: GPUDevice, adapter: AdapterReport): Meta {
  const { vendor, architecture, description } = device.adapterInfo;
  const processors = cpus();
  return {
    commit: commit(),
    adapter: adapter.name,
    driver: [vendor, architecture, description].filter(Boolean).join(", "),
    node: process.version,
    webgpu: packageVersion("webgpu"),
    cpu: `${processors.length} x ${processors[0]?.model ?? "unknown"}`,
  };
}

function packageVersion(name: string): string {
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    const root = entry.slice(0, entry.lastIndexOf(`node_modules/${name}/`) + `node_modules/${name}/`.length);
    return JSON.parse(readFileSync(`${root}package.json`, "utf8")).version;
  } catch {
    return "unknown";
  }
}
