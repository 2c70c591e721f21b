import { Command } from "commander";
import { DeviceError } from "../../common/errors.ts";
import { type AdapterDescription, type AdapterReport, describeAdapters, requestDevice } from "../../gpu/device.ts";
import { checkKernels, type KernelCheck } from "../reports/kernel_check.ts";

const features = ["timestamp-query", "subgroups", "shader-f16"];

/** Where WebGPU comes from in each runtime; docs/compatibility.md has what was tried. */
const runtimes = [
  ["Node", "npm install webgpu; without a GPU @sparticuz/chromium as well (linux-x64)"],
  ["Deno", "its own"],
  ["Bun", "none, the CPU answers; npm install webgpu where a Vulkan loader is installed"],
  ["browsers", "their own, on https or localhost"],
];

interface Diagnosis {
  /** What this is running in. */
  runtime: string;
  /** What requestDevice() takes, or null and why it takes nothing. */
  taken: AdapterReport | null;
  error?: string;
  adapters: AdapterDescription[];
  /** Of the device that is taken. */
  kernels: KernelCheck[];
}

export function doctorCommand(): Command {
  return new Command("doctor")
    .description(
      "show the WebGPU adapters of this machine and which kernels work on the one that is taken; exit code 1 if none",
    )
    .option("--json", "print JSON")
    .action(async ({ json }: { json?: boolean }) => {
      const diagnosis = await diagnose();
      console.log(json ? JSON.stringify(diagnosis, null, 2) : inWords(diagnosis));
      if (!diagnosis.kernels.some(({ ok }) => ok)) process.exitCode = 1;
    });
}

async function diagnose(): Promise<Diagnosis> {
  const { deno, bun, node } = process.versions;
  const runtime = deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : `Node ${node}`;
  const adapters = await describeAdapters();
  try {
    const { device, adapter } = await requestDevice();
    const kernels = await checkKernels(device);
    device.destroy();
    return { runtime, taken: adapter, adapters, kernels };
  } catch (error) {
    if (error instanceof DeviceError) return { runtime, taken: null, error: error.message, adapters, kernels: [] };
    throw error;
  }
}

function inWords({ runtime, taken, error, adapters, kernels }: Diagnosis): string {
  const searched = adapters.map(({ label, software, name, missing }) => [
    `${label}, ${software ? "software" : "hardware"}`,
    name ?? `none: ${missing}`,
  ]);
  const found = adapters.filter(({ missing }) => missing === undefined);
  const verdict = taken ? `Taken: ${taken.name}. ${taken.reason}` : `${error} Backend "auto" answers on the CPU.`;
  const checked = kernels.map(({ kernel, ok, reason }) => [`kernel ${kernel}`, ok ? "ok" : `fails: ${reason}`]);
  const tables = [searched, properties(found), [[verdict]], checked, [["runtime", "WebGPU"], ...runtimes]];
  const [first, ...rest] = tables.filter((rows) => rows.length > 0).map(columns);
  return [`This is ${runtime}.\n\n${first}`, ...rest].join("\n\n");
}

/** One column per adapter. */
function properties(adapters: AdapterDescription[]): string[][] {
  if (adapters.length === 0) return [];
  const row = (property: string, of: (adapter: AdapterDescription) => string) => [property, ...adapters.map(of)];
  return [
    row("", ({ name }) => name ?? ""),
    ...features.map((feature) => row(feature, (adapter) => (adapter.features?.includes(feature) ? "yes" : "no"))),
    row("subgroup sizes", ({ subgroupSizes }) => subgroupSizes?.join(" to ") ?? "none"),
    ...Object.keys(adapters[0].limits ?? {}).map((limit) =>
      row(limit, ({ limits }) => limits?.[limit].toLocaleString("en") ?? "unknown"),
    ),
  ];
}

function columns(rows: string[][]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
