/** What the page says of times and of the budget. */
import type { Verdict } from "../../bench/budget.ts";
import { us } from "../../bench/report.ts";
import type { Meta } from "../../bench/results_file.ts";
import type { Row } from "../../bench/row.ts";
import { COARSE_TIMESTAMP_NS, efforts } from "../../bench/timing.ts";
import { isSoftware } from "../../src/gpu/adapters.ts";

export function inMinutes(minutes: number): string {
  return minutes < 1 ? `about ${Math.ceil(minutes * 6) * 10}\u00a0s` : `about ${Math.round(minutes)}\u00a0min`;
}

/** A figure that says it all, what it is, and what to know of it. */
export interface Tile {
  name: string;
  value: string;
  note: string;
}

export const BUDGET_US = 100;

/** Whether a single solve is within the budget, as --budget says it. */
export function budgetTile(verdict: Verdict, { timestampStepUs }: Meta): Tile {
  const name = `GPU time of a single solve, of at most ${BUDGET_US} us`;
  switch (verdict.says) {
    case "no hardware":
      return { name, value: "no GPU", note: "This adapter computes on the CPU: only amortised figures tell anything." };
    case "not asked":
      return { name, value: "not asked", note: "solve-latency is the question that tells." };
    case "no timestamps":
      return { name, value: "unknown", note: "This device has no timestamps, so GPU time cannot be told." };
    default: {
      const slowest = verdict.rows.reduce((a, b) => (b.timestampUs! > a.timestampUs! ? b : a));
      const of = `${slowest.solver} on ${slowest.topology}`;
      const rest =
        verdict.says === "within"
          ? `Within the budget: the slowest of ${verdict.rows.length}, ${of}.`
          : `Over the budget: ${of}${verdict.rows.length > 1 ? ` and ${verdict.rows.length - 1} more` : ""}.`;
      return { name, value: `${us(slowest.timestampUs!)} us`, note: `${rest}${stepInWords(timestampStepUs)}` };
    }
  }
}

/** What a step of timestamps leaves unsaid: the mean of n times off by up to a step is off by half a step / sqrt(n). */
function stepInWords(stepUs: number | undefined): string {
  if (stepUs === undefined || !isCoarse(stepUs)) return "";
  const off = stepUs / 2 / Math.sqrt(efforts.quick.samples);
  return ` This browser rounds timestamps to ${us(stepUs)} us: the figure is a mean, good to ${us(off)} us or so. In Chrome, chrome://flags/#enable-webgpu-developer-features ends that.`;
}

export const isCoarse = (stepUs: number): boolean => stepUs * 1e3 >= COARSE_TIMESTAMP_NS;

/** The least time per LP of our kernels on the adapter, and of our programs on a core. */
export function batchTiles(rows: readonly Row[]): Tile[] {
  const ours = rows.filter(
    ({ solver, optimalShare, batch }) => /^evenkeel/.test(solver) && optimalShare === 1 && batch > 1,
  );
  const onAdapter = ours.filter(({ timestampUs }) => timestampUs !== undefined);
  const onCore = ours.filter(({ solver }) => solver === "evenkeel simd");
  return [...tile("An LP in a batch, on the adapter", onAdapter), ...tile("An LP in a batch, on one core", onCore)];
}

function tile(name: string, rows: readonly Row[]): Tile[] {
  if (rows.length === 0) return [];
  const best = rows.reduce((a, b) => (b.usPerLp < a.usPerLp ? b : a));
  const { solver, topology, batch, timestampUs } = best;
  const gpu = timestampUs === undefined ? "" : `, of it ${us(timestampUs / batch)} us of GPU time`;
  const note = `${solver}, ${topology}, ${batch.toLocaleString("en")} at a time, answers read back and checked${gpu}.`;
  return [{ name, value: `${us(best.usPerLp)} us`, note }];
}

/** Whether figures are of a program on the CPU: only the name tells, and what a page adds to it. */
export function ofSoftware({ adapter, driver }: Meta): boolean {
  return /, software$/.test(adapter) || isSoftware({ description: `${adapter} ${driver}` } as GPUAdapterInfo);
}

/** "Firefox 153.0", of what a browser says of itself. Some say that they are others as well: the last known name counts. */
export function browserName(userAgent: string): string {
  const known = /(Firefox|Edg|OPR|Chrome|Version)\/([\d.]+)/g;
  const found = [...userAgent.matchAll(known)].map(([, name, version]) => [name, version] as const);
  const [name, version] = found.find(([one]) => one === "Edg" || one === "OPR") ?? found[0] ?? ["", ""];
  const names: Record<string, string> = { Edg: "Edge", OPR: "Opera", Chrome: "Chromium", Version: "Safari" };
  return name === "" ? userAgent : `${names[name] ?? name} ${version}`;
}

/** For tables and files: "NVIDIA H100, Chromium 156.0.0.0". */
export function measuredOn({ adapter, browser, node }: Meta): string {
  return [adapter, browser ? browserName(browser) : node && `Node ${node.replace(/^v/, "")}`]
    .filter(Boolean)
    .join(", ");
}
