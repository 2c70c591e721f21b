import { expect } from "vitest";
import type { SimulationReport } from "../../src/cli/reports/simulation_report.ts";
import { evenkeel, withoutSoftware } from "./evenkeel.ts";

/** What `evenkeel simulate` finds, from its JSON. */
export async function report(args: string[], input?: string | Buffer): Promise<SimulationReport> {
  const { code, stdout, stderr } = await evenkeel(["simulate", ...args, "--json"], withoutSoftware, input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

/** What it prints. */
export async function words(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await evenkeel(["simulate", ...args], withoutSoftware);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}
