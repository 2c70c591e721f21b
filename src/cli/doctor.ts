import { Command } from "commander";
import { DeviceError } from "../errors.ts";
import { type AdapterDescription, type AdapterReport, describeAdapters, requestDevice } from "../gpu/device.ts";

const features = ["timestamp-query", "subgroups", "shader-f16"];

interface Diagnosis {
  /** What requestDevice() takes, or null and why it takes nothing. */
  taken: AdapterReport | null;
  error?: string;
  adapters: AdapterDescription[];
}

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("show the WebGPU adapters of this machine and which one is taken; exit code 1 if none")
    .option("--json", "print JSON")
    .action(async ({ json }: { json?: boolean }) => {
      const diagnosis = await diagnose();
      console.log(json ? JSON.stringify(diagnosis, null, 2) : inWords(diagnosis));
      if (!diagnosis.taken) process.exitCode = 1;
    });
}

async function diagnose(): Promise<Diagnosis> {
  const adapters = await describeAdapters();
  try {
    const { device, adapter } = await requestDevice();
    device.destroy();
    return { taken: adapter, adapters };
  } catch (error) {
    if (error instanceof DeviceError) return { taken: null, error: error.message, adapters };
    throw error;
  }
}

function inWords({ taken, error, adapters }: Diagnosis): string {
  const searched = adapters.map(({ label, software, name, missing }) => [
    `${label}, ${software ? "software" : "hardware"}`,
    name ?? `none: ${missing}`,
  ]);
  const found = adapters.filter(({ missing }) => missing === undefined);
  const verdict = taken ? `Taken: ${taken.name}. ${taken.reason}` : error;
  return [columns(searched), ...(found.length > 0 ? [columns(properties(found))] : []), verdict].join("\n\n");
}

/** One column per adapter. */
function properties(adapters: AdapterDescription[]): string[][] {
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
