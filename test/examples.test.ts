import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const quickstart = readFileSync(join(root, "examples/quickstart.ts"), "utf8");

/** The optimum is unique, so that every solver prints this. */
const output = `\
max load   105
quota      0 105 60 20 95 10
bottleneck 0 2
verdict    optimal
`;

const run = (cwd: string, args: string[], adapter: string) =>
  execFileSync(process.execPath, args, { cwd, env: { ...process.env, EVENKEEL_ADAPTER: adapter } }).toString();

test.each(["auto", "software"])("the quickstart runs from the repository, adapter: %s", (adapter) => {
  expect(run(root, ["scripts/run.mjs", "examples/quickstart.ts"], adapter)).toBe(output);
});

test("the quickstart runs where the package is installed", () => {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-quickstart-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules/evenkeel"), "junction");
    writeFileSync(join(folder, "quickstart.mjs"), quickstart); // no types are written in it
    expect(run(folder, ["quickstart.mjs"], "auto")).toBe(output);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the README shows the quickstart and its output as they are", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  expect(readme).toContain(`\n\`\`\`ts\n${quickstart}\`\`\`\n`);
  expect(readme).toContain(`\n\`\`\`\n${output}\`\`\`\n`);
  expect(quickstart.trimEnd().split("\n").length).toBeLessThan(15);
});

test("the live router sends what comes, and times each policy's decisions", () => {
  const printed = run(root, ["scripts/run.mjs", "examples/router.ts", "0.3"], "auto");
  const [head, blank, columns, ...rows] = printed.trimEnd().split("\n");
  expect([head, blank]).toEqual(["8 engines x 64 slots, 300 requests/s, 0.3 s per policy", ""]);
  expect(columns).toMatch(/^policy +decisions +median us +p99 us +max \/ mean load$/);
  const names = ["round robin", "least KV", "power of two", "cache-aware", "LMetric", "BF-IO"];
  expect(rows.map((row) => row.split(/ {2,}/)[0])).toEqual(names);
  for (const row of rows) {
    const [decisions, medianUs, p99Us, imbalance] = row.split(/ {2,}/).slice(1).map(Number);
    expect(decisions, row).toBeGreaterThan(20);
    expect(medianUs, row).toBeGreaterThan(0);
    expect(p99Us, row).toBeGreaterThanOrEqual(medianUs);
    expect(imbalance, row).toBeGreaterThanOrEqual(1);
  }
});
