// Runs the packed package in other runtimes on SwiftShader: npm run compat -- [RUNTIME ...] [--all] [--json FILE].
// --all: nothing may be skipped. See docs/compatibility.md.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { prepare } from "./build.mjs";
import { hosts } from "./hosts.mjs";

const TIMEOUT_MS = 300_000; // of each step in a runtime: beside ten other processes the slowest took 180 s
const LPS = 500;
const kernels = ["lane", "group", "specialised", "simd"];
const MODES = 11;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: "boolean" }, json: { type: "string" } },
});
const unknown = positionals.find((name) => !hosts.some((host) => host.name === name));
if (unknown) {
  console.error(`compat: expected ${hosts.map(({ name }) => name).join(", ")}, got ${unknown}`);
  process.exit(2);
}
const chosen = hosts.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const prepared = await prepare();
process.once("exit", () => rmSync(prepared.folder, { recursive: true, force: true }));

const reports = {};
let failed = 0;
let skipped = 0;
for (const host of chosen) {
  if (!existsSync(host.path)) {
    console.log(`${host.name}: SKIPPED, ${host.path} is not installed`);
    skipped++;
    continue;
  }
  const begun = performance.now();
  try {
    const report = await Promise.race([host.run({ ...prepared, timeoutMs: TIMEOUT_MS }), tooLate()]);
    reports[host.name] = report;
    const faults = [...report.failures, ...shortcomings(host, report)];
    const seconds = Math.round((performance.now() - begun) / 1000);
    console.log(`${host.name}: ${inWords(report)}; ${seconds} s; ${faults.length === 0 ? "ok" : "FAILED"}`);
    for (const fault of faults) console.log(`  ${fault}`);
    if (faults.length > 0) failed++;
  } catch (error) {
    console.log(`${host.name}: FAILED, ${error.message}`);
    failed++;
  }
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(reports, null, 2)}\n`);
console.log(`${chosen.length} runtimes: ${chosen.length - failed - skipped} ok, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 || (values.all && skipped > 0) ? 1 : 0); // a browser that hangs is killed with it

async function tooLate() {
  await setTimeout(2 * TIMEOUT_MS, undefined, { ref: false });
  throw new Error(`it takes more than ${(2 * TIMEOUT_MS) / 1000} s`);
}

/** What a report must have beside no failures: a program that did less than it should is no success. */
function shortcomings(host, report) {
  const found = [];
  if (report.source !== host.source) found.push(`the adapter is of ${report.source}, not of ${host.source}`);
  for (const kernel of kernels) {
    const { lps = 0, certified = 0 } = report.kernels[kernel] ?? {};
    if (lps < LPS || certified < lps) found.push(`${kernel}: ${certified} of ${lps} LPs certified, expected ${LPS}`);
  }
  const modes = Object.values(report.balancer).filter((batches) => batches > 0).length;
  if (modes < MODES) found.push(`${modes} modes of the balancer, expected ${MODES}`);
  if (!(report.times > 0)) found.push("no time was balanced");
  if (!(report.bounded > 0)) found.push("no latency was bounded");
  if (!(report.swept > 0)) found.push("nothing was swept");
  if (!(report.imbalance > 0)) found.push("measureImbalance measured nothing");
  if (!report.quickstart || !readme.includes(`\n\`\`\`\n${report.quickstart}\`\`\`\n`)) {
    found.push(`the quickstart prints what the README does not show:\n${report.quickstart}`);
  }
  return found;
}

function inWords({ runtime, adapter, kernels, balancer, times }) {
  const solved = Object.entries(kernels).map(([name, { lps, certified }]) => `${name} ${certified} of ${lps}`);
  const batches = Object.values(balancer).reduce((a, b) => a + b, 0);
  const modes = `${batches} batches in ${Object.keys(balancer).length} modes`;
  return `${runtime} on ${adapter}; LPs certified: ${solved.join(", ")}, time ${times}; balancer: ${modes}`;
}
