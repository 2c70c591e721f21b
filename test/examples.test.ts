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
