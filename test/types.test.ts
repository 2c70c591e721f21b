import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { complaints, consumers, makeProject, type Setting } from "./types/compile.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const typescript = join(root, "node_modules/typescript");
const folder = mkdtempSync(join(tmpdir(), "evenkeel-types-"));
afterAll(() => rmSync(folder, { recursive: true }));

const users = [...consumers, "native.ts"].map((file) => join(root, "test/types", file));
const linked = ["@webgpu/types", "@types/node"].map((name) => [name, join(root, "node_modules", name)]);
beforeAll(() => makeProject(folder, users, { evenkeel: root, ...Object.fromEntries(linked) }));

const published = (path: string) => readFileSync(join(root, "dist/types", path), "utf8");

describe("the published types", () => {
  const browser = ["es2023", "dom"];
  const settings: Record<string, Setting> = {
    "without declarations of WebGPU": { moduleResolution: "bundler", lib: browser, types: [], native: false },
    "with @webgpu/types": { moduleResolution: "nodenext", lib: browser, types: ["@webgpu/types"], native: true },
    "in Node, without lib.dom": { moduleResolution: "nodenext", lib: ["es2023"], types: ["node"], native: false },
  };
  test.each(Object.keys(settings))("compile %s", (name) => {
    expect(complaints(typescript, folder, settings[name])).toBe("");
  });

  test("tell a user's mistakes", () => {
    const withoutGpu: Setting = { moduleResolution: "bundler", lib: browser, types: [], native: true };
    expect(complaints(typescript, folder, withoutGpu)).toMatch(/^native\.ts.*Cannot find name 'GPUDevice'/);
  });

  test("refer to no package and no library but TypeScript's own, in any file", () => {
    const files = readdirSync(join(root, "dist/types"), { recursive: true, encoding: "utf8" });
    for (const file of files.filter((path) => path.endsWith(".d.ts"))) {
      expect(published(file), file).not.toMatch(/\b(from|import\() ?"[^.]|^\/\/\/ *<reference/m);
    }
  });

  test.each([
    ["index.d.ts", "evenkeel"],
    ["serving.d.ts", "evenkeel/serving"],
  ])("of %s are used by the consumers, every one of them", (types, name) => {
    const names = [...published(types).matchAll(/\{([^}]*)\}/g)].flatMap(([, list]) => list.split(","));
    const exported = names.map((name) => name.replace("type ", "").trim()).filter(Boolean);
    const imports = new RegExp(`import \\{([^}]*)\\} from "${name}"`, "g");
    const imported = users.flatMap((file) => [...readFileSync(file, "utf8").matchAll(imports)]);
    const used = imported.flatMap(([, list]) => list.split(",")).map((name) => name.replace("type ", "").trim());
    expect(exported.length).toBeGreaterThan(40);
    expect([...new Set(used.filter(Boolean))].sort()).toEqual(exported.sort()); // unused imports are errors
  });
});
