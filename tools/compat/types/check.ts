/**
 * Compiles the consumers of test/types against the packed tarball with every TypeScript that users have.
 *
 *   npm ci --prefix tools/compat/types && node scripts/run.mjs tools/compat/types/check.ts
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { complaints, consumers, makeProject, type Setting } from "../../../test/types/compile.ts";

/** Whose WebGPU a program has: none, a package's, or the one of TypeScript's own lib.dom. */
const programs = [
  { typescript: "typescript-5.9", webgpu: "none" },
  { typescript: "typescript-5.9", webgpu: "@webgpu/types" },
  { typescript: "typescript-6", webgpu: "lib.dom" },
  { typescript: "typescript-7", webgpu: "lib.dom" },
  // These two clash with each other, so whoever has both, as users of the npm package webgpu do, skips the check of libraries.
  { typescript: "typescript-6", webgpu: "@webgpu/types", skipLibCheck: true },
  { typescript: "typescript-7", webgpu: "@webgpu/types", skipLibCheck: true },
];

const folder = mkdtempSync(join(tmpdir(), "evenkeel-types-"));
process.on("exit", () => rmSync(folder, { recursive: true }));
const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
const [{ filename }] = JSON.parse(execFileSync("npm", pack, { encoding: "utf8" }));
execFileSync("tar", ["-xzf", join(folder, filename), "-C", folder]); // into folder/package
const project = join(folder, "project");
mkdirSync(project);
const installed = resolve("tools/compat/types/node_modules");
const users = [...consumers, "native.ts"].map((file) => resolve("test/types", file));
const gpuTypes = "@webgpu/types";
makeProject(project, users, { evenkeel: join(folder, "package"), [gpuTypes]: join(installed, gpuTypes) });

for (const { typescript, webgpu, skipLibCheck } of programs) {
  const types = webgpu === gpuTypes ? [gpuTypes] : [];
  for (const moduleResolution of ["bundler", "nodenext"] as const) {
    const setting: Setting = {
      moduleResolution,
      lib: ["es2023", "dom"],
      types,
      native: webgpu !== "none",
      skipLibCheck,
    };
    const found = complaints(join(installed, typescript), project, setting);
    console.log(`${typescript}, ${moduleResolution}, WebGPU: ${webgpu}: ${found === "" ? "clean" : `\n${found}`}`);
    if (found !== "") process.exitCode = 1;
  }
}
