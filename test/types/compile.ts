import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface Setting {
  moduleResolution: "bundler" | "nodenext";
  lib: readonly string[];
  types: readonly string[];
  /** Whether `native.ts` is compiled, too. */
  native: boolean;
  skipLibCheck?: boolean;
  /** Other files than the consumers. */
  files?: readonly string[];
}

/** What users write; `native.ts` besides. */
export const consumers = ["consumer.ts", "serving.ts", "caching.ts", "sweeps.ts", "traffic.ts"];

/** A user's project in an empty folder: the consumers, and links to packages by name. */
export function makeProject(
  folder: string,
  consumers: readonly string[],
  packages: Readonly<Record<string, string>>,
): void {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  for (const file of consumers) copyFileSync(file, join(folder, basename(file)));
  for (const [name, path] of Object.entries(packages)) {
    const link = join(folder, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(path, link);
  }
}

/**
 * What a TypeScript has to say of the project, strictly and with all declarations checked but those that it brings, which no import
 * reaches: nothing, if all is well.
 */
export function complaints(typescript: string, folder: string, setting: Setting): string {
  const { moduleResolution, lib, types, native, skipLibCheck = false } = setting;
  const compilerOptions = {
    ...{
      target: "es2022",
      lib,
      types,
      moduleResolution,
      module: moduleResolution === "bundler" ? "esnext" : "nodenext",
    },
    ...{
      strict: true,
      noEmit: true,
      noUnusedLocals: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck,
      skipDefaultLibCheck: true,
    },
  };
  const files = setting.files ?? [...consumers, ...(native ? ["native.ts"] : [])];
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const tsc = [join(typescript, "bin/tsc"), "-p", "."];
  const { stdout, stderr } = spawnSync(process.execPath, tsc, { cwd: folder, encoding: "utf8" });
  return stdout + stderr;
}
