import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { withoutSoftware } from "../evenkeel.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "evenkeel-tarball-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("packed and installed in an empty folder, it makes loads, analyzes them and plans", async () => {
  const npm = (args: string[], cwd: string) => execFileSync("npm", args, { cwd, stdio: "pipe" }).toString();
  const [{ filename }] = JSON.parse(npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root));
  const user = join(folder, "user");
  mkdirSync(user);
  npm(
    ["install", "--offline", "--omit=peer", "--no-audit", "--no-fund", "--prefix", user, join(folder, filename)],
    user,
  );
  expect(readdirSync(join(user, "node_modules")).filter((name) => !name.startsWith("."))).toEqual(["evenkeel"]);

  const env = { ...process.env, ...withoutSoftware };
  const evenkeel = (...args: string[]) =>
    promisify(execFile)(join(user, "node_modules/.bin/evenkeel"), args, { cwd: user, env });
  await evenkeel("demo", "--steps", "8", "--save", "loads.json");
  const placed = await evenkeel(
    ...["plan", "loads.json", "--gpus", "8", "--redundant", "8", "--budget", "2", "--out", "placement.json"],
  );
  expect(placed.stdout).toMatch(/^all( +\d\.\d{3}){5}$/m);
  const { physical_to_logical_map: maps } = JSON.parse(readFileSync(join(user, "placement.json"), "utf8"));
  expect(maps.map((map: number[]) => map.length)).toEqual(new Array(24).fill(40));
  const analyzed = await evenkeel(
    ...["analyze", "loads.json", "--gpus", "8", "--placement", "placement.json", "--html", "report.html"],
  );
  expect(analyzed.stdout).toMatch(/^23( +\d\.\d{3}){3} /m);
  expect(readFileSync(join(user, "report.html"), "utf8")).toContain("<svg");
  expect([placed.stderr, analyzed.stderr]).toEqual(["", ""]);
});
